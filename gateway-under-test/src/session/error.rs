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
    /// It was ended so that what it holds is given back: by the guardian, or by whoever wants it anew.
    #[error("ended from outside, to give back what it held")]
    Evicted,
    /// The connection was refused or is over, or a job was refused on it.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl SessionError {
    /// Whether the PLC did not answer, or read, in its time.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Client(ClientError::RequestTimeout { .. } | ClientError::SendTimeout { .. }))
    }

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
