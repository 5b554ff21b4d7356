//! Numbers and single bits and characters: a fixed length, and every pattern of bits has a meaning. COUNTER is the exception.

use bytes::{BufMut, BytesMut};

use super::data::DataValue;
use super::data_type::DataType;
use super::error::{DataError, field, first};

/// Largest value of a counter.
const COUNTER_MAX: u16 = 999;

/// Reads a number; `None` for a type that is none.
pub(super) fn decode(kind: DataType, bytes: &[u8]) -> Result<Option<DataValue>, DataError> {
    Ok(Some(match kind {
        DataType::Bool => DataValue::Bool(first::<1>(kind, bytes)?[0] & 1 != 0),
        DataType::Byte => DataValue::Byte(u8::from_be_bytes(first(kind, bytes)?)),
        DataType::Word => DataValue::Word(u16::from_be_bytes(first(kind, bytes)?)),
        DataType::Dword => DataValue::Dword(u32::from_be_bytes(first(kind, bytes)?)),
        DataType::Lword => DataValue::Lword(u64::from_be_bytes(first(kind, bytes)?)),
        DataType::Usint => DataValue::Usint(u8::from_be_bytes(first(kind, bytes)?)),
        DataType::Uint => DataValue::Uint(u16::from_be_bytes(first(kind, bytes)?)),
        DataType::Udint => DataValue::Udint(u32::from_be_bytes(first(kind, bytes)?)),
        DataType::Ulint => DataValue::Ulint(u64::from_be_bytes(first(kind, bytes)?)),
        DataType::Sint => DataValue::Sint(i8::from_be_bytes(first(kind, bytes)?)),
        DataType::Int => DataValue::Int(i16::from_be_bytes(first(kind, bytes)?)),
        DataType::Dint => DataValue::Dint(i32::from_be_bytes(first(kind, bytes)?)),
        DataType::Lint => DataValue::Lint(i64::from_be_bytes(first(kind, bytes)?)),
        DataType::Real => DataValue::Real(f32::from_be_bytes(first(kind, bytes)?)),
        DataType::Lreal => DataValue::Lreal(f64::from_be_bytes(first(kind, bytes)?)),
        DataType::Counter => DataValue::Counter(decode_counter(first(kind, bytes)?)?),
        _ => return Ok(None),
    }))
}

/// Appends a number; `false` for a value that is none.
pub(super) fn encode(value: &DataValue, out: &mut BytesMut) -> Result<bool, DataError> {
    match *value {
        DataValue::Bool(value) => out.put_u8(u8::from(value)),
        DataValue::Byte(value) | DataValue::Usint(value) => out.put_u8(value),
        DataValue::Word(value) | DataValue::Uint(value) => out.put_u16(value),
        DataValue::Dword(value) | DataValue::Udint(value) => out.put_u32(value),
        DataValue::Lword(value) | DataValue::Ulint(value) => out.put_u64(value),
        DataValue::Sint(value) => out.put_i8(value),
        DataValue::Int(value) => out.put_i16(value),
        DataValue::Dint(value) => out.put_i32(value),
        DataValue::Lint(value) => out.put_i64(value),
        DataValue::Real(value) => out.put_f32(value),
        DataValue::Lreal(value) => out.put_f64(value),
        DataValue::Counter(value) => {
            field(DataType::Counter, "count", (0, u32::from(COUNTER_MAX)), u32::from(value))?;
            out.put_u16(to_bcd3(value));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A counter's word: three digits; the upper four bits mean nothing.
fn decode_counter([hi, lo]: [u8; 2]) -> Result<u16, DataError> {
    let hundreds = bcd(DataType::Counter, 0, hi & 0x0f)?;
    Ok(u16::from(hundreds) * 100 + u16::from(bcd(DataType::Counter, 1, lo)?))
}

/// The number that a byte of two decimal digits holds.
pub(super) fn bcd(data_type: DataType, byte: usize, found: u8) -> Result<u8, DataError> {
    let (tens, ones) = (found >> 4, found & 0x0f);
    if tens > 9 || ones > 9 {
        return Err(DataError::Bcd { data_type, byte, found });
    }
    Ok(tens * 10 + ones)
}

/// A number below 100 as two decimal digits.
pub(super) const fn to_bcd(number: u8) -> u8 {
    ((number / 10 % 10) << 4) | (number % 10)
}

/// A number below 1,000 as three decimal digits.
pub(super) const fn to_bcd3(number: u16) -> u16 {
    ((number / 100 % 10) << 8) | to_bcd((number % 100) as u8) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_three_decimal_digits_under_four_bits_without_meaning() {
        assert_eq!(decode(DataType::Counter, &[0xf1, 0x27]), Ok(Some(DataValue::Counter(127))));
        let error = DataError::Bcd { data_type: DataType::Counter, byte: 1, found: 0x1a };
        assert_eq!(decode(DataType::Counter, &[0x00, 0x1a]), Err(error));
        let mut out = BytesMut::new();
        encode(&DataValue::Counter(999), &mut out).unwrap();
        assert_eq!(out[..], [0x09, 0x99]);
        let error = encode(&DataValue::Counter(1000), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "COUNTER: count must be 0..=999, found 1000");
    }

    #[test]
    fn numbers_are_big_endian() {
        let bytes = [0xbf, 0xf0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(DataType::Lreal, &bytes), Ok(Some(DataValue::Lreal(-1.0))));
        assert_eq!(decode(DataType::Uint, &bytes), Ok(Some(DataValue::Uint(0xbff0))));
        assert_eq!(decode(DataType::Sint, &bytes), Ok(Some(DataValue::Sint(-65))));
    }
}
