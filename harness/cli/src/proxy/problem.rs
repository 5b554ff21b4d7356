//! Errors of the control API, as problem details (RFC 9457).

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use watertight::chaos::rig::RigError;
use watertight::scenario::ScenarioErrors;

/// What is wrong with a request.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    /// A problem in words.
    pub fn new(status: StatusCode, detail: String) -> Self {
        Self { status, detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("error");
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}

impl From<RigError> for Problem {
    fn from(error: RigError) -> Self {
        let status = match error {
            RigError::NoProxy { .. } | RigError::NoFault(_) => StatusCode::NOT_FOUND,
            RigError::Taken(_) | RigError::Full { .. } | RigError::Listen { .. } => StatusCode::CONFLICT,
            RigError::Unplayable(_) | RigError::Name(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// One line a problem of the body, each with its place, as `watertight check` prints them.
impl From<ScenarioErrors> for Problem {
    fn from(errors: ScenarioErrors) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, errors.to_string().trim_end().to_owned())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}
