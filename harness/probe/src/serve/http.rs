//! As much of HTTP/1.1 as one bounded request and its answer need. Bodies of requests are not read.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::time::Instant;

/// A request must be here whole within this, and its answer be taken off within as much.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// Bytes of request line and headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers in a request.
const HEADERS_MAX: usize = 32;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// What follows `Authorization: Bearer `.
    pub(super) bearer: Option<String>,
}

impl Request {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A status and a body of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    /// An answer that says what was wrong.
    pub(super) fn refusal(status: u16, why: &str) -> Self {
        Self { status, body: serde_json::json!({ "error": why }).to_string() }
    }
}

/// Reads one request, or says why not.
pub(super) fn read(stream: &mut TcpStream) -> Result<Request, Answer> {
    let deadline = Instant::now() + DEADLINE;
    let mut head = Vec::with_capacity(1024);
    let mut chunk = [0; 1024];
    loop {
        if let Some(request) = parse(&head)? {
            return Ok(request);
        }
        if head.len() >= HEAD_BYTES_MAX {
            return Err(Answer::refusal(431, "the request's head is longer than 16 KiB"));
        }
        let too_late = || Answer::refusal(408, "the request was not here whole within 2 s");
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Err(too_late());
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Err(Answer::refusal(400, "the request ends in its head")),
            Ok(bytes) => head.extend_from_slice(&chunk[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(too_late()),
        }
    }
}

/// Writes an answer and ends the connection.
pub(super) fn write(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let reason = reason(answer.status);
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.body.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// `None`: the head is not whole yet.
fn parse(head: &[u8]) -> Result<Option<Request>, Answer> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Answer::refusal(431, "the request has more than 32 headers"));
        }
        Err(error) => return Err(Answer::refusal(400, &format!("not HTTP/1.1: {error}"))),
    }
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    if header("origin").is_some() {
        return Err(Answer::refusal(403, "web pages may not ask: the request carries an Origin"));
    }
    // A name could be rebound by a web page's owner to this address; a number cannot.
    if header("host").is_some_and(|host| !is_numeric(host)) {
        return Err(Answer::refusal(403, "address the probe by number or as localhost"));
    }
    if header("content-length").is_some_and(|length| length != "0") || header("transfer-encoding").is_some() {
        return Err(Answer::refusal(413, "no request takes a body"));
    }
    let (path, query) = split_target(parsed.path.unwrap_or("/"));
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path,
        query,
        bearer: header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
    }))
}

fn is_numeric(host: &str) -> bool {
    host.parse::<SocketAddr>().is_ok()
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || host.split(':').next() == Some("localhost")
}

/// Values are numbers, lists of numbers and plain names, so nothing is percent-decoded.
fn split_target(target: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    };
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    (path.to_owned(), query)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(head: &str) -> u16 {
        parse(head.as_bytes()).expect_err("it is refused").status
    }

    #[test]
    fn a_request_is_parsed_with_query_and_token() {
        let head =
            "GET /stacks?ids=1,2&x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nauthorization: Bearer s3cret\r\n\r\n";
        let request = parse(head.as_bytes()).expect("it is fine").expect("it is whole");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/stacks"));
        assert_eq!((request.parameter("ids"), request.parameter("x")), (Some("1,2"), Some("")));
        assert_eq!(request.bearer.as_deref(), Some("s3cret"));
    }

    #[test]
    fn half_a_head_asks_for_more() {
        assert_eq!(parse(b"GET /snapshot HTTP/1.1\r\nHost: 127"), Ok(None));
    }

    #[test]
    fn web_pages_bodies_and_other_protocols_are_refused() {
        assert_eq!(status_of("POST /trim HTTP/1.1\r\nOrigin: http://evil.example\r\n\r\n"), 403);
        assert_eq!(status_of("GET /snapshot HTTP/1.1\r\nHost: rebound.example\r\n\r\n"), 403);
        assert_eq!(status_of("POST /trim HTTP/1.1\r\nContent-Length: 9\r\n\r\n"), 413);
        assert_eq!(status_of("\x03\0\0\x16\x11\r\n\r\n"), 400);
    }

    #[test]
    fn numbers_and_localhost_are_numeric_hosts() {
        assert!(
            ["127.0.0.1", "127.0.0.1:80", "[::1]:80", "[::1]", "localhost:80"].into_iter().all(is_numeric)
        );
        assert!(!["example.org", "127.0.0.1.example.org:80", ""].into_iter().any(is_numeric));
    }
}
