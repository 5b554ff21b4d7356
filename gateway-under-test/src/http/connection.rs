//! One connection, from accept to close: TLS if it is configured, HTTP, and what it may be switched to.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::debug;

use super::HttpSide;
use super::pace::{Deadlines, Pace, Paced};
use super::patience::Patience;
use super::websocket::{Session, SessionError};
use crate::hooks::{Cleanup, Connection, Exit, Side};
use crate::net::BoxStream;
use crate::tls::TlsError;

/// What a connection may hold of heads and of bodies on their way out.
const BUFFER_BYTES: usize = 16 * 1024;

/// A request's way to the connection that it came by.
#[derive(Clone)]
pub struct Link {
    /// Cuts the connection.
    pub cut: CancellationToken,
    switch: Arc<Mutex<Option<Session>>>,
}

impl Link {
    fn new(cut: CancellationToken) -> Self {
        Self { cut, switch: Arc::default() }
    }

    /// Leaves what the connection is to become once this request is answered. It stays one task in one place.
    pub fn switch_to(&self, session: Session) {
        *self.switch.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    fn switched(&self) -> Option<Session> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why a connection ended other than in order.
#[derive(Debug, Error)]
enum EndError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    WebSocket(#[from] SessionError),
}

impl EndError {
    /// Whether the peer did not ask, read or shake hands in its time.
    fn is_timeout(&self) -> bool {
        let Self::Http(error) = self else { return matches!(self, Self::Tls(TlsError::TimedOut)) };
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
        error.is_timeout() || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
    }
}

/// Serves requests until the peer, a deadline or the gateway ends it.
pub async fn serve(
    side: Arc<HttpSide>,
    router: Router,
    stream: BoxStream,
    peer: String,
    deadlines: Deadlines,
) {
    let shared = &side.shared;
    let connection = shared.connection(Side::Http, &peer);
    let hooks = &*shared.embedding.hooks;
    let mut cleanup = Cleanup::start(hooks, connection, shared.meters.http_connections.hold());
    let link = Link::new(CancellationToken::new());
    let ended = tokio::select! {
        biased;
        () = side.stop.connections.cancelled() => return,
        () = link.cut.cancelled() => return,
        ended = serve_to_its_end(&side, router, stream, &link, connection, deadlines) => ended,
    };
    let exit = match ended {
        Ok(()) => Exit::Returned,
        Err(error) => {
            shared.meters.http_errors.up();
            debug!(peer, %error, "http connection ended");
            if error.is_timeout() {
                cleanup.timed_out();
            }
            Exit::Failed
        }
    };
    // Dropped last, when the stream is closed.
    cleanup.will_end(exit);
}

async fn serve_to_its_end(
    side: &Arc<HttpSide>,
    router: Router,
    stream: BoxStream,
    link: &Link,
    connection: Connection<'_>,
    deadlines: Deadlines,
) -> Result<(), EndError> {
    let stream = secure(side, stream).await?;
    serve_requests(side, router, stream, link, connection, deadlines).await?;
    match link.switched() {
        // In a box: the many connections that are not switched need not have room for it.
        Some(session) => Ok(Box::pin(session.run(side)).await?),
        None => Ok(()),
    }
}

/// Shakes hands here and not where connections are accepted: a peer that does not keeps only itself waiting.
async fn secure(side: &HttpSide, stream: BoxStream) -> Result<BoxStream, TlsError> {
    let credentials = side.credentials();
    let Some(tls) = &credentials.tls else { return Ok(stream) };
    let deadline = Instant::now() + side.config.header_timeout;
    let shaking = Box::pin(tls.accept(stream, deadline));
    shaking.await
}

async fn serve_requests(
    side: &Arc<HttpSide>,
    router: Router,
    stream: BoxStream,
    link: &Link,
    connection: Connection<'_>,
    deadlines: Deadlines,
) -> hyper::Result<()> {
    let hooks = &side.shared.embedding.hooks;
    let pace = Pace::new(deadlines);
    let stream = Patience::new(stream, side.shared.parts.delivery.write_timeout(&side.config));
    let stream = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let mut answering = pace.answering();
        request.extensions_mut().insert(link.clone());
        hooks.on_message(&connection);
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                answering.for_ever();
            }
            Ok::<_, Infallible>(answer.map(|body| answering.with(body)))
        }
    });
    let serving = http1::Builder::new()
        // The pace is ours: hyper's one timer would run over idle time and head together.
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES)
        // The wall clock stays out: equal runs send equal bytes.
        .auto_date_header(false)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
        ended = serving.as_mut() => return ended,
        () = side.stop.accepting.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    serving.await
}
