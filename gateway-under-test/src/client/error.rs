//! Why a connection or a request came to nothing, and what to do about it.

use std::fmt;
use std::io;
use std::time::Duration;

use s7_wire::read::EncodeError;
use s7_wire::{AnswerError, DecodeError, Disconnect, HeaderError, ReturnCode, Tsap};
use thiserror::Error;

use super::config::OnTimeout;
use super::plan::PlanError;

/// How far a connection had come when something happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// CR sent to this TSAP, CC awaited.
    Connect(Tsap),
    /// Setup communication.
    Setup,
    /// Reads and writes.
    Jobs,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(called) => write!(f, "connecting to TSAP {called}"),
            Self::Setup => f.write_str("setup communication"),
            Self::Jobs => f.write_str("reading and writing"),
        }
    }
}

/// What went wrong. [`is_final`](Self::is_final) says whether the connection is over with it.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The handshake did not end before the caller's deadline.
    #[error("{stage}: no answer before the deadline: {}", silence_advice(*stage))]
    HandshakeTimeout {
        /// What was waited for.
        stage: Stage,
    },
    /// The PLC said that there is no connection, or that it is over (DR).
    #[error("{stage}: the PLC ended the connection (DR, reason {reason}): {}", reason_advice(*stage, *reason))]
    Disconnected {
        /// When.
        stage: Stage,
        /// X.224's reason.
        reason: u8,
    },
    /// The PLC closed the stream.
    #[error("{stage}: the PLC closed the connection: {}", closed_advice(*stage))]
    Closed {
        /// When.
        stage: Stage,
    },
    /// The connection was reset (RST).
    #[error("{stage}: the connection was reset: {}", reset_advice(*stage))]
    Reset {
        /// When.
        stage: Stage,
    },
    /// The stream broke in another way.
    #[error("the connection broke: {0}: check the network, then connect again")]
    Io(#[from] io::Error),
    /// The PLC does not agree to setup communication.
    #[error(
        "setup communication refused: {0}: the partner at this TSAP speaks no S7 jobs, check rack and slot"
    )]
    SetupRefused(HeaderError),
    /// What came is not S7.
    #[error("garbage from the PLC: {0}: check that address and port are those of an S7 PLC")]
    Garbage(#[from] DecodeError),
    /// An answer that does not add up.
    #[error("garbage from the PLC: {0}: nothing of it is data, connect again")]
    Answer(#[from] AnswerError),
    /// Well-formed, but not what has to come now.
    #[error("expected {expected}, found {found}: connect again")]
    Unexpected {
        /// What has to come.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// An answer that nobody waits for: a second one, or one of another connection. Never data.
    #[error("an answer with reference {reference} that no request waits for: connect again")]
    Unmatched {
        /// Its PDU reference.
        reference: u16,
    },
    /// The reference of a request, with the answer to another function.
    #[error("reference {reference}: expected the answer to a {expected}, found another: connect again")]
    Function {
        /// Its PDU reference.
        reference: u16,
        /// What was asked.
        expected: &'static str,
    },
    /// An answer with another number of items than the request.
    #[error("reference {reference}: expected {expected} items, found {found}: connect again")]
    ItemCount {
        /// Its PDU reference.
        reference: u16,
        /// Items asked for.
        expected: usize,
        /// Items answered.
        found: usize,
    },
    /// An item of another length than asked for.
    #[error("reference {reference}, item {index}: expected {expected} bytes, found {found}: connect again")]
    ItemLength {
        /// Its PDU reference.
        reference: u16,
        /// The item in its request, from 0.
        index: usize,
        /// Bytes asked for.
        expected: usize,
        /// Bytes answered.
        found: usize,
    },
    /// No answer in time.
    #[error("no answer within {}: {}", humantime::format_duration(*after), overdue_advice(*policy))]
    RequestTimeout {
        /// The limit.
        after: Duration,
        /// What becomes of the connection.
        policy: OnTimeout,
    },
    /// The PLC does not even take the request.
    #[error("the PLC takes no bytes for {}: it hangs or is gone, connect again", humantime::format_duration(*after))]
    SendTimeout {
        /// The limit.
        after: Duration,
    },
    /// Too many answers are overdue on one connection.
    #[error(
        "more than {limit} answers are overdue: the PLC is overloaded, ask less often or wait longer, and connect again"
    )]
    Quarantine {
        /// How many references may be in quarantine.
        limit: usize,
    },
    /// 81 04: the PLC does not have the function, or keeps it from us.
    #[error(
        "function not available (81 04): on an S7-1200 or 1500, permit access with PUT/GET communication \
         in the CPU's protection settings"
    )]
    FunctionUnavailable,
    /// The PLC is protected.
    #[error("access refused: {0}: lower the CPU's protection level, or give the password first")]
    Protected(HeaderError),
    /// 85 00: request or answer would be longer than the negotiated PDU.
    #[error("longer than the negotiated PDU (85 00): ask for fewer items or bytes at once")]
    PduTooLong,
    /// The PLC refuses the job as a whole, for another reason.
    #[error("the PLC refused the job: {0}: check what was asked against the PLC's program")]
    Refused(HeaderError),
    /// The PLC refuses the one item that was asked for.
    #[error(transparent)]
    Item(#[from] ItemRefusal),
    /// No plan reads or writes this.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A request that cannot be written down.
    #[error("cannot ask: {0}")]
    Encode(#[from] EncodeError),
    /// A single request that does not fit a PDU in one of both directions.
    #[error(
        "the request or its answer does not fit the PDU of {pdu_length} bytes: ask for less, or let \
         `read` and `write` divide it"
    )]
    TooLarge {
        /// The negotiated length.
        pdu_length: u16,
    },
    /// As many requests are under way as the PLC grants.
    #[error("{limit} requests are under way, which is all the PLC grants: take an answer first")]
    PipelineFull {
        /// How many may be.
        limit: usize,
    },
    /// Requests are under way that this call would have to settle.
    #[error("{under_way} requests are under way: take their answers, or abandon them first")]
    Busy {
        /// How many.
        under_way: usize,
    },
    /// An answer was waited for, and nothing was asked.
    #[error("no request is under way: ask first")]
    NothingAsked,
    /// The connection had ended before this call.
    #[error("the connection is over since an earlier error ({after}): connect again")]
    Over {
        /// The word of that error.
        after: &'static str,
    },
}

