//! A session's byte stream, cut into messages. Knows no deadlines: its callers have them.

use bytes::BytesMut;
use s7_wire::{Decoder, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::SessionError;
use crate::net::BoxStream;

/// Room made for one read: four of the longest PDUs that S7 negotiates.
const READ_BYTES: usize = 4096;

/// One connection to a PLC, with what is under way in both directions.
pub struct Link {
    stream: BoxStream,
    decoder: Decoder,
    inbound: BytesMut,
    outbound: BytesMut,
}

impl Link {
    /// Takes over a fresh connection.
    pub fn new(stream: BoxStream) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            inbound: BytesMut::with_capacity(READ_BYTES),
            outbound: BytesMut::with_capacity(READ_BYTES),
        }
    }

    /// Where requests are written, to be sent together.
    pub fn outbound(&mut self) -> &mut BytesMut {
        &mut self.outbound
    }

    /// Sends what was written. Dropped half-way, the stream is past saving: end the session.
    pub async fn send(&mut self) -> Result<(), SessionError> {
        self.stream.write_all(&self.outbound).await?;
        self.stream.flush().await?;
        self.outbound.clear();
        Ok(())
    }

    /// The next message. Cancel-safe: a dropped call loses nothing.
    pub async fn receive(&mut self) -> Result<Message, SessionError> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.inbound)? {
                return Ok(message);
            }
            // What the decoder leaves is less than one packet, so this buffer stays small whatever the PLC sends.
            self.inbound.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.inbound).await? == 0 {
                return Err(SessionError::Closed);
            }
        }
    }
}

/// A message's name in errors.
pub const fn name(message: &Message) -> &'static str {
    match message {
        Message::ConnectRequest(_) => "CR",
        Message::ConnectConfirm(_) => "CC",
        Message::DisconnectRequest(_) => "DR",
        Message::DisconnectConfirm => "DC",
        Message::Error { .. } => "ER",
        Message::Pdu(_) => "an S7 PDU",
    }
}
