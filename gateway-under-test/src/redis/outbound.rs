//! What goes to the server: commands, packed by the library, within a bound.

use std::io;

use ::redis::Cmd;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

/// With so many bytes unwritten no more are added; the last message may stand out.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// The bytes that wait for one connection.
pub struct Outbound<W> {
    writer: W,
    /// Gives its memory back whenever all is written: at rest it holds nothing.
    bytes: Vec<u8>,
    written: usize,
    moved: Instant,
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    /// Nothing waits yet.
    pub fn new(writer: W) -> Self {
        Self { writer, bytes: Vec::new(), written: 0, moved: Instant::now() }
    }

    /// Adds a command.
    pub fn add(&mut self, command: &Cmd) {
        if self.bytes.is_empty() {
            self.moved = Instant::now();
        }
        command.write_packed_command(&mut self.bytes);
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.bytes.len() < WAITING_BYTES_MAX
    }

    /// Whether bytes wait.
    pub fn waits(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// When the server last took bytes, or when the first began to wait.
    pub fn moved(&self) -> Instant {
        self.moved
    }

    /// Writes what the server takes now. Cancel-safe.
    pub async fn write(&mut self) -> io::Result<()> {
        let taken = self.writer.write(&self.bytes[self.written..]).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += taken;
        self.moved = Instant::now();
        if self.written == self.bytes.len() {
            self.bytes = Vec::new();
            self.written = 0;
        }
        Ok(())
    }
}
