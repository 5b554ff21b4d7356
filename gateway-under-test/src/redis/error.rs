//! Why a connection to Redis ended, or did not come about.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::tls::TlsError;

use super::inbound::VALUE_BYTES_MAX;

/// Why a session ended.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The password's file cannot be read.
    #[error("{}: the password cannot be read: {source}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No TLS with the server.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody took the connection.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// Connecting and being taken in took too long.
    #[error("not taken in within {}", humantime::format_duration(*.0))]
    ConnectTimeout(Duration),
    /// The connection broke.
    #[error("connection broke: {0}")]
    Broke(io::Error),
    /// The server closed the connection.
    #[error("closed by the server")]
    Closed,
    /// What came is no RESP.
    #[error("expected RESP3, found what is none: {0}")]
    Garbage(String),
    /// A value has no end in sight.
    #[error("a value of more than {VALUE_BYTES_MAX} bytes")]
    TooLong,
    /// The server said no.
    #[error("{asked} refused: {answer}{}", advice(asked, answer))]
    Refused {
        /// The command.
        asked: &'static str,
        /// What the server said.
        answer: String,
    },
    /// An answer that does not fit what was asked.
    #[error("expected an answer to {asked}, found {found}")]
    Unexpected {
        /// The command, or `nothing`.
        asked: &'static str,
        /// What came, shortened.
        found: String,
    },
    /// No answer to what was asked.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// The server does not take what is sent.
    #[error("took nothing for {}", humantime::format_duration(*.0))]
    Stuck(Duration),
}

fn advice(asked: &str, answer: &str) -> &'static str {
    match asked {
        "HELLO" if answer.contains("unknown command") => "; RESP3 needs Redis 6 or later",
        "HELLO" => "; see `redis.username` and `redis.password`",
        "SUBSCRIBE" | "SELECT" => "; the user's access rules must allow it",
        _ => "",
    }
}

/// Characters of a peer's text that are repeated in an error.
const SHOWN_MAX: usize = 120;

/// The beginning of a text, in one line.
pub fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_MAX).map(|one| if one.is_control() { ' ' } else { one }).collect()
}
