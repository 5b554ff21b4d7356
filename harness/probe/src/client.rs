//! The harness's side of the endpoint: blocking, bounded in time and size.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::Tenant;
use crate::fds::Fd;
use crate::snapshot::{Sites, Snapshot, Stacks};
use crate::tasks::{TaskDump, TaskInfo};

/// Bytes of an answer: 64 Ki sites of some 100 bytes, with room.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Headers in an answer.
const HEADERS_MAX: usize = 16;

/// Asks the endpoint at one address. Each call is one connection.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    within: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answered, or not in time.
    Io {
        /// What was asked.
        request: String,
        /// Whom.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The endpoint said no.
    Refused {
        /// What was asked.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        why: String,
    },
    /// Not what this version of the endpoint answers.
    Unreadable {
        /// What was asked.
        request: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { request, address, source } => write!(f, "probe at {address}: {request}: {source}"),
            Self::Refused { request, status, why } => {
                write!(f, "the probe refused {request}: {status}, {why}")
            }
            Self::Unreadable { request, why } => write!(f, "the probe's answer to {request}: {why}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// For the endpoint at `address`, waiting up to 5 s for each answer.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, token: None, within: Duration::from_secs(5) }
    }

    /// Sends `Authorization: Bearer token`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Waits up to `within` for each answer.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// What the process holds.
    pub fn snapshot(&self) -> Result<Snapshot, ClientError> {
        self.ask("GET", "/snapshot")
    }

    /// Counts of the sites with at least `min_blocks` live blocks.
    pub fn sites(&self, min_blocks: u64) -> Result<Sites, ClientError> {
        self.ask("GET", &format!("/sites?min_blocks={min_blocks}"))
    }

    /// Call stacks of 1 to 1000 sites. The first call takes tenths of a second.
    pub fn stacks(&self, ids: &[u32]) -> Result<Stacks, ClientError> {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        self.ask("GET", &format!("/stacks?ids={}", ids.join(",")))
    }

    /// Live tasks.
    pub fn tasks(&self) -> Result<Vec<TaskInfo>, ClientError> {
        self.ask("GET", "/tasks")
    }

    /// Open file descriptors, the endpoint's own two among them.
    pub fn fds(&self) -> Result<Vec<Fd>, ClientError> {
        self.ask("GET", "/fds")
    }

    /// Where each task waits; the runtime stops for it, at most for `within`.
    pub fn dump(&self, within: Duration) -> Result<Vec<TaskDump>, ClientError> {
        let patient = self.clone().within(self.within + within);
        patient.ask("POST", &format!("/dump?within_ms={}", within.as_millis().max(1)))
    }

    /// Has free memory given back; whether some was.
    pub fn trim(&self) -> Result<bool, ClientError> {
        self.ask("POST", "/trim")
    }

    /// Has it hold a [`crate::Canary`], or let go of the one that it holds.
    pub fn canary(&self, hold: bool) -> Result<(), ClientError> {
        self.ask::<bool>("POST", &format!("/canary?hold={}", u8::from(hold))).map(drop)
    }

    /// Plants one block of `bytes`, and so many tasks and fds.
    pub fn plant(&self, bytes: usize, tasks: usize, fds: usize) -> Result<(), ClientError> {
        self.plant_for(None, bytes, tasks, fds)
    }

    /// As [`Client::plant`], on behalf of the tenant called `name`: one that the process has, or a new one.
    ///
    /// The name stands in the request as it is: letters, digits, `-`, `_` and `.`.
    pub fn plant_for(
        &self,
        name: Option<&str>,
        bytes: usize,
        tasks: usize,
        fds: usize,
    ) -> Result<(), ClientError> {
        let tenant = name.map_or_else(String::new, |name| format!("&tenant={name}"));
        let target = format!("/plant?heap={bytes}&task={tasks}&fd={fds}{tenant}");
        self.ask::<(usize, usize, usize)>("POST", &target).map(drop)
    }

    fn ask<T: DeserializeOwned>(&self, method: &str, target: &str) -> Result<T, ClientError> {
        let request = format!("{method} {target}");
        let answer = match self.exchange(&request) {
            Ok(answer) => answer,
            Err(source) => return Err(ClientError::Io { request, address: self.address, source }),
        };
        match body(&answer) {
            Ok((200, body)) => serde_json::from_slice(body)
                .map_err(|error| ClientError::Unreadable { request, why: error.to_string() }),
            Ok((status, body)) => Err(ClientError::Refused { request, status, why: reason(body) }),
            Err(why) => Err(ClientError::Unreadable { request, why }),
        }
    }

    fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        // The buffers are the probe's; what is read from them will be the caller's.
        let _probe = Tenant::PROBE.enter();
        let deadline = Instant::now() + self.within;
        let mut stream = TcpStream::connect_timeout(&self.address, self.within)?;
        stream.set_write_timeout(Some(self.within))?;
        let token = self
            .token
            .as_ref()
            .map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let head =
            format!("{request} HTTP/1.1\r\nhost: {}\r\n{token}connection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut chunk)? {
                0 => return Ok(answer),
                bytes => answer.extend_from_slice(&chunk[..bytes]),
            }
            if answer.len() as u64 > ANSWER_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is longer than 64 MiB"));
            }
        }
    }
}

/// Status and body of a whole answer.
fn body(answer: &[u8]) -> Result<(u16, &[u8]), String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let start = match parsed.parse(answer) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Err("the connection ended within its head".to_owned()),
        Err(error) => return Err(format!("not HTTP: {error}")),
    };
    let length = parsed
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let body = &answer[start..];
    match length {
        Some(length) if length != body.len() => {
            Err(format!("cut short: {} of {length} bytes came", body.len()))
        }
        _ => Ok((parsed.code.unwrap_or_default(), body)),
    }
}

/// The endpoint's words, or the body as it is.
fn reason(body: &[u8]) -> String {
    let error = serde_json::from_slice::<serde_json::Value>(body).ok();
    let words = error.as_ref().and_then(|error| error.get("error")?.as_str());
    words.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_short_is_not_read() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1,2";
        assert_eq!(body(answer), Err("cut short: 4 of 9 bytes came".to_owned()));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n"), Err("the connection ended within its head".to_owned()));
    }
}
