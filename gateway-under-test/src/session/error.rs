//! Why a session ended. Every end is typed: back-off, metrics and logs tell them apart.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::client::ClientError;

/// Why a session ended, or never came to be.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The network has no way to the PLC.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// Connecting and handshake took too long together.
    #[error("no session within {}", humantime::format_duration(*.0))]
    ConnectTimeout(Duration),
    /// Its connection was evicted, to give back what it holds.
    #[error("evicted")]
    Evicted,
    /// The connection was refused or is over, or a job was refused on it.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl SessionError {
    /// A word for metrics and health.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::ConnectTimeout(_) => "connect_timeout",
            Self::Evicted => "evicted",
            Self::Client(error) => error.word(),
        }
    }
}
