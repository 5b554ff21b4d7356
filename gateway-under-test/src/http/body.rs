//! The body of a request: JSON, within a bound and a deadline.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::config::HttpConfig;

/// Bytes of a body: a full batch of writes with the longest names is shorter.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Reads a request's body as JSON.
///
/// The type must be said to be JSON: that is what keeps a browser from sending it for a page of another site unasked.
pub async fn read<T: DeserializeOwned>(http: &HttpConfig, request: Request<Body>) -> Result<T, Refusal> {
    if !is_json(request.headers()) {
        let why = "send JSON, and say so: `Content-Type: application/json`";
        return Err(Refusal::unread(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    let body = whole(http, request.into_body()).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        Refusal::new(status, format!("the body is not what is expected here: {error}"))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn whole(http: &HttpConfig, body: Body) -> Result<Bytes, Refusal> {
    let collecting = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(http.body_timeout, collecting).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let why = format!("a body has at most {BODY_BYTES_MAX} bytes");
            Err(Refusal::unread(StatusCode::PAYLOAD_TOO_LARGE, why))
        }
        Ok(Err(error)) => {
            Err(Refusal::unread(StatusCode::BAD_REQUEST, format!("the body is broken: {error}")))
        }
        Err(_elapsed) => {
            let within = humantime::format_duration(http.body_timeout);
            Err(Refusal::unread(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {within}"),
            ))
        }
    }
}
