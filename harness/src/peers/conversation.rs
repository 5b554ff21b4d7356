//! What clients say and expect to hear: lines of text, or bytes.

use std::borrow::Cow;
use std::io;

use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a line that is read: a service must not grow the harness.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Something that is sent, and what comes back.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct Exchange {
    /// A line to send; the client's `newline` follows it.
    pub send: Option<String>,
    /// Bytes to send, after `send` if there is both: `c0 00`.
    pub send_hex: Hex,
    /// The lines that must come back, each by how it begins. Without them nobody waits, and what comes is read and dropped.
    pub answer: Vec<String>,
    /// The bytes that must come back, after `answer` if there is both.
    pub answer_hex: Hex,
}

/// What became of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing was waited for.
    Nothing,
    /// What was expected.
    Right,
    /// Something else: nobody knows where the next answer begins.
    Wrong,
}

impl Exchange {
    /// What is sent.
    pub fn bytes(&self, newline: &str) -> Vec<u8> {
        let line = self.send.iter().flat_map(|line| [line.as_bytes(), newline.as_bytes()].concat());
        line.chain(self.send_hex.0.iter().copied()).collect()
    }

    /// Whether something must come back.
    pub fn has_answer(&self) -> bool {
        !self.answer.is_empty() || !self.answer_hex.0.is_empty()
    }

    /// Sends it and waits for the answer.
    pub(super) async fn carry_out<S>(&self, stream: &mut S, newline: &str) -> io::Result<Heard>
    where
        S: AsyncBufRead + AsyncWrite + Unpin,
    {
        stream.write_all(&self.bytes(newline)).await?;
        stream.flush().await?;
        for start in &self.answer {
            let mut line = Vec::new();
            (&mut *stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let whole = line.ends_with(b"\n");
            if !line.starts_with(start.as_bytes()) {
                // One that was cut off is not wrong, it is the connection's end.
                return if whole { Ok(Heard::Wrong) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        let mut bytes = vec![0; self.answer_hex.0.len()];
        stream.read_exact(&mut bytes).await?;
        Ok(match self.has_answer() {
            false => Heard::Nothing,
            true if bytes == self.answer_hex.0 => Heard::Right,
            true => Heard::Wrong,
        })
    }
}

/// Bytes in hexadecimal digits, two for each, with blanks between them as one likes: `10 0c 0004`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Hex {
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect::<Option<_>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        Some(Self(pairs.iter().map(|[high, low]| high << 4 | low).collect()))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        // The one text that every type can read stands for nothing: reading gets past an error with it.
        let bytes = if text == "0" { Some(Self::default()) } else { Self::parse(&text) };
        bytes.ok_or_else(|| {
            serde::de::Error::custom(format!(
                "expected bytes in pairs of hexadecimal digits, such as `c0 00`, found `{text}`"
            ))
        })
    }
}

impl JsonSchema for Hex {
    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "pattern": r"^(\$\w+|([0-9a-fA-F]{2}\s*)*)$",
            "description": "bytes in pairs of hexadecimal digits, such as `c0 00`",
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{BufStream, duplex};

    use super::*;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(Hex::parse("10 0c0004"), Some(Hex(vec![0x10, 0x0c, 0, 4])));
        assert_eq!(Hex::parse(""), Some(Hex::default()));
        assert_eq!((Hex::parse("c"), Hex::parse("cg")), (None, None));
    }

    /// What becomes of `exchange` when the far side says `said` and hangs up.
    async fn heard(exchange: &Exchange, said: &str) -> Result<Heard, io::ErrorKind> {
        let (near, mut far) = duplex(1024);
        far.write_all(said.as_bytes()).await.expect("there is room");
        far.shutdown().await.expect("it is open");
        let heard = exchange.carry_out(&mut BufStream::new(near), "\r\n").await;
        heard.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn an_answer_is_right_or_wrong_or_cut_off() {
        let lines = Exchange {
            send: Some("GET k".into()),
            answer: vec!["$".into(), "v".into()],
            ..Exchange::default()
        };
        assert_eq!(lines.bytes("\r\n"), b"GET k\r\n");
        assert_eq!(heard(&lines, "$1\r\nv\r\n").await, Ok(Heard::Right));
        assert_eq!(heard(&lines, "-ERR\r\n").await, Ok(Heard::Wrong));
        assert_eq!(heard(&lines, "$1\r\n").await, Err(io::ErrorKind::UnexpectedEof));
        let bytes =
            Exchange { send_hex: Hex(vec![1]), answer_hex: Hex(b"ok".to_vec()), ..Exchange::default() };
        assert_eq!(heard(&bytes, "ok").await, Ok(Heard::Right));
        assert_eq!(heard(&bytes, "no").await, Ok(Heard::Wrong));
        assert_eq!(heard(&bytes, "o").await, Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(
            heard(&Exchange { send_hex: Hex(vec![1]), ..Exchange::default() }, "").await,
            Ok(Heard::Nothing)
        );
    }
}
