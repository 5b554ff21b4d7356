//! Serves a page of metrics over HTTP, on a thread of its own: what a scraper needs, and nothing more.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use watertight::report::openmetrics::Format;

/// The variable with the token that scrapers must send as `Authorization: Bearer TOKEN`.
pub const TOKEN_VARIABLE: &str = "WATERTIGHT_EXPORT_TOKEN";

/// Connections at once: a few scrapers, and a person who looks.
const CONNECTIONS_MAX: usize = 16;

/// How long a client may take to send its request.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// Bytes that a connection may have waiting.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long an accept that failed (no descriptors left) waits before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Makes the page at the moment it is asked for.
type Pages = dyn Fn(Format) -> String + Send + Sync;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address others can reach, and nothing that keeps them out.
    #[error(
        "{address} is reachable from other machines: set {TOKEN_VARIABLE} to a token that scrapers send, or listen on 127.0.0.1"
    )]
    Open {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A token that is empty, or that a header cannot carry.
    #[error("{TOKEN_VARIABLE} must be visible ASCII, at least one character: unset it, or set it to some")]
    Token,
    /// The socket or the thread could not be made.
    #[error("cannot serve metrics on {address}: {source}; choose another address")]
    Start {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Serves `pages` as `/metrics` at `address` until the process ends; gives back where, which is news for port 0.
///
/// # Errors
/// An address that others reach needs a token; the system may refuse the address.
pub fn metrics(
    address: SocketAddr,
    token: Option<String>,
    pages: impl Fn(Format) -> String + Send + Sync + 'static,
) -> Result<SocketAddr, ServeError> {
    check(address, token.as_deref())?;
    let failed = |source| ServeError::Start { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let place = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let scrape = Scrape { token: token.map(Arc::from), pages: Arc::new(pages) };
    let serve = move || {
        // What breaks here breaks the export alone.
        let _ = runtime.block_on(accept(listener, scrape));
    };
    std::thread::Builder::new().name("metrics".to_owned()).spawn(serve).map_err(failed)?;
    Ok(place)
}

fn check(address: SocketAddr, token: Option<&str>) -> Result<(), ServeError> {
    let visible = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    match token {
        None if !address.ip().is_loopback() => Err(ServeError::Open { address }),
        Some(token) if !visible(token) => Err(ServeError::Token),
        _ => Ok(()),
    }
}

async fn accept(listener: TcpListener, scrape: Scrape) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(REQUEST_WITHIN);
        server.keep_alive(false).max_buf_size(BUFFER_BYTES);
        let served = server.serve_connection(TokioIo::new(stream), scrape.clone());
        tokio::spawn(async move {
            // A client that hangs up, or is too slow to read its page, has had its turn.
            let _ = tokio::time::timeout(2 * REQUEST_WITHIN, served).await;
            drop(slot);
        });
    }
}

/// Answers requests.
#[derive(Clone)]
struct Scrape {
    token: Option<Arc<str>>,
    pages: Arc<Pages>,
}

impl Service<Request<Incoming>> for Scrape {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.answer(&request);
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl Scrape {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        if !self.lets_in(header(AUTHORIZATION).unwrap_or_default()) {
            return plain(StatusCode::UNAUTHORIZED, "send the header `Authorization: Bearer TOKEN`\n");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                let format = Format::accepted(header(ACCEPT).unwrap_or_default());
                respond(StatusCode::OK, format.content_type(), (self.pages)(format))
            }
            (_, "/metrics") => plain(StatusCode::METHOD_NOT_ALLOWED, "use GET\n"),
            _ => plain(StatusCode::NOT_FOUND, "there is /metrics\n"),
        }
    }

    fn lets_in(&self, authorization: &str) -> bool {
        let Some(token) = &self.token else { return true };
        let sent = authorization.strip_prefix("Bearer ").unwrap_or_default();
        sent.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", text.to_owned())
}

fn respond(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// The token in the environment.
pub fn token() -> Option<String> {
    std::env::var(TOKEN_VARIABLE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(token: Option<&str>, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let scrape = Scrape { token: token.map(Arc::from), pages: Arc::new(|format| format!("{format:?}")) };
        let request =
            headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        let response = scrape.answer(&request.body(()).expect("a request"));
        let kind = response.headers()[CONTENT_TYPE].to_str().expect("ASCII").to_owned();
        (response.status().as_u16(), kind)
    }

    #[test]
    fn a_scraper_gets_the_format_it_asks_for() {
        let open = Format::OpenMetrics.content_type().to_owned();
        let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
        assert_eq!(asked(None, "GET", "/metrics", &accept), (200, open));
        assert_eq!(asked(None, "GET", "/metrics", &[]), (200, Format::Prometheus.content_type().to_owned()));
        assert_eq!(asked(None, "GET", "/", &[]).0, 404);
        assert_eq!(asked(None, "POST", "/metrics", &[]).0, 405);
    }

    #[test]
    fn a_token_keeps_others_out() {
        for header in [&[][..], &[("authorization", "Bearer wrong!")], &[("authorization", "s3cret")]] {
            assert_eq!(asked(Some("s3cret"), "GET", "/metrics", header).0, 401, "{header:?}");
        }
        assert_eq!(asked(Some("s3cret"), "GET", "/metrics", &[("authorization", "Bearer s3cret")]).0, 200);
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let open: SocketAddr = "0.0.0.0:9464".parse().expect("an address");
        let error = check(open, None).expect_err("nobody is kept out").to_string();
        assert!(error.starts_with("0.0.0.0:9464 is reachable from other machines"), "{error}");
        assert!(check(open, Some("")).is_err());
        assert!(check(open, Some("s3cret")).is_ok());
        assert!(check("[::1]:9464".parse().expect("an address"), None).is_ok());
    }
}
