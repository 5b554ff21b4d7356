//! Why a session ended. Every end is typed: back-off, metrics and logs tell them apart.

use std::io;
use std::time::Duration;

use s7_wire::read::{EncodeError, ItemError};
use s7_wire::{AnswerError, DecodeError, HeaderError};
use thiserror::Error;

/// Why a session ended, or never came to be.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The network has no way to the PLC.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// Connecting and handshake took too long together.
    #[error("no session within {}", humantime::format_duration(*.0))]
    ConnectTimeout(Duration),
    /// The PLC has no slot for us, or nobody behind rack and slot.
    #[error("the PLC refused or ended the connection (DR, reason {reason})")]
    Disconnected {
        /// X.224's reason.
        reason: u8,
    },
    /// The stream broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The PLC closed the stream.
    #[error("the PLC closed the connection")]
    Closed,
    /// What came is not S7.
    #[error("garbage from the PLC: {0}")]
    Garbage(#[from] DecodeError),
    /// An answer that does not add up.
    #[error("garbage from the PLC: {0}")]
    Answer(#[from] AnswerError),
    /// Well-formed, but not what has to come now.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What has to come.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// An answer that nobody waits for: a late one, or one of another session. Never data.
    #[error("an answer with reference {reference} that no request waits for")]
    Unmatched {
        /// Its PDU reference.
        reference: u16,
    },
    /// An answer with another number of items than the request.
    #[error("reference {reference}: expected {expected} items, found {found}")]
    ItemCount {
        /// Its PDU reference.
        reference: u16,
        /// Items asked for.
        expected: usize,
        /// Items answered.
        found: usize,
    },
    /// An item of another length than asked for.
    #[error(transparent)]
    Item(ItemError),
    /// The PLC refuses the job as a whole.
    #[error("the PLC refused the job: {0}")]
    Refused(HeaderError),
    /// No answer in time.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    RequestTimeout(Duration),
    /// A request that cannot be written down; our own mistake.
    #[error("cannot ask: {0}")]
    Encode(#[from] EncodeError),
}

impl SessionError {
    /// A word for metrics and health.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::ConnectTimeout(_) => "connect_timeout",
            Self::Disconnected { .. } => "disconnected",
            Self::Io(_) => "io",
            Self::Closed => "closed",
            Self::Garbage(_) | Self::Answer(_) => "garbage",
            Self::Unexpected { .. } => "unexpected",
            Self::Unmatched { .. } => "unmatched",
            Self::ItemCount { .. } | Self::Item(_) => "mismatch",
            Self::Refused(_) => "refused",
            Self::RequestTimeout(_) => "request_timeout",
            Self::Encode(_) => "encode",
        }
    }
}
