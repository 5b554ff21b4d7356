//! From a fresh connection to an agreed one: COTP, then setup communication.

use s7_wire::{Answer, Connection, Message, Pdu, Setup, setup};
use tokio::io::{AsyncRead, AsyncWrite};

use super::config::ClientConfig;
use super::error::{ClientError, Stage};
use super::link::{self, Link};

/// The reference of the one request of the handshake.
const SETUP_REFERENCE: u16 = 0;
const SETUP_ANSWER: &str = "the answer to setup communication";

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Longest PDU, both ways.
    pub pdu_length: u16,
    /// Requests under way.
    pub pipeline: usize,
}

/// Sets up a fresh connection.
pub async fn shake_hands<S>(link: &mut Link<S>, config: &ClientConfig) -> Result<Agreed, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Connection::request(config.calling, config.called).encode_request(link.outbound());
    link.send().await?;
    match link.receive().await? {
        Message::ConnectConfirm(_) => {}
        other => return Err(unexpected(link.stage(), "CC", &other)),
    }
    link.enter(Stage::Setup);
    let wish = config.wish();
    wish.encode_request(link.outbound(), SETUP_REFERENCE);
    link.send().await?;
    match link.receive().await? {
        Message::Pdu(pdu) => agreed(&pdu, wish),
        other => Err(unexpected(link.stage(), SETUP_ANSWER, &other)),
    }
}

/// What the PLC grants, never more than was asked for.
fn agreed(pdu: &Pdu, wish: Setup) -> Result<Agreed, ClientError> {
    if pdu.reference != SETUP_REFERENCE {
        return Err(ClientError::Unmatched { reference: pdu.reference });
    }
    match Answer::decode(pdu)? {
        Answer::Setup(grant) => Ok(Agreed {
            pdu_length: grant.pdu_length.clamp(setup::PDU_LENGTH_MIN, wish.pdu_length),
            pipeline: usize::from(grant.amq_calling.clamp(1, wish.amq_calling)),
        }),
        Answer::Refused(error) => Err(ClientError::SetupRefused(error)),
        Answer::Read(_) | Answer::Write(_) => {
            Err(ClientError::Unexpected { expected: SETUP_ANSWER, found: "another" })
        }
    }
}

/// What a message means that is not the one which has to come.
pub fn unexpected(stage: Stage, expected: &'static str, found: &Message) -> ClientError {
    match found {
        Message::DisconnectRequest(over) => ClientError::Disconnected { stage, reason: over.reason },
        other => ClientError::Unexpected { expected, found: link::name(other) },
    }
}
