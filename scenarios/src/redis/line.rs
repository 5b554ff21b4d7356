//! One connection of Redis' protocol over any byte stream, in either role.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use watertight::world::BoxStream;

use super::resp::{self, RespError, Value, Version};

/// How long the other side may take to make room for what is written to it.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Read at once.
const CHUNK_BYTES: usize = 4096;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The stream ended or broke.
    #[error("the stream ended: {0}")]
    Stream(#[from] io::Error),
    /// The other side broke the protocol.
    #[error("the protocol was broken: {0}")]
    Protocol(#[from] RespError),
    /// One of the two took its leave.
    #[error("it was ended in order")]
    Closed,
}

/// A connection. Dropping it closes the stream; nothing of it is left.
pub struct Line {
    stream: BoxStream,
    /// What is written from now on.
    pub version: Version,
    unread: BytesMut,
    unwritten: BytesMut,
}

impl Line {
    /// A connection over `stream`.
    pub fn new(stream: BoxStream) -> Self {
        Self { stream, version: Version::Resp2, unread: BytesMut::new(), unwritten: BytesMut::new() }
    }

    /// Hands over a value to be written by the next [`Line::next`] or [`Line::flush`].
    pub fn send(&mut self, value: &Value) {
        value.write(self.version, &mut self.unwritten);
    }

    /// The next value that came in. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<Value, End> {
        loop {
            self.flush().await?;
            if let Some((value, length)) = resp::parse(&self.unread)? {
                let _parsed = self.unread.split_to(length);
                return Ok(value);
            }
            self.unread.reserve(CHUNK_BYTES);
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(End::Stream(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Writes what was handed over. May be dropped while it waits.
    pub async fn flush(&mut self) -> Result<(), End> {
        while !self.unwritten.is_empty() {
            let written = timeout(WRITE_WITHIN, self.stream.write_buf(&mut self.unwritten)).await;
            if written.map_err(io::Error::from)?? == 0 {
                return Err(End::Stream(io::ErrorKind::WriteZero.into()));
            }
        }
        Ok(())
    }
}
