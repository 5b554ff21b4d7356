//! One HTTP connection, from accept to close.

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
use crate::net::BoxStream;

/// What a connection may hold of heads and of bodies on their way out.
const BUFFER_BYTES: usize = 16 * 1024;

/// The way to cut a connection from within a request; each connection's requests find theirs as an extension.
#[derive(Clone)]
pub struct Cut(pub CancellationToken);

/// Serves requests until the peer, a deadline or the gateway ends it.
pub async fn serve(side: Arc<HttpSide>, router: Router, stream: BoxStream, peer: String) {
    let shared = &side.shared;
    let _held = shared.meters.http_connections.hold();
    let http = &side.config;
    let cut = CancellationToken::new();
    let for_requests = Cut(cut.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(for_requests.clone());
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
    if let Err(error) = ended {
        shared.meters.http_errors.up();
        debug!(peer, %error, "http connection ended");
    }
}
