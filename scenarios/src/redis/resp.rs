//! Redis' wire format: requests and replies of RESP2 are read, replies of RESP2 and RESP3 are written. Pure.
//!
//! Source: Redis serialization protocol specification.

use bytes::{BufMut, Bytes, BytesMut};

/// A text longer than this is refused: the image of a station with the most tags is a fifth of it.
const BULK_BYTES_MAX: usize = 1 << 20;

/// An array of more items than this is refused.
const ITEMS_MAX: usize = 1_024;

/// Arrays in arrays deeper than this are refused; a reply has two.
const DEPTH_MAX: usize = 4;

/// A header or a simple text longer than this is refused.
const LINE_BYTES_MAX: usize = 1_024;

/// What is read before a value is complete; more is refused.
pub const VALUE_BYTES_MAX: usize = 2 << 20;

/// The version of the protocol that a client asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// What everybody speaks until it says otherwise.
    #[default]
    Resp2,
    /// With maps, pushes and a null of its own.
    Resp3,
}

/// A value on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `+OK`
    Simple(String),
    /// `-ERR why`
    Error(String),
    /// `:1`
    Integer(i64),
    /// `$2` and so many bytes.
    Bulk(Bytes),
    /// Nothing.
    Null,
    /// `*2` and so many values.
    Array(Vec<Value>),
    /// Key and value in turn; an array in RESP2.
    Map(Vec<Value>),
    /// What nobody asked for just now; an array in RESP2.
    Push(Vec<Value>),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Bulk(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A request: its words.
    pub fn request(words: &[&[u8]]) -> Self {
        Self::Array(words.iter().map(|word| Self::Bulk(Bytes::copy_from_slice(word))).collect())
    }

    /// The texts of an array of nothing but texts.
    pub fn into_words(self) -> Option<Vec<Bytes>> {
        let Self::Array(values) = self else { return None };
        let word = |value| match value {
            Self::Bulk(bytes) => Some(bytes),
            _ => None,
        };
        values.into_iter().map(word).collect()
    }

    /// Appends the value as `version` writes it.
    pub fn write(&self, version: Version, out: &mut BytesMut) {
        match (self, version) {
            (Self::Simple(text), _) => line(out, '+', text),
            (Self::Error(text), _) => line(out, '-', text),
            (Self::Integer(number), _) => line(out, ':', number),
            (Self::Bulk(bytes), _) => {
                line(out, '$', bytes.len());
                out.put_slice(bytes);
                out.put_slice(b"\r\n");
            }
            (Self::Null, Version::Resp2) => line(out, '$', -1),
            (Self::Null, Version::Resp3) => line(out, '_', ""),
            (Self::Map(values), Version::Resp3) => all(out, '%', values.len() / 2, values, version),
            (Self::Push(values), Version::Resp3) => all(out, '>', values.len(), values, version),
            (Self::Array(values) | Self::Map(values) | Self::Push(values), _) => {
                all(out, '*', values.len(), values, version);
            }
        }
    }
}

fn line(out: &mut BytesMut, kind: char, text: impl std::fmt::Display) {
    out.put_slice(format!("{kind}{text}\r\n").as_bytes());
}

fn all(out: &mut BytesMut, kind: char, count: usize, values: &[Value], version: Version) {
    line(out, kind, count);
    values.iter().for_each(|value| value.write(version, out));
}

/// Why bytes are no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RespError {
    /// The first byte of a value.
    #[error("expected one of `+-:$*`, found byte {0:#04x}")]
    Kind(u8),
    /// A length or a number that is none.
    #[error("expected a number, found `{0}`")]
    Number(String),
    /// More than is read.
    #[error("{what}: at most {most}, found {found}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
        /// What was announced.
        found: usize,
    },
    /// A text that does not end where it said.
    #[error("expected the end of a line after a text")]
    NoLineEnd,
}

/// Splits the first value off `bytes`: the value and its length; `None`: wait for more.
pub fn parse(bytes: &[u8]) -> Result<Option<(Value, usize)>, RespError> {
    let mut rest = bytes;
    let value = value(&mut rest, 0)?;
    bounded("bytes of a value", VALUE_BYTES_MAX, bytes.len() - rest.len())?;
    Ok(value.map(|value| (value, bytes.len() - rest.len())))
}

fn value(rest: &mut &[u8], depth: usize) -> Result<Option<Value>, RespError> {
    bounded("arrays in arrays", DEPTH_MAX, depth)?;
    let Some((kind, line)) = header(rest)? else { return Ok(None) };
    Ok(match kind {
        b'+' => Some(Value::Simple(line)),
        b'-' => Some(Value::Error(line)),
        b':' => Some(Value::Integer(number(&line)?)),
        b'$' => match length(&line, "bytes of a text", BULK_BYTES_MAX)? {
            None => Some(Value::Null),
            Some(length) => bulk(rest, length)?,
        },
        _ => match length(&line, "items of an array", ITEMS_MAX)? {
            None => Some(Value::Null),
            Some(length) => array(rest, length, depth)?,
        },
    })
}

