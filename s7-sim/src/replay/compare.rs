//! Two answers, the recorded and the live one: the same, or what differs first. Pure.

use std::time::Duration;

use s7_wire::{Answer, DecodeError, HeaderError, Message, Pdu, ReturnCode, Rosctr};
use thiserror::Error;

/// What differs; the recorded first.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Difference {
    /// Another kind of message.
    #[error("recorded {expected}, found {found}")]
    Kind {
        /// As recorded.
        expected: &'static str,
        /// As it came.
        found: &'static str,
    },
    /// Another ROSCTR.
    #[error("ROSCTR: recorded {expected:?}, found {found:?}")]
    Rosctr {
        /// As recorded.
        expected: Rosctr,
        /// As it came.
        found: Rosctr,
    },
    /// Another number in a field.
    #[error("{field}: recorded {expected}, found {found}")]
    Field {
        /// Which.
        field: &'static str,
        /// As recorded.
        expected: usize,
        /// As it came.
        found: usize,
    },
    /// Another error in the header.
    #[error("header error: recorded {expected}, found {found}")]
    Header {
        /// As recorded.
        expected: HeaderError,
        /// As it came.
        found: HeaderError,
    },
    /// Another code for an item.
    #[error("code of item {index}: recorded {expected}, found {found}")]
    Code {
        /// Which item, from 0.
        index: usize,
        /// As recorded.
        expected: ReturnCode,
        /// As it came.
        found: ReturnCode,
    },
    /// Another value.
    #[error("byte {at} of the {part}: recorded {expected:02X}, found {found:02X}")]
    Value {
        /// `parameter` or `data`.
        part: &'static str,
        /// Which byte, from 0.
        at: usize,
        /// As recorded.
        expected: u8,
        /// As it came.
        found: u8,
    },
    /// No answer came.
    #[error("recorded an answer, found none within {after:?}")]
    Silence {
        /// The limit.
        after: Duration,
    },
    /// The server closed the connection instead.
    #[error("recorded an answer, found the end of the stream")]
    Closed,
    /// The server's bytes make no sense.
    #[error("recorded an answer, found bytes without sense: {error}")]
    Nonsense {
        /// Why.
        error: DecodeError,
    },
}

/// Compares kinds, references, codes and lengths, and with `values` every byte of both parts.
pub fn compare(expected: &Message, found: &Message, values: bool) -> Result<(), Difference> {
    match (expected, found) {
        (Message::Pdu(expected), Message::Pdu(found)) => compare_pdus(expected, found, values),
        _ if kind(expected) == kind(found) => Ok(()),
        _ => Err(Difference::Kind { expected: kind(expected), found: kind(found) }),
    }
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::ConnectRequest(_) => "a CR",
        Message::ConnectConfirm(_) => "a CC",
        Message::DisconnectRequest(_) => "a DR",
        Message::DisconnectConfirm => "a DC",
        Message::Error { .. } => "an ER",
        Message::Pdu(_) => "an S7 PDU",
    }
}

fn compare_pdus(expected: &Pdu, found: &Pdu, values: bool) -> Result<(), Difference> {
    if expected.rosctr != found.rosctr {
        return Err(Difference::Rosctr { expected: expected.rosctr, found: found.rosctr });
    }
    field("reference", expected.reference.into(), found.reference.into())?;
    if expected.error != found.error {
        return Err(Difference::Header { expected: expected.error, found: found.error });
    }
    let function = |pdu: &Pdu| pdu.function().unwrap_or(0).into();
    field("function", function(expected), function(found))?;
    field("bytes of parameter", expected.parameter.len(), found.parameter.len())?;
    compare_items(expected, found)?;
    field("bytes of data", expected.data.len(), found.data.len())?;
    if values {
        bytes("parameter", &expected.parameter, &found.parameter)?;
        bytes("data", &expected.data, &found.data)?;
    }
    Ok(())
}

/// Codes and lengths of items, where both answers have items.
fn compare_items(expected: &Pdu, found: &Pdu) -> Result<(), Difference> {
    let (expected, found) = (items(expected), items(found));
    field("items", expected.len(), found.len())?;
    for (index, (expected, found)) in expected.into_iter().zip(found).enumerate() {
        if expected.0 != found.0 {
            return Err(Difference::Code { index, expected: expected.0, found: found.0 });
        }
        field("bytes of an item", expected.1, found.1)?;
    }
    Ok(())
}

fn items(pdu: &Pdu) -> Vec<(ReturnCode, usize)> {
    match Answer::decode(pdu) {
        Ok(Answer::Read(answer)) => answer.items.iter().map(|item| (item.code, item.payload.len())).collect(),
        Ok(Answer::Write(answer)) => answer.codes().map(|code| (code, 0)).collect(),
        _ => Vec::new(),
    }
}

fn field(field: &'static str, expected: usize, found: usize) -> Result<(), Difference> {
    if expected == found { Ok(()) } else { Err(Difference::Field { field, expected, found }) }
}

fn bytes(part: &'static str, expected: &[u8], found: &[u8]) -> Result<(), Difference> {
    let mut pairs = expected.iter().zip(found).enumerate();
    match pairs.find(|(_, (expected, found))| expected != found) {
        Some((at, (&expected, &found))) => Err(Difference::Value { part, at, expected, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use s7_wire::{DataTransport, Decoder, ReadAnswerWriter, encode_refusal};

    use super::*;

    fn message(mut wire: BytesMut) -> Message {
        Decoder::new().decode(&mut wire).unwrap().unwrap()
    }

    fn read(reference: u16, payload: &[u8]) -> Message {
        let mut wire = BytesMut::new();
        let mut answer = ReadAnswerWriter::begin(&mut wire, reference, 2);
        answer.failure(ReturnCode::ObjectMissing);
        if payload.is_empty() {
            answer.failure(ReturnCode::InvalidAddress);
        } else {
            answer.success(DataTransport::Byte, payload);
        }
        answer.finish().unwrap();
        message(wire)
    }

    fn told(expected: &Message, found: &Message, values: bool) -> String {
        compare(expected, found, values)
            .map_or_else(|difference| difference.to_string(), |()| "same".to_owned())
    }

    #[test]
    fn the_first_difference_is_told_in_words() {
        let recorded = read(1, &[1, 2]);
        assert_eq!(told(&recorded, &read(1, &[1, 2]), true), "same");
        assert_eq!(told(&recorded, &read(1, &[1, 3]), false), "same");
        assert_eq!(told(&recorded, &read(1, &[1, 3]), true), "byte 9 of the data: recorded 02, found 03");
        assert_eq!(told(&recorded, &read(2, &[1, 2]), false), "reference: recorded 1, found 2");
        assert_eq!(told(&recorded, &read(1, &[1]), false), "bytes of an item: recorded 2, found 1");
        let code = told(&recorded, &read(1, &[]), false);
        assert!(code.starts_with("code of item 1: recorded "), "{code}");
        let mut refusal = BytesMut::new();
        encode_refusal(&mut refusal, 1, HeaderError::PDU_LENGTH);
        assert_eq!(told(&recorded, &message(refusal), false), "ROSCTR: recorded AckData, found Ack");
        assert_eq!(told(&Message::DisconnectConfirm, &recorded, false), "recorded a DC, found an S7 PDU");
    }
}
