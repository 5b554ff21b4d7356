//! Typed values and addresses: bytes or text in, and what is understood prints and encodes as itself.

use bytes::BytesMut;
use s7_wire::Address;
use s7_wire::value::{DataType, Shape};

/// A value: the first byte is the type, the second the length of the array, the third that of a text; then its bytes.
pub fn values(bytes: &[u8]) {
    let &[kind, count, max, ref payload @ ..] = bytes else { return };
    let element = match DataType::ALL[usize::from(kind) % DataType::ALL.len()] {
        DataType::String { .. } => DataType::String { max },
        DataType::Wstring { .. } => DataType::Wstring { max: u16::from(max) },
        other => other,
    };
    let shape = Shape { element, count: count.checked_sub(1).map(u16::from) };
    // Both what came, and what came cut or filled up to the length it must have.
    let mut fitted = payload.to_vec();
    fitted.resize(shape.bytes(), 0);
    for payload in [payload, &fitted] {
        check_value(shape, payload);
    }
}

fn check_value(shape: Shape, payload: &[u8]) {
    let value = match shape.decode(payload) {
        Ok(value) => value,
        Err(error) => return assert!(error.to_string().len() < 200, "{error}"),
    };
    let encode = |value| {
        let mut out = BytesMut::new();
        shape.encode(value, &mut out).expect("a value that was read can be written");
        out
    };
    let out = encode(&value);
    assert_eq!(out.len(), payload.len(), "{value}");
    let again = shape.decode(&out).expect("what was written can be read");
    // Compared as bytes: a NaN is not equal to itself.
    assert_eq!(encode(&again), out);
}

/// An address: it prints in one way, and its item is as long as its value; or the error points into the text.
pub fn addresses(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Address>() {
        Ok(address) => {
            assert_eq!(address.to_string().parse(), Ok(address));
            assert_eq!(address.item().payload_bytes(), Some(address.shape().bytes()));
        }
        Err(error) => {
            assert!(error.at <= text.len() && text.is_char_boundary(error.at));
            assert!(error.to_string().len() < 1000, "{error}");
        }
    }
}
