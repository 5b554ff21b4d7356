//! From a fresh connection to an agreed one: COTP, then setup communication.

use s7_wire::{Answer, Connection, ConnectionType, Message, Pdu, Setup, Tsap, setup};

use super::SessionError;
use super::link::{self, Link};
use crate::config::StationConfig;

/// Who we say we are; a PLC looks at the called TSAP only.
const CALLING: Tsap = Tsap::two(0x01, 0x00);
/// The reference of the one request of the handshake.
const SETUP_REFERENCE: u16 = 0;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Longest PDU, both ways.
    pub pdu_length: u16,
    /// Requests in flight.
    pub pipeline: usize,
}

/// Sets up the session on a fresh connection.
pub async fn shake_hands(link: &mut Link, config: &StationConfig) -> Result<Agreed, SessionError> {
    // A gateway observes like an operator panel, and so leaves the programming device's slots alone.
    let called = Tsap::s7(ConnectionType::Op, config.rack, config.slot);
    Connection::request(CALLING, called).encode_request(link.outbound());
    link.send().await?;
    match link.receive().await? {
        Message::ConnectConfirm(_) => {}
        Message::DisconnectRequest(refused) => {
            return Err(SessionError::Disconnected { reason: refused.reason });
        }
        other => return Err(unexpected("CC", &other)),
    }
    let wish =
        Setup { amq_calling: config.pipeline, amq_called: config.pipeline, pdu_length: config.pdu_length };
    wish.encode_request(link.outbound(), SETUP_REFERENCE);
    link.send().await?;
    match link.receive().await? {
        Message::Pdu(pdu) => agreed(&pdu, wish),
        Message::DisconnectRequest(refused) => Err(SessionError::Disconnected { reason: refused.reason }),
        other => Err(unexpected("the answer to setup communication", &other)),
    }
}

/// What the PLC grants, never more than was asked for.
fn agreed(pdu: &Pdu, wish: Setup) -> Result<Agreed, SessionError> {
    if pdu.reference != SETUP_REFERENCE {
        return Err(SessionError::Unmatched { reference: pdu.reference });
    }
    match Answer::decode(pdu)? {
        Answer::Setup(grant) => Ok(Agreed {
            pdu_length: grant.pdu_length.clamp(setup::PDU_LENGTH_MIN, wish.pdu_length),
            pipeline: usize::from(grant.amq_calling.clamp(1, wish.amq_calling)),
        }),
        Answer::Refused(error) => Err(SessionError::Refused(error)),
        Answer::Read(_) | Answer::Write(_) => {
            Err(SessionError::Unexpected { expected: "the answer to setup communication", found: "another" })
        }
    }
}

fn unexpected(expected: &'static str, found: &Message) -> SessionError {
    SessionError::Unexpected { expected, found: link::name(found) }
}