impl ClientError {
    /// Whether the connection is over. After any other error the client can be used as before.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::RequestTimeout { policy, .. } => matches!(policy, OnTimeout::Disconnect),
            Self::FunctionUnavailable | Self::Protected(_) | Self::PduTooLong | Self::Refused(_) => false,
            Self::Item(_) | Self::Plan(_) | Self::Encode(_) | Self::TooLarge { .. } => false,
            Self::PipelineFull { .. } | Self::Busy { .. } | Self::NothingAsked => false,
            _ => true,
        }
    }

    /// A word for metrics and health.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::HandshakeTimeout { .. } => "connect_timeout",
            Self::Disconnected { .. } => "disconnected",
            Self::Closed { .. } => "closed",
            Self::Reset { .. } | Self::Io(_) => "io",
            Self::Garbage(_) | Self::Answer(_) => "garbage",
            Self::Unexpected { .. } | Self::Function { .. } => "unexpected",
            Self::Unmatched { .. } => "unmatched",
            Self::ItemCount { .. } | Self::ItemLength { .. } => "mismatch",
            Self::RequestTimeout { .. } | Self::SendTimeout { .. } => "request_timeout",
            Self::Quarantine { .. } => "quarantine",
            Self::SetupRefused(_) | Self::FunctionUnavailable | Self::Protected(_) => "refused",
            Self::PduTooLong | Self::Refused(_) | Self::Item(_) => "refused",
            Self::Plan(_) | Self::Encode(_) | Self::TooLarge { .. } => "encode",
            Self::PipelineFull { .. } | Self::Busy { .. } | Self::NothingAsked => "misuse",
            Self::Over { .. } => "over",
        }
    }

    /// The refusal of a whole job, by its meaning.
    pub(super) const fn of_job(error: HeaderError) -> Self {
        match (error.class, error.code) {
            (0x81, 0x04) => Self::FunctionUnavailable,
            (0x85, 0x00) => Self::PduTooLong,
            // D2 41: a password is needed; D6 xx: it is wrong, or there is none; 87 xx: access error.
            (0xd2, 0x41) | (0xd6, _) | (0x87, _) => Self::Protected(error),
            _ => Self::Refused(error),
        }
    }

    /// What an error of the stream means.
    pub(super) fn of_stream(error: io::Error, stage: Stage) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match error.kind() {
            ConnectionReset | ConnectionAborted | BrokenPipe => Self::Reset { stage },
            _ => Self::Io(error),
        }
    }
}

/// The code that a PLC gives for one item instead of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the PLC refused the item: {code}: {}", item_advice(self.0), code = self.0)]
pub struct ItemRefusal(pub ReturnCode);

