//! A connection's byte stream, cut into messages. Knows no deadlines: its callers have them.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use s7_wire::{DecodeError, Decoder, Message, tpkt};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::error::{ClientError, Stage};

/// Room made for one read: four of the longest PDUs that S7 negotiates.
const READ_BYTES: usize = 4096;

/// One connection to a PLC, with what is under way in both directions.
#[derive(Debug)]
pub struct Link<S> {
    stream: S,
    stage: Stage,
    decoder: Decoder,
    inbound: BytesMut,
    outbound: BytesMut,
    /// How much of `outbound` the stream has taken.
    taken: usize,
    /// Where in the stream `outbound` begins.
    base: u64,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes over a fresh connection.
    pub fn new(stream: S, stage: Stage) -> Self {
        Self {
            stream,
            stage,
            decoder: Decoder::new(),
            inbound: BytesMut::with_capacity(READ_BYTES),
            outbound: BytesMut::with_capacity(READ_BYTES),
            taken: 0,
            base: 0,
            unflushed: false,
        }
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Notes how far the connection has come.
    pub fn enter(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// Where requests are written, to be sent together.
    pub fn outbound(&mut self) -> &mut BytesMut {
        &mut self.outbound
    }

    /// Where in the stream the next request begins.
    pub fn end(&self) -> u64 {
        self.base + self.outbound.len() as u64
    }

    /// How much of the stream has gone out.
    pub fn sent(&self) -> u64 {
        self.base + self.taken as u64
    }

    /// Takes back what was written from `position` on, none of which has gone out.
    pub fn take_back(&mut self, position: u64) {
        debug_assert!(position >= self.sent(), "what has gone out cannot be taken back");
        self.outbound.truncate((position - self.base) as usize);
    }

    /// Whether something waits to be sent.
    pub fn is_unsent(&self) -> bool {
        self.unflushed || self.taken < self.outbound.len()
    }

    /// Sends what was written. Cancel-safe: a later call goes on where a dropped one stood.
    pub async fn send(&mut self) -> Result<(), ClientError> {
        self.send_all().await.map_err(|error| ClientError::of_stream(error, self.stage))
    }

    async fn send_all(&mut self) -> io::Result<()> {
        while self.taken < self.outbound.len() {
            match self.stream.write(&self.outbound[self.taken..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.taken += written,
            }
            self.unflushed = true;
        }
        if self.unflushed {
            self.stream.flush().await?;
            self.unflushed = false;
        }
        self.base = self.end();
        self.outbound.clear();
        self.taken = 0;
        Ok(())
    }

    /// The next message of what has come already.
    ///
    /// What has come behind it must begin as a packet does. Else the stream is out of step: the message's length was a lie, and its last
    /// bytes may be another's first.
    pub fn decode(&mut self) -> Result<Option<Message>, DecodeError> {
        let message = self.decoder.decode(&mut self.inbound)?;
        if message.is_some() {
            tpkt::packet_length(&self.inbound)?;
        }
        Ok(message)
    }

    /// The next message; sends what was written meanwhile, so that two full buffers never wait for each other. Cancel-safe:
    /// a dropped call loses nothing.
    pub async fn receive(&mut self) -> Result<Message, ClientError> {
        loop {
            if let Some(message) = self.decode()? {
                return Ok(message);
            }
            // What the decoder leaves is less than one packet, so this buffer stays small whatever the PLC sends.
            self.inbound.reserve(READ_BYTES);
            match poll_fn(|context| self.poll_exchange(context)).await {
                Ok(0) => return Err(ClientError::Closed { stage: self.stage }),
                Ok(_) => {}
                Err(error) => return Err(ClientError::of_stream(error, self.stage)),
            }
        }
    }

    /// Sends what can be sent, reads what can be read. Both futures are cancel-safe, so one of each for a poll will do.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_unsent()
            && let Poll::Ready(Err(error)) = pin!(self.send_all()).poll(context)
        {
            return Poll::Ready(Err(error));
        }
        pin!(self.stream.read_buf(&mut self.inbound)).poll(context)
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

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio_test::task::spawn;
    use tokio_test::{assert_pending, assert_ready_ok};

    use super::*;

    #[tokio::test]
    async fn a_send_that_was_dropped_goes_on_where_it_stood() {
        let (ours, mut theirs) = duplex(4);
        let mut link = Link::new(ours, Stage::Jobs);
        link.outbound().extend_from_slice(b"abcdef");
        assert_pending!(spawn(link.send()).poll());
        assert_eq!((link.sent(), link.end()), (4, 6));
        let mut four = [0; 4];
        theirs.read_exact(&mut four).await.expect("four bytes were sent");
        assert_ready_ok!(spawn(link.send()).poll());
        let mut two = [0; 2];
        theirs.read_exact(&mut two).await.expect("two more");
        assert_eq!((&four, &two), (b"abcd", b"ef"));
        assert_eq!((link.sent(), link.end(), link.is_unsent()), (6, 6, false));
    }

    #[test]
    fn what_has_not_gone_out_can_be_taken_back() {
        let (ours, _theirs) = duplex(4);
        let mut link = Link::new(ours, Stage::Jobs);
        link.outbound().extend_from_slice(b"ab");
        let second = link.end();
        link.outbound().extend_from_slice(b"cd");
        link.take_back(second);
        assert_eq!(&link.outbound()[..], b"ab");
    }
}