/// The kind of the next value and the rest of its first line.
fn header(rest: &mut &[u8]) -> Result<Option<(u8, String)>, RespError> {
    let Some((&kind, after)) = rest.split_first() else { return Ok(None) };
    if !b"+-:$*".contains(&kind) {
        return Err(RespError::Kind(kind));
    }
    let Some(end) = after.windows(2).take(LINE_BYTES_MAX).position(|pair| pair == b"\r\n") else {
        bounded("bytes of a line", LINE_BYTES_MAX, after.len())?;
        return Ok(None);
    };
    *rest = &after[end + 2..];
    Ok(Some((kind, String::from_utf8_lossy(&after[..end]).into_owned())))
}

fn bulk(rest: &mut &[u8], length: usize) -> Result<Option<Value>, RespError> {
    let Some((text, after)) = rest.split_at_checked(length) else { return Ok(None) };
    let Some((end, after)) = after.split_at_checked(2) else { return Ok(None) };
    if end != b"\r\n" {
        return Err(RespError::NoLineEnd);
    }
    *rest = after;
    Ok(Some(Value::Bulk(Bytes::copy_from_slice(text))))
}

fn array(rest: &mut &[u8], length: usize, depth: usize) -> Result<Option<Value>, RespError> {
    let mut values = Vec::new();
    for _ in 0..length {
        match value(rest, depth + 1)? {
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(Value::Array(values)))
}

/// A length; `None` for -1.
fn length(line: &str, what: &'static str, most: usize) -> Result<Option<usize>, RespError> {
    let length = number(line)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| RespError::Number(line.to_owned()))?;
    bounded(what, most, length)?;
    Ok(Some(length))
}

fn number(line: &str) -> Result<i64, RespError> {
    line.parse().map_err(|_| RespError::Number(line.to_owned()))
}

fn bounded(what: &'static str, most: usize, found: usize) -> Result<(), RespError> {
    if found <= most { Ok(()) } else { Err(RespError::TooMuch { what, most, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value, version: Version) -> String {
        let mut out = BytesMut::new();
        value.write(version, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_request_is_read_once_it_is_complete() {
        let request = b"*3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$3\r\na\r\n\r\n";
        for cut in 0..request.len() {
            assert_eq!(parse(&request[..cut]), Ok(None), "{cut}");
        }
        let (value, length) = parse(&[request, &b"+OK"[..]].concat()).unwrap().unwrap();
        assert_eq!((length, &value), (request.len(), &Value::request(&[b"PUBLISH", b"ch", b"a\r\n"])));
        assert_eq!(value.into_words().unwrap()[1], "ch");
    }

    #[test]
    fn replies_are_read_as_they_are_written() {
        let values = [
            Value::Simple("OK".into()),
            Value::Error("ERR no".into()),
            Value::Integer(-7),
            Value::Null,
            Value::Array(vec![Value::text(""), Value::Array(vec![Value::Integer(1)])]),
        ];
        for value in values {
            let text = written(&value, Version::Resp2);
            assert_eq!(parse(text.as_bytes()), Ok(Some((value, text.len()))), "{text}");
        }
    }

    #[test]
    fn maps_and_pushes_are_arrays_for_those_who_do_not_know_them() {
        let map = Value::Map(vec![Value::text("proto"), Value::Integer(3)]);
        assert_eq!(written(&map, Version::Resp3), "%1\r\n$5\r\nproto\r\n:3\r\n");
        assert_eq!(written(&map, Version::Resp2), "*2\r\n$5\r\nproto\r\n:3\r\n");
        assert_eq!(written(&Value::Push(vec![]), Version::Resp3), ">0\r\n");
        assert_eq!(written(&Value::Null, Version::Resp3), "_\r\n");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(refused(b"GET / HTTP/1.1"), RespError::Kind(b'G'));
        assert_eq!(refused(b"*x\r\n"), RespError::Number("x".into()));
        assert_eq!(refused(b"$-2\r\n"), RespError::Number("-2".into()));
        assert_eq!(refused(b"$1\r\nab\r\n"), RespError::NoLineEnd);
    }

    #[test]
    fn all_that_a_peer_can_enlarge_is_bounded() {
        let refused = |bytes: &[u8]| matches!(parse(bytes), Err(RespError::TooMuch { .. }));
        assert!(refused(b"$1048577\r\n") && refused(b"*1025\r\n"));
        assert!(refused("*1\r\n".repeat(100_000).as_bytes()));
        assert!(refused(&[b'+'; LINE_BYTES_MAX + 2]));
        let large = format!("$1048576\r\n{}\r\n", "x".repeat(BULK_BYTES_MAX)).repeat(3);
        assert!(refused(format!("*3\r\n{large}").as_bytes()));
    }
}