const fn item_advice(code: ReturnCode) -> &'static str {
    match code {
        ReturnCode::Hardware => "look at the CPU's diagnostic buffer",
        ReturnCode::AccessDenied => {
            "the block or the CPU is protected; lower its protection, or read another"
        }
        ReturnCode::InvalidAddress => "compare offset and length with the block's size",
        ReturnCode::TypeUnsupported => "ask for bytes instead",
        ReturnCode::TypeInconsistent => "write as many bytes as the item has",
        ReturnCode::ObjectMissing => {
            "the block does not exist, or has optimised access, which has to be off for S7 communication"
        }
        _ => "look at the CPU's diagnostic buffer",
    }
}

const fn silence_advice(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect(_) => "no S7 PLC is at this address, or it hangs; check address and port",
        Stage::Setup | Stage::Jobs => "the PLC hangs or is overloaded; wait longer, or try again later",
    }
}

const fn reason_advice(stage: Stage, reason: u8) -> &'static str {
    match (stage, reason) {
        (Stage::Connect(_), Disconnect::CONGESTION) => {
            "every connection slot is taken; end another client, or take another connection type"
        }
        (Stage::Connect(_), Disconnect::NOT_ATTACHED | Disconnect::ADDRESS_UNKNOWN) => {
            "nobody is at this TSAP; check rack and slot"
        }
        (Stage::Connect(_), _) => "check rack and slot, and whether a connection slot is free",
        (Stage::Setup | Stage::Jobs, _) => "connect again",
    }
}

const fn closed_advice(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect(_) => "check rack and slot, and whether a connection slot is free",
        Stage::Setup => "the partner at this TSAP speaks no S7 jobs, or is full; check rack and slot",
        Stage::Jobs => "connect again",
    }
}

const fn reset_advice(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect(_) | Stage::Setup => "no connection slot is free, or a firewall forbids it",
        Stage::Jobs => "the PLC restarted, or a firewall lost the connection; connect again",
    }
}

const fn overdue_advice(policy: OnTimeout) -> &'static str {
    match policy {
        OnTimeout::Quarantine => "ask again; if the PLC is only slow, wait longer for it",
        OnTimeout::Disconnect => "the connection is given up; connect again, or wait longer for the PLC",
    }
}

#[cfg(test)]
mod tests {
    use s7_wire::ConnectionType;

    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let connect = Stage::Connect(Tsap::s7(ConnectionType::Op, 0, 2));
        let refused = |reason| ClientError::Disconnected { stage: connect, reason }.to_string();
        assert_eq!(
            refused(1),
            "connecting to TSAP 02.02: the PLC ended the connection (DR, reason 1): every connection slot is taken; \
             end another client, or take another connection type"
        );
        assert!(refused(2).ends_with("nobody is at this TSAP; check rack and slot"));
        let put_get = ClientError::of_job(HeaderError::FUNCTION_UNAVAILABLE).to_string();
        assert!(put_get.contains("permit access with PUT/GET"), "{put_get}");
        assert_eq!(
            ItemRefusal(ReturnCode::AccessDenied).to_string(),
            "the PLC refused the item: access denied (03): the block or the CPU is protected; lower its protection, \
             or read another"
        );
    }

    #[test]
    fn refusals_of_jobs_are_told_apart_and_end_no_connection() {
        let of = |class, code| ClientError::of_job(HeaderError { class, code });
        assert!(matches!(of(0x81, 0x04), ClientError::FunctionUnavailable));
        assert!(matches!(of(0x85, 0x00), ClientError::PduTooLong));
        assert!(matches!(of(0xd6, 0x02), ClientError::Protected(_)));
        assert!(matches!(of(0xd2, 0x41), ClientError::Protected(_)));
        assert!(matches!(of(0x83, 0x00), ClientError::Refused(_)));
        assert!([of(0x81, 4), of(0x85, 0), of(0xd6, 2), of(0x83, 0)].iter().all(|error| !error.is_final()));
    }

    #[test]
    fn an_overdue_answer_ends_the_connection_only_where_that_is_the_policy() {
        let overdue = |policy| ClientError::RequestTimeout { after: Duration::from_secs(2), policy };
        assert!(!overdue(OnTimeout::Quarantine).is_final());
        assert!(overdue(OnTimeout::Disconnect).is_final());
        assert_eq!(
            overdue(OnTimeout::Quarantine).to_string(),
            "no answer within 2s: ask again; if the PLC is only slow, wait longer for it"
        );
    }
}
