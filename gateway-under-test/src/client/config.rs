//! What a client asks for, and what it does when an answer does not come.

use std::time::Duration;

use s7_wire::setup::{PDU_LENGTH_MAX, PDU_LENGTH_MIN};
use s7_wire::{ConnectionType, Setup, Tsap};

/// Requests under way at once on one connection, whatever is configured and granted.
pub const PIPELINE_MAX: u16 = 16;

/// The longest wait for an answer: who waits longer has forgotten what was asked.
pub const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Who we say we are; a PLC looks at the called TSAP only.
const CALLING: Tsap = Tsap::two(0x01, 0x00);

/// The settings of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientConfig {
    /// Who calls.
    pub calling: Tsap,
    /// Who is called: connection type, rack and slot.
    pub called: Tsap,
    /// The PDU length asked for, within 240..=960; the PLC may grant less.
    pub pdu_length: u16,
    /// Requests under way asked for (AmQ), within 1..=[`PIPELINE_MAX`]; the PLC may grant fewer.
    pub pipeline: u16,
    /// From asking to the answer, at most [`REQUEST_TIMEOUT_MAX`].
    pub request_timeout: Duration,
    /// What happens when that time is over.
    pub on_timeout: OnTimeout,
    /// The PDU reference of the first request; those that follow lie far apart, so that no PLC that miscounts hits a neighbour's.
    pub first_reference: u16,
}

/// What becomes of a connection on which an answer is overdue. Either way a late answer is never data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// The connection goes on; the reference is not used again until its late answer came, which is dropped.
    ///
    /// The request no longer counts as under way, although the PLC may still work on it.
    Quarantine,
    /// The connection is over.
    Disconnect,
}

impl ClientConfig {
    /// Settings for the CPU in `rack` and `slot`: PDU 480, AmQ 8, two seconds for an answer, then quarantine.
    pub const fn new(connection: ConnectionType, rack: u8, slot: u8) -> Self {
        Self {
            calling: CALLING,
            called: Tsap::s7(connection, rack, slot),
            pdu_length: 480,
            pipeline: 8,
            request_timeout: Duration::from_secs(2),
            on_timeout: OnTimeout::Quarantine,
            first_reference: 1,
        }
    }

    /// What is asked for in setup communication; settings out of bounds are brought within.
    pub(super) fn wish(&self) -> Setup {
        let pipeline = self.pipeline.clamp(1, PIPELINE_MAX);
        let pdu_length = self.pdu_length.clamp(PDU_LENGTH_MIN, PDU_LENGTH_MAX);
        Setup { amq_calling: pipeline, amq_called: pipeline, pdu_length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_stays_within_what_s7_negotiates() {
        let config = ClientConfig::new(ConnectionType::Pg, 0, 1);
        let wish = |pdu_length, pipeline| ClientConfig { pdu_length, pipeline, ..config }.wish();
        assert_eq!(wish(0, 0), Setup { amq_calling: 1, amq_called: 1, pdu_length: 240 });
        assert_eq!(wish(u16::MAX, u16::MAX), Setup { amq_calling: 16, amq_called: 16, pdu_length: 960 });
    }
}
