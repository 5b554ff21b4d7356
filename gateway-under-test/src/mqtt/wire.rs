//! Bytes in and out of one connection, at most one packet at a time: what comes is read only when it is wanted.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder};
use mqtt_protocol_core::mqtt::result_code;
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};

use super::MqttError;
use super::packet::{self, Incoming, RECEIVED_BYTES_MAX};
use crate::config::MqttVersion;
use crate::net::BoxStream;

/// Read at once.
const CHUNK_BYTES: usize = 4096;

/// A connection. Dropping it closes the stream.
pub struct Wire {
    stream: BoxStream,
    version: MqttVersion,
    packets: PacketBuilder,
    /// Whether a packet has begun, and not ended.
    mid_packet: bool,
    chunk: Box<[u8; CHUNK_BYTES]>,
    /// What of the chunk is still to be read.
    unread: Range<usize>,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    flushed: bool,
}

/// What happened on the wire.
#[derive(Debug)]
pub enum Moved {
    /// Something was written; whether more is to be.
    Sent {
        /// Not all is out yet.
        more: bool,
    },
    /// A packet came.
    Received(Incoming),
}

impl Wire {
    /// A connection over `stream`.
    pub fn new(stream: BoxStream, version: MqttVersion) -> Self {
        Self {
            stream,
            version,
            packets: PacketBuilder::with_maximum_packet_size(RECEIVED_BYTES_MAX),
            mid_packet: false,
            chunk: Box::new([0; CHUNK_BYTES]),
            unread: 0..0,
            out: Vec::new(),
            written: 0,
            flushed: true,
        }
    }

    /// Puts a packet behind those that are to be written.
    pub fn put(&mut self, packet: &[u8]) {
        self.out.extend_from_slice(packet);
        self.flushed = false;
    }

    /// How many bytes are to be written.
    pub fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether all that was put is out.
    pub fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Writes what is to be written, and reads a packet if `listening`. Cancel-safe.
    pub async fn next(&mut self, listening: bool) -> Result<Moved, MqttError> {
        poll_fn(|context| self.poll_next(context, listening)).await
    }

    /// Writes all that is to be written.
    pub async fn flush(&mut self) -> Result<(), MqttError> {
        while !self.flushed {
            self.next(false).await?;
        }
        Ok(())
    }

    /// Ends the stream behind what is written.
    pub async fn close(&mut self) -> Result<(), MqttError> {
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }

    fn poll_next(&mut self, context: &mut Context<'_>, listening: bool) -> Poll<Result<Moved, MqttError>> {
        if !self.flushed
            && let Poll::Ready(more) = self.poll_write(context)?
        {
            return Poll::Ready(Ok(Moved::Sent { more }));
        }
        if !listening {
            return Poll::Pending;
        }
        loop {
            if let Some(received) = self.parse()? {
                return Poll::Ready(Ok(Moved::Received(received)));
            }
            ready!(self.poll_read(context))?;
        }
    }

    /// Ready once something has moved; whether there is more.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, MqttError>> {
        if self.waiting() > 0 {
            let bytes = &self.out[self.written..];
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(MqttError::Closed { mid_packet: false }));
            }
            self.written += written;
            if self.waiting() > 0 {
                return Poll::Ready(Ok(true));
            }
            // Whatever was long is freed: a connection at rest holds the same each time.
            (self.out, self.written) = (Vec::new(), 0);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.flushed = true;
        Poll::Ready(Ok(false))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), MqttError>> {
        let mut buffer = ReadBuf::new(&mut self.chunk[..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        self.unread = 0..buffer.filled().len();
        Poll::Ready(match self.unread.is_empty() {
            true => Err(MqttError::Closed { mid_packet: self.mid_packet }),
            false => Ok(()),
        })
    }

    /// The next packet, if it has come as a whole. What comes after it stays unread.
    fn parse(&mut self) -> Result<Option<Incoming>, MqttError> {
        if self.unread.is_empty() {
            return Ok(None);
        }
        let mut cursor = Cursor::new(&self.chunk[self.unread.clone()]);
        let fed = self.packets.feed(&mut cursor);
        // A cursor stays within its slice.
        self.unread.start += cursor.position() as usize;
        self.mid_packet = matches!(fed, PacketBuildResult::Incomplete);
        match fed {
            PacketBuildResult::Complete(raw) => packet::read(self.version, &raw).map(Some),
            PacketBuildResult::Incomplete => Ok(None),
            PacketBuildResult::Error(result_code::MqttError::PacketTooLarge) => {
                Err(MqttError::TooLarge { max: RECEIVED_BYTES_MAX })
            }
            PacketBuildResult::Error(error) => Err(MqttError::Malformed(error)),
        }
    }
}
