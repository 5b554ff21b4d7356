//! One HTTP connection, from accept to close.

use std::io;
use std::sync::Arc;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::debug;

use super::HttpSide;
use super::patience::Patience;
use crate::hooks::{Cleanup, Exit, Side};
use crate::net::BoxStream;

/// What a connection may hold of heads and of bodies on their way out.
const BUFFER_BYTES: usize = 16 * 1024;

/// The way to cut a connection from within a request; each connection's requests find theirs as an extension.
#[derive(Clone)]
pub struct Cut(pub CancellationToken);

/// Serves requests until the peer, a deadline or the gateway ends it.
pub async fn serve(side: Arc<HttpSide>, router: Router, stream: BoxStream, peer: String) {
    let shared = &side.shared;
    let connection = shared.connection(Side::Http, &peer);
    let hooks = &shared.embedding.hooks;
    let mut cleanup = Cleanup::start(&**hooks, connection, shared.meters.http_connections.hold());
    let http = &side.config;
    let cut = CancellationToken::new();
    let for_requests = Cut(cut.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(for_requests.clone());
        hooks.on_message(&connection);
        router.clone().oneshot(request)
    });
    let stream = Patience::new(stream, shared.parts.delivery.write_timeout(http));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(http.header_timeout)
        .max_buf_size(BUFFER_BYTES)
        // The wall clock stays out: equal runs send equal bytes.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let stop = &side.stop;
    let ended = tokio::select! {
        biased;
        () = stop.connections.cancelled() => return,
        () = cut.cancelled() => return,
        ended = serving.as_mut() => ended,
        () = stop.accepting.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                () = stop.connections.cancelled() => return,
                () = cut.cancelled() => return,
                ended = serving => ended,
            }
        }
    };
    let exit = match ended {
        Ok(()) => Exit::Returned,
        Err(error) => {
            shared.meters.http_errors.up();
            debug!(peer, %error, "http connection ended");
            if is_timeout(&error) {
                cleanup.timed_out();
            }
            Exit::Failed
        }
    };
    // Dropped last, when the stream is closed.
    cleanup.will_end(exit);
}

/// Whether the head of a request did not come, or an answer was not read, in its time.
fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    error.is_timeout() || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}
