//! What comes from the server: bytes in, one RESP3 value after the other out.
//!
//! The parser is the library's, fed line by line: every value ends with a line, so nothing of the next one is ever in the
//! parser, the length of each is known, and between two values there need be no parser at all. The library's connections
//! are not used: they queue messages without a bound, one of them in a task that it spawns, and take values of any length.

use std::io::{self, Read};

use ::redis::{Parser, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::{SessionError, shortened};

/// A value longer than this ends the session; a command has at most 1 KiB, the greeting of a server full of modules a few.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Bytes read at once.
const CHUNK_BYTES: usize = 4 * 1024;

/// The values of one connection.
pub struct Inbound<R> {
    reader: R,
    chunk: Box<[u8]>,
    /// What of the chunk was read and not parsed yet.
    start: usize,
    end: usize,
    /// There while a value is not whole.
    parser: Option<Parser>,
    /// Bytes of that value so far.
    fed: usize,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    /// The values that `reader` gives.
    pub fn new(reader: R) -> Self {
        let chunk = vec![0; CHUNK_BYTES].into_boxed_slice();
        Self { reader, chunk, start: 0, end: 0, parser: None, fed: 0 }
    }

    /// The next value. Cancel-safe.
    pub async fn next(&mut self) -> Result<Value, SessionError> {
        loop {
            if let Some(value) = self.parse()? {
                return Ok(value);
            }
            let read = self.reader.read(&mut self.chunk).await.map_err(SessionError::Broke)?;
            if read == 0 {
                return Err(SessionError::Closed);
            }
            (self.start, self.end) = (0, read);
        }
    }

    fn parse(&mut self) -> Result<Option<Value>, SessionError> {
        while self.start < self.end {
            let value = self.parse_line()?;
            if value.is_some() {
                self.fed = 0;
                self.parser = None;
                return Ok(value);
            }
        }
        Ok(None)
    }

    /// Gives the parser one more line, or what is there of it.
    fn parse_line(&mut self) -> Result<Option<Value>, SessionError> {
        let rest = &self.chunk[self.start..self.end];
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        if self.fed + line > VALUE_BYTES_MAX {
            return Err(SessionError::TooLong);
        }
        let mut feed = Feed { line: &rest[..line], dry: false };
        let parsed = self.parser.get_or_insert_with(Parser::new).parse_value(&mut feed);
        self.start += line;
        self.fed += line;
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(_) if feed.dry => Ok(None),
            Err(error) => Err(SessionError::Garbage(shortened(&error.to_string()))),
        }
    }
}

/// A line, and then: would block.
struct Feed<'a> {
    line: &'a [u8],
    dry: bool,
}

impl Read for Feed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.line.is_empty() {
            self.dry = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Read::read(&mut self.line, buffer)
    }
}

#[cfg(test)]
mod tests {
    use ::redis::PushKind;

    use super::*;

    async fn all(bytes: &[u8]) -> (Vec<Value>, SessionError) {
        let mut inbound = Inbound::new(bytes);
        let mut values = Vec::new();
        loop {
            match inbound.next().await {
                Ok(value) => values.push(value),
                Err(error) => return (values, error),
            }
        }
    }

    #[tokio::test]
    async fn values_come_whole_however_their_bytes_are_cut() {
        let bytes = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na\r\nb\n\r\n+PONG\r\n:7\r\n";
        let text = |text: &[u8]| Value::BulkString(text.to_vec());
        let message = Value::Push { kind: PushKind::Message, data: vec![text(b"c"), text(b"a\r\nb\n")] };
        let expected = [message, Value::SimpleString("PONG".to_owned()), Value::Int(7)];
        assert_eq!(all(bytes).await.0, expected);
        for cut in 1..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let mut inbound = Inbound::new(tokio::io::AsyncReadExt::chain(first, second));
            for value in &expected {
                assert_eq!(inbound.next().await.expect("a value"), *value, "cut at {cut}");
            }
            assert!(inbound.parser.is_none(), "between two values there is no parser");
        }
    }

    #[tokio::test]
    async fn what_is_no_resp_or_has_no_end_is_an_error() {
        assert!(matches!(all(b"HTTP/1.1 400 Bad Request\r\n").await.1, SessionError::Garbage(_)));
        let endless = [b"$99999999\r\n".as_slice(), &[b'x'; 2 * VALUE_BYTES_MAX]].concat();
        assert!(matches!(all(&endless).await.1, SessionError::TooLong));
        let deep = b"*1\r\n".repeat(10_000);
        assert!(matches!(all(&deep).await.1, SessionError::Garbage(_)));
        assert!(matches!(all(b"*2000000000\r\n:1\r\n").await.1, SessionError::Closed));
    }
}
