//! What a request is answered that does not get what it asked for: a status, and in JSON why.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::HttpSide;
use crate::station::command::CommandError;

/// Station names listed where one does not exist.
const NAMES_MAX: usize = 20;

/// Why a request does not get what it asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub why: String,
    /// Of a write: whether the PLC may have carried it out all the same.
    pub may_have_been_written: Option<bool>,
    /// Whether the connection ends with this answer, because the rest of the request is not read.
    pub last: bool,
}

impl Refusal {
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), may_have_been_written: None, last: false }
    }

    /// The refusal of a request that is not read to its end.
    pub fn unread(status: StatusCode, why: impl Into<String>) -> Self {
        Self { last: true, ..Self::new(status, why) }
    }

    /// The refusal of a request that names no station there is.
    pub fn no_station(side: &HttpSide, name: &str) -> Self {
        let stations = side.shared.stations.list();
        let names = stations.iter().map(|station| station.config.name.as_str());
        let known: Vec<&str> = names.take(NAMES_MAX).collect();
        Self::new(StatusCode::NOT_FOUND, format!("no station `{name}`; there are: {}", known.join(", ")))
    }

    /// What a refused write says, in an answer of its own or among others.
    pub fn of_command(error: &CommandError) -> Self {
        Self {
            may_have_been_written: Some(matches!(error, CommandError::Unconfirmed(_))),
            ..Self::new(status_of(error), error.to_string())
        }
    }

    /// The body.
    pub fn json(&self) -> serde_json::Value {
        match self.may_have_been_written {
            Some(may) => json!({ "error": self.why, "may_have_been_written": may }),
            None => json!({ "error": self.why }),
        }
    }
}

/// The status that tells a client what to do: mend the request, come again, or look at the PLC.
const fn status_of(error: &CommandError) -> StatusCode {
    match error {
        CommandError::NoStation(_) | CommandError::NoTag { .. } => StatusCode::NOT_FOUND,
        CommandError::ReadOnly(_) => StatusCode::FORBIDDEN,
        CommandError::WrongValue { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        CommandError::QueueFull { .. } => StatusCode::TOO_MANY_REQUESTS,
        CommandError::Offline(_) | CommandError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        CommandError::NotBegun(_) | CommandError::Unconfirmed(_) => StatusCode::GATEWAY_TIMEOUT,
        CommandError::Refused(_) => StatusCode::BAD_GATEWAY,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        let headers = response.headers_mut();
        let mut say = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
        match self.status {
            // A second is long for a PLC, and a queue is emptied within one or not at all.
            StatusCode::TOO_MANY_REQUESTS => say(header::RETRY_AFTER, "1"),
            StatusCode::UNAUTHORIZED => say(header::WWW_AUTHENTICATE, "Bearer"),
            _ => {}
        }
        if self.last {
            say(header::CONNECTION, "close");
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::TagType;

    #[test]
    fn each_way_a_write_fails_has_its_status() {
        let name = || "press".to_owned();
        let wrong = CommandError::WrongValue { tag: name(), expected: TagType::Word, found: name() };
        for (error, status, may) in [
            (CommandError::NoStation(name()), 404, false),
            (CommandError::NoTag { station: name(), tag: name() }, 404, false),
            (CommandError::ReadOnly(name()), 403, false),
            (wrong, 422, false),
            (CommandError::QueueFull { station: name(), limit: 1 }, 429, false),
            (CommandError::Offline(name()), 503, false),
            (CommandError::Stopping, 503, false),
            (CommandError::NotBegun(Duration::from_secs(1)), 504, false),
            (CommandError::Unconfirmed(name()), 504, true),
            (CommandError::Refused(name()), 502, false),
        ] {
            let refusal = Refusal::of_command(&error);
            assert_eq!(
                (refusal.status.as_u16(), refusal.may_have_been_written),
                (status, Some(may)),
                "{error}"
            );
        }
    }

    #[test]
    fn who_is_to_come_again_is_told_when() {
        let full = CommandError::QueueFull { station: "press".to_owned(), limit: 1 };
        let response = Refusal::of_command(&full).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
