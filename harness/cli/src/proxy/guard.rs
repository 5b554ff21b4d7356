//! Who may use the control API: whoever has the token; without one, programs of this machine, and no web page.

use std::fmt;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::proxy::problem::Problem;

/// The shortest token: what is shorter can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// What a request must show.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes it over.
    ///
    /// # Errors
    /// It is too short, or could not stand in a header.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < TOKEN_BYTES_MIN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "expected a token of at least {TOKEN_BYTES_MIN} printable characters without spaces, found {}",
                text.len()
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes as long for a wrong token as for the right one.
    fn is(&self, other: &str) -> bool {
        let differs = self.0.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        self.0.len() == other.len() && differs == 0
    }
}

/// Its text stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Lets a request through, or says why not.
pub async fn check(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    match objection(token.as_ref(), request.headers()) {
        None => next.run(request).await,
        Some(problem) => {
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            }
            response
        }
    }
}

fn objection(token: Option<&Token>, headers: &HeaderMap) -> Option<Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(token) = token else {
        // A browser says where a page comes from, and whose name it has looked up.
        if headers.contains_key(header::ORIGIN) || !text(header::HOST).is_some_and(is_loopback) {
            let why = "without a token only programs of this machine are served, at its own address, and no web page";
            return Some(Problem::new(StatusCode::FORBIDDEN, why.to_owned()));
        }
        return None;
    };
    let shown = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if shown.is_some_and(|shown| token.is(shown.trim())) {
        return None;
    }
    let why = "expected `authorization: Bearer TOKEN` with the token of --token-file";
    Some(Problem::new(StatusCode::UNAUTHORIZED, why.to_owned()))
}

/// Whether `host`, as a request names it, is this machine by an address, or `localhost`.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(token: Option<&str>, headers: &[(&'static str, &str)]) -> Option<StatusCode> {
        let token = token.map(|token| Token::new(token).unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        objection(token.as_ref(), &map).map(|problem| problem.into_response().status())
    }

    #[test]
    fn without_a_token_only_this_machine_is_served_and_no_page() {
        for host in ["127.0.0.1:8474", "localhost:8474", "[::1]:8474", "127.9.9.9"] {
            assert_eq!(status(None, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "10.0.0.7:8474", "localhost.evil.example", ""] {
            assert_eq!(status(None, &[("host", host)]), Some(StatusCode::FORBIDDEN), "{host}");
        }
        let page = [("host", "127.0.0.1"), ("origin", "https://evil.example")];
        assert_eq!(status(None, &page), Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn with_a_token_whoever_shows_it_is_served() {
        let token = "0123456789abcdef";
        assert_eq!(status(Some(token), &[("authorization", "Bearer 0123456789abcdef")]), None);
        for wrong in ["Bearer 0123456789abcdeX", "Bearer 0123456789abcde", "Basic 0123456789abcdef", ""] {
            assert_eq!(
                status(Some(token), &[("authorization", wrong)]),
                Some(StatusCode::UNAUTHORIZED),
                "{wrong}"
            );
        }
        assert_eq!(status(Some(token), &[("host", "127.0.0.1")]), Some(StatusCode::UNAUTHORIZED));
        assert!(Token::new("short").is_err() && Token::new("0123456789 abcdef").is_err());
    }
}
