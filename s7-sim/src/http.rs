//! The PLCs' counters, knobs and sessions over HTTP: `/metrics` for Prometheus, the rest as JSON.

use std::io;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::faults::Faults;
use crate::plc::Plc;
use crate::registry::SessionList;
use crate::stats::{PlcStats, prometheus};

/// Longest body taken: every fault file within its bounds is shorter.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest token.
pub const TOKEN_BYTES_MAX: usize = 256;

/// A secret that every request must bring, as `Authorization: Bearer TOKEN`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

/// Why a text is no token. The text is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a token has 1..={TOKEN_BYTES_MAX} visible ASCII characters, found {found} bytes: make one with `openssl rand -hex 16`"
)]
pub struct TokenError {
    /// How long it is.
    pub found: usize,
}

impl Token {
    /// Checks that the text can stand in a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let is_token =
            (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(Self(text.into())) } else { Err(TokenError { found: text.len() }) }
    }

    /// Compares in a time that tells nothing but the length.
    fn fits(&self, found: &[u8]) -> bool {
        let wrong = self.0.bytes().zip(found).fold(0, |wrong, (expected, found)| wrong | (expected ^ found));
        self.0.len() == found.len() && wrong == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Serves these PLCs until `stop` is cancelled; with a token, only to who brings it.
///
/// - `GET /metrics`: Prometheus text, one label `plc`.
/// - `GET /stats`: a list, one `{"name": .., "stats": ..}` for each PLC, in their order.
/// - `GET /faults/{index}`: a PLC's fault knobs; `PUT` sets them, absent ones to their defaults.
/// - `GET /cpu/{index}`: whether a PLC's CPU runs; `PUT` starts or stops it.
/// - `GET /sessions/{index}`: a PLC's [`SessionList`]; `DELETE /sessions/{index}/{id}` ends one of them.
pub async fn serve(
    plcs: Arc<[Plc]>,
    listener: TcpListener,
    token: Option<Token>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/stats", get(stats))
        .route("/faults/{index}", get(faults).put(set_faults))
        .route("/cpu/{index}", get(cpu).put(set_cpu))
        .route("/sessions/{index}", get(sessions))
        .route("/sessions/{index}/{id}", delete(end_session))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(token, authorize))
        .with_state(plcs);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// One PLC in `/stats`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedStats {
    /// The PLC's name.
    pub name: String,
    /// Its counters.
    pub stats: PlcStats,
}

async fn authorize(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    let found = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let found = found.and_then(|value| value.strip_prefix(b"Bearer "));
    if token.is_none_or(|token| found.is_some_and(|found| token.fits(found))) {
        return next.run(request).await;
    }
    let text = "expected `Authorization: Bearer TOKEN` with the token that s7-sim was started with\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
}

async fn metrics(State(plcs): State<Arc<[Plc]>>) -> Response {
    let text = prometheus(plcs.iter().map(|plc| (plc.config().name.as_str(), plc.stats())));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn stats(State(plcs): State<Arc<[Plc]>>) -> Json<Vec<NamedStats>> {
    let named = |plc: &Plc| NamedStats { name: plc.config().name.clone(), stats: plc.stats() };
    Json(plcs.iter().map(named).collect())
}

async fn faults(State(plcs): State<Arc<[Plc]>>, Path(index): Path<usize>) -> Result<Json<Faults>, Missing> {
    Ok(Json(find(&plcs, index)?.faults()))
}

async fn set_faults(
    State(plcs): State<Arc<[Plc]>>,
    Path(index): Path<usize>,
    Json(faults): Json<Faults>,
) -> Result<StatusCode, Missing> {
    find(&plcs, index)?.set_faults(faults);
    Ok(StatusCode::NO_CONTENT)
}

/// The CPU in `/cpu/{index}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuState {
    /// RUN, else STOP.
    pub running: bool,
}

async fn cpu(State(plcs): State<Arc<[Plc]>>, Path(index): Path<usize>) -> Result<Json<CpuState>, Missing> {
    Ok(Json(CpuState { running: find(&plcs, index)?.is_running() }))
}

async fn set_cpu(
    State(plcs): State<Arc<[Plc]>>,
    Path(index): Path<usize>,
    Json(cpu): Json<CpuState>,
) -> Result<StatusCode, Missing> {
    find(&plcs, index)?.switch(cpu.running);
    Ok(StatusCode::NO_CONTENT)
}

async fn sessions(
    State(plcs): State<Arc<[Plc]>>,
    Path(index): Path<usize>,
) -> Result<Json<SessionList>, Missing> {
    Ok(Json(find(&plcs, index)?.sessions()))
}

async fn end_session(
    State(plcs): State<Arc<[Plc]>>,
    Path((index, id)): Path<(usize, u64)>,
) -> Result<StatusCode, Missing> {
    let is_there = find(&plcs, index)?.end_session(id);
    if is_there { Ok(StatusCode::NO_CONTENT) } else { Err(Missing::Session { plc: index, found: id }) }
}

/// What a path names and nothing is.
#[derive(Debug, Error)]
enum Missing {
    #[error("there is no PLC {found}: expected an index below {plcs}")]
    Plc { found: usize, plcs: usize },
    #[error("PLC {plc} has no session {found}: GET /sessions/{plc} lists those it has")]
    Session { plc: usize, found: u64 },
}

fn find(plcs: &[Plc], found: usize) -> Result<&Plc, Missing> {
    plcs.get(found).ok_or(Missing::Plc { found, plcs: plcs.len() })
}

impl IntoResponse for Missing {
    fn into_response(self) -> Response {
        (StatusCode::NOT_FOUND, format!("{self}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_itself_alone() {
        let token = Token::new("secret").unwrap();
        assert!(token.fits(b"secret"));
        for other in [&b"secres"[..], b"secre", b"secrets", b""] {
            assert!(!token.fits(other));
        }
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn texts_that_no_header_can_carry_are_no_tokens() {
        for (text, found) in [("", 0), ("two words", 9), ("tab\t", 4), (&"x".repeat(257), 257)] {
            assert_eq!(Token::new(text), Err(TokenError { found }));
        }
    }
}
