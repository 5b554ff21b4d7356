//! The decoder: a growing buffer in, messages out, however TCP or COTP cut them.

use bytes::{Buf, BytesMut};
use thiserror::Error;

use crate::cotp::{Connection, CotpError, Disconnect, Tpdu};
use crate::pdu::{Pdu, PduError};
use crate::tpkt::{self, TpktError};

/// Longest user data that is put together from fragments: far above every PDU that S7 negotiates (960), far below what
/// a hostile peer could make of "any number of fragments".
pub const ASSEMBLED_BYTES_MAX: usize = 8192;

/// What a connection carries, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// CR: a client asks for a connection.
    ConnectRequest(Connection),
    /// CC: a server grants it.
    ConnectConfirm(Connection),
    /// DR: refused, or over.
    DisconnectRequest(Disconnect),
    /// DC: the answer to a DR.
    DisconnectConfirm,
    /// ER: the peer could not read what it got.
    Error {
        /// X.224's reject cause.
        cause: u8,
    },
    /// A whole S7 PDU.
    Pdu(Pdu),
}

/// Why a stream cannot be followed any further: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// In the packet's first bytes.
    #[error(transparent)]
    Tpkt(#[from] TpktError),
    /// In the TPDU.
    #[error(transparent)]
    Cotp(#[from] CotpError),
    /// In the S7 header.
    #[error(transparent)]
    Pdu(#[from] PduError),
    /// More fragments than anyone needs.
    #[error("COTP: fragments add up to {found} bytes, at most {ASSEMBLED_BYTES_MAX} are put together")]
    Assembled {
        /// What they would be together.
        found: usize,
    },
    /// CR, CC, DR, DC or ER between the fragments of one PDU.
    #[error("COTP: expected the next fragment, found another TPDU")]
    Interrupted,
}

/// Cuts a byte stream into messages; one for each connection and direction.
///
/// Read into the buffer, then call [`decode`](Self::decode) until it says `None`. Then the buffer holds less than one packet
/// (at most [`tpkt::LENGTH_MAX`] bytes), and the decoder at most [`ASSEMBLED_BYTES_MAX`]: these bounds hold whatever a
/// peer sends. A PDU in one DT is a slice of the buffer, not a copy. After an error nothing more can be decoded: every
/// further call gives the same error.
///
/// ```
/// use bytes::BytesMut;
/// use s7_wire::{Decoder, Message, Setup};
///
/// let mut buffer = BytesMut::new();
/// Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(&mut buffer, 1);
/// let rest = buffer.split_off(10);
///
/// let mut decoder = Decoder::new();
/// assert_eq!(decoder.decode(&mut buffer), Ok(None));
/// buffer.unsplit(rest);
/// assert!(matches!(decoder.decode(&mut buffer), Ok(Some(Message::Pdu(pdu))) if pdu.reference == 1));
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    assembled: BytesMut,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next message off `buffer`; `None` means: read more.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let decoded = self.decode_next(buffer);
        if let Err(error) = decoded {
            self.failed = Some(error);
            self.assembled = BytesMut::new();
        }
        decoded
    }

    /// Bytes of fragments that wait for their EOT.
    pub fn assembled_bytes(&self) -> usize {
        self.assembled.len()
    }

    fn decode_next(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        while let Some(length) = tpkt::packet_length(buffer)? {
            if buffer.len() < length {
                break;
            }
            let mut packet = buffer.split_to(length);
            packet.advance(tpkt::HEADER_BYTES);
            if let Some(message) = self.accept(Tpdu::decode(packet.freeze())?)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Takes one TPDU; `None` when it completes nothing.
    fn accept(&mut self, tpdu: Tpdu) -> Result<Option<Message>, DecodeError> {
        if let Tpdu::Data { eot, payload } = tpdu {
            return self.accept_data(eot, payload);
        }
        if !self.assembled.is_empty() {
            return Err(DecodeError::Interrupted);
        }
        Ok(Some(match tpdu {
            Tpdu::ConnectRequest(connection) => Message::ConnectRequest(connection),
            Tpdu::ConnectConfirm(connection) => Message::ConnectConfirm(connection),
            Tpdu::DisconnectRequest(disconnect) => Message::DisconnectRequest(disconnect),
            Tpdu::DisconnectConfirm => Message::DisconnectConfirm,
            Tpdu::Error { cause } => Message::Error { cause },
            Tpdu::Data { .. } => unreachable!("data was taken above"),
        }))
    }

    fn accept_data(&mut self, eot: bool, payload: bytes::Bytes) -> Result<Option<Message>, DecodeError> {
        let found = self.assembled.len() + payload.len();
        if found > ASSEMBLED_BYTES_MAX {
            return Err(DecodeError::Assembled { found });
        }
        if eot && self.assembled.is_empty() {
            // The common case, one DT: a slice, not a copy. An empty one is a "fast ack" and carries nothing.
            return if payload.is_empty() { Ok(None) } else { Ok(Some(Message::Pdu(Pdu::decode(payload)?))) };
        }
        self.assembled.extend_from_slice(&payload);
        if !eot {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.assembled).freeze();
        Ok(Some(Message::Pdu(Pdu::decode(whole)?)))
    }
}
