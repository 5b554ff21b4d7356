//! `GET /ws`: events out as an event stream has them, commands in, over one WebSocket.
//!
//! Here is the request that opens it; [`session`] is what comes after.

mod command;
mod pulse;
mod session;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub use self::session::{Session, SessionError};
use super::connection::Link;
use super::events::{self, EventsQuery};
use super::refusal::Refusal;
use super::{HttpSide, gate};

/// RFC 6455, the only version there is.
const VERSION: &str = "13";
/// Bytes of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_BYTES: usize = 24;

/// Answers 101, and leaves the session for the connection to go on with.
pub async fn open(
    State(side): State<Arc<HttpSide>>,
    Extension(link): Extension<Link>,
    Query(query): Query<EventsQuery>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let key = key(request.headers())?;
    // Whoever may not write may listen, as with event streams; but no page of another site may do either unasked.
    let may_write = gate::admit(&side, request.headers());
    let (subscription, outbox) = events::subscribe(&side, query, link.cut.clone())?;
    let upgrade = hyper::upgrade::on(&mut request);
    link.switch_to(Session { upgrade, subscription, outbox, may_write });
    let head = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, key),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, head).into_response())
}

/// The key that proves that this was understood, for a request that asks for a WebSocket.
fn key(headers: &HeaderMap) -> Result<String, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let has = |name, word: &str| text(name).split(',').any(|found| found.trim().eq_ignore_ascii_case(word));
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        let why = "this is a WebSocket: ask with `Connection: upgrade` and `Upgrade: websocket`";
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, why));
    }
    let (version, key) = (text(header::SEC_WEBSOCKET_VERSION), text(header::SEC_WEBSOCKET_KEY));
    if version != VERSION || key.len() != KEY_BYTES {
        let why = "expected `Sec-WebSocket-Version: 13` and a `Sec-WebSocket-Key` of 24 characters";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
    }
    Ok(derive_accept_key(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_a_request_for_a_websocket_of_the_known_version_gets_a_key() {
        // RFC 6455 §1.3.
        let sound = [
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let ask = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            key(&headers.collect()).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(ask(&sound), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        for (left_out, status) in [(0, 426), (1, 426), (2, 400), (3, 400)] {
            let mut pairs = sound.to_vec();
            pairs.remove(left_out);
            assert_eq!(ask(&pairs), Err(status), "without {:?}", sound[left_out]);
        }
    }
}
