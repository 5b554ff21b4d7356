//! Text: CHAR, STRING and WSTRING. The header of a string tells two lengths, and either may lie.

use bytes::{BufMut, BytesMut};

use super::data::DataValue;
use super::data_type::DataType;
use super::error::{DataError, first};

const EXPECTED_LATIN1: &str = "U+0000 to U+00FF (one byte each)";
const EXPECTED_PAIR: &str = "both halves of a surrogate pair";

/// Reads a text; `None` for a type that is none.
pub(super) fn decode(kind: DataType, bytes: &[u8]) -> Result<Option<DataValue>, DataError> {
    Ok(Some(match kind {
        DataType::Char => DataValue::Char(char::from(first::<1>(kind, bytes)?[0])),
        DataType::String { max } => {
            let [header_max, actual] = first(kind, bytes)?;
            let actual = check_length(kind, usize::from(actual), usize::from(header_max.min(max)))?;
            let chars = slice(kind, bytes, 2, actual)?;
            DataValue::String(chars.iter().map(|&byte| char::from(byte)).collect())
        }
        DataType::Wstring { max } => {
            let [max_hi, max_lo, actual_hi, actual_lo] = first(kind, bytes)?;
            let header_max = u16::from_be_bytes([max_hi, max_lo]);
            let actual = usize::from(u16::from_be_bytes([actual_hi, actual_lo]));
            let actual = check_length(kind, actual, usize::from(header_max.min(max)))?;
            DataValue::Wstring(decode_utf16(kind, slice(kind, bytes, 4, 2 * actual)?)?)
        }
        _ => return Ok(None),
    }))
}

/// Appends a text, with zeros up to the type's length; `false` for a type that is none.
pub(super) fn encode(kind: DataType, value: &DataValue, out: &mut BytesMut) -> Result<bool, DataError> {
    match (kind, value) {
        (DataType::Char, DataValue::Char(value)) => out.put_u8(latin1(kind, 0, *value)?),
        (DataType::String { max }, DataValue::String(text)) => {
            let actual = check_length(kind, text.chars().count(), usize::from(max))?;
            // At most `max`, which is a byte.
            out.put_slice(&[max, actual as u8]);
            for (index, char) in text.chars().enumerate() {
                out.put_u8(latin1(kind, index, char)?);
            }
            out.put_bytes(0, usize::from(max) - actual);
        }
        (DataType::Wstring { max }, DataValue::Wstring(text)) => {
            let actual = check_length(kind, text.encode_utf16().count(), usize::from(max))?;
            out.put_u16(max);
            out.put_u16(actual as u16);
            text.encode_utf16().for_each(|unit| out.put_u16(unit));
            out.put_bytes(0, 2 * (usize::from(max) - actual));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn check_length(data_type: DataType, actual: usize, max: usize) -> Result<usize, DataError> {
    if actual > max {
        return Err(DataError::TextLength { data_type, actual, max });
    }
    Ok(actual)
}

fn slice(data_type: DataType, bytes: &[u8], start: usize, length: usize) -> Result<&[u8], DataError> {
    let error = DataError::Bytes { data_type, expected: start + length, found: bytes.len() };
    bytes.get(start..start + length).ok_or(error)
}

fn latin1(data_type: DataType, index: usize, char: char) -> Result<u8, DataError> {
    let found = u32::from(char);
    let error = DataError::Character { data_type, index, found, expected: EXPECTED_LATIN1 };
    u8::try_from(found).map_err(|_| error)
}

fn decode_utf16(data_type: DataType, bytes: &[u8]) -> Result<String, DataError> {
    let (units, _) = bytes.as_chunks::<2>();
    let chars = char::decode_utf16(units.iter().map(|&unit| u16::from_be_bytes(unit)));
    let checked = chars.enumerate().map(|(index, char)| {
        char.map_err(|half| {
            let found = u32::from(half.unpaired_surrogate());
            DataError::Character { data_type, index, found, expected: EXPECTED_PAIR }
        })
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: DataType = DataType::String { max: 6 };

    #[test]
    fn what_stands_behind_the_actual_length_is_not_text() {
        let value = decode(STRING, b"\x06\x02abcdef");
        assert_eq!(value, Ok(Some(DataValue::String("ab".to_owned()))));
    }

    #[test]
    fn a_lying_length_is_refused_by_the_type_and_by_the_header() {
        let by_type = DataError::TextLength { data_type: STRING, actual: 7, max: 6 };
        assert_eq!(decode(STRING, b"\xfe\x07abcdef"), Err(by_type));
        let by_header = DataError::TextLength { data_type: STRING, actual: 4, max: 3 };
        assert_eq!(decode(STRING, b"\x03\x04abcdef"), Err(by_header));
        let wide = DataType::Wstring { max: 1 };
        let error = DataError::TextLength { data_type: wide, actual: 0xffff, max: 1 };
        assert_eq!(decode(wide, &[0, 1, 0xff, 0xff, 0, 0x41]), Err(error));
    }

    #[test]
    fn characters_beyond_the_type_are_named() {
        let error = encode(STRING, &DataValue::String("5 €".to_owned()), &mut BytesMut::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "STRING[6]: character 2 is U+20AC, expected U+0000 to U+00FF (one byte each)"
        );
        let half = decode(DataType::Wstring { max: 1 }, &[0, 1, 0, 1, 0xd8, 0x00]).unwrap_err();
        assert!(matches!(half, DataError::Character { found: 0xd800, index: 0, .. }), "{half}");
    }

    #[test]
    fn a_wstring_counts_units_of_sixteen_bits() {
        let wide = DataType::Wstring { max: 3 };
        let mut out = BytesMut::new();
        encode(wide, &DataValue::Wstring("a😀".to_owned()), &mut out).unwrap();
        assert_eq!(out[..], [0, 3, 0, 3, 0, 0x61, 0xd8, 0x3d, 0xde, 0x00]);
        let error = encode(wide, &DataValue::Wstring("😀😀".to_owned()), &mut out).unwrap_err();
        assert_eq!(error, DataError::TextLength { data_type: wide, actual: 4, max: 3 });
    }
}
