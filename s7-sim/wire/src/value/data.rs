//! A value of any type, from bytes and to bytes. Dispatches to the families: numbers, text, time.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::calendar::{CivilDate, ClockTime};
use super::data_type::DataType;
use super::duration::{S5Time, write_ltime, write_time};
use super::elementary::Value;
use super::error::DataError;
use super::shape::Shape;
use super::time::{DateAndTime, Dtl};
use super::{numbers, text, time};

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub enum DataValue {
    /// One bit.
    Bool(bool),
    /// 8 bits.
    Byte(u8),
    /// 16 bits.
    Word(u16),
    /// 32 bits.
    Dword(u32),
    /// 64 bits.
    Lword(u64),
    /// 8 bits, unsigned.
    Usint(u8),
    /// 16 bits, unsigned.
    Uint(u16),
    /// 32 bits, unsigned.
    Udint(u32),
    /// 64 bits, unsigned.
    Ulint(u64),
    /// 8 bits, signed.
    Sint(i8),
    /// 16 bits, signed.
    Int(i16),
    /// 32 bits, signed.
    Dint(i32),
    /// 64 bits, signed.
    Lint(i64),
    /// IEEE 754, 32 bits.
    Real(f32),
    /// IEEE 754, 64 bits.
    Lreal(f64),
    /// A character of ISO 8859-1.
    Char(char),
    /// A text of ISO 8859-1.
    String(String),
    /// A text.
    Wstring(String),
    /// A duration as the S5 counted it.
    S5Time(S5Time),
    /// Milliseconds.
    Time(i32),
    /// Nanoseconds.
    Ltime(i64),
    /// A day.
    Date(CivilDate),
    /// A time of day, in whole milliseconds.
    TimeOfDay(ClockTime),
    /// A day and a time, 1990 to 2089.
    DateAndTime(DateAndTime),
    /// A day and a time, to the nanosecond.
    Dtl(Dtl),
    /// What a counter holds, 0..=999.
    Counter(u16),
    /// Elements of one type.
    Array(Vec<DataValue>),
}

impl Shape {
    /// Reads a value from the bytes of an item, which must be exactly as many as the shape has.
    pub fn decode(self, payload: &[u8]) -> Result<DataValue, DataError> {
        let (expected, found) = (self.bytes(), payload.len());
        if expected != found {
            return Err(DataError::Bytes { data_type: self.element, expected, found });
        }
        let Some(count) = self.count else { return decode_one(self.element, payload) };
        if self.element == DataType::Bool {
            let bit = |index: usize| payload[index / 8] & (1 << (index % 8)) != 0;
            return Ok(DataValue::Array(
                (0..usize::from(count)).map(|index| DataValue::Bool(bit(index))).collect(),
            ));
        }
        let elements = payload.chunks(self.element.stride()).enumerate().map(|(index, bytes)| {
            let bytes = &bytes[..self.element.bytes().min(bytes.len())];
            decode_one(self.element, bytes).map_err(|error| at(index, error))
        });
        elements.collect::<Result<_, _>>().map(DataValue::Array)
    }

    /// Appends a value as the bytes of an item; where it fails, `out` stays as it was.
    pub fn encode(self, value: &DataValue, out: &mut BytesMut) -> Result<(), DataError> {
        let start = out.len();
        let encoded = match (self.count, value) {
            (None, value) => encode_one(self.element, value, out),
            (Some(count), DataValue::Array(elements)) => self.encode_elements(count, elements, out),
            (Some(_), value) => Err(mismatch(self.element, value)),
        };
        if encoded.is_err() {
            out.truncate(start);
        }
        encoded
    }

    fn encode_elements(
        self,
        count: u16,
        elements: &[DataValue],
        out: &mut BytesMut,
    ) -> Result<(), DataError> {
        let (expected, found) = (usize::from(count), elements.len());
        if expected != found {
            return Err(DataError::Elements { data_type: self.element, expected, found });
        }
        if self.element == DataType::Bool {
            return encode_bits(elements, out);
        }
        for (index, element) in elements.iter().enumerate() {
            // What the last element left open up to an even address is a zero.
            let padding = if index == 0 { 0 } else { self.element.stride() - self.element.bytes() };
            out.put_bytes(0, padding);
            encode_one(self.element, element, out).map_err(|error| at(index, error))?;
        }
        Ok(())
    }
}

fn encode_bits(elements: &[DataValue], out: &mut BytesMut) -> Result<(), DataError> {
    for (chunk, bits) in elements.chunks(8).enumerate() {
        let mut byte = 0;
        for (bit, element) in bits.iter().enumerate() {
            match element {
                DataValue::Bool(on) => byte |= u8::from(*on) << bit,
                other => return Err(at(chunk * 8 + bit, mismatch(DataType::Bool, other))),
            }
        }
        out.put_u8(byte);
    }
    Ok(())
}

fn decode_one(kind: DataType, bytes: &[u8]) -> Result<DataValue, DataError> {
    if let Some(number) = numbers::decode(kind, bytes)? {
        return Ok(number);
    }
    if let Some(text) = text::decode(kind, bytes)? {
        return Ok(text);
    }
    Ok(time::decode(kind, bytes)?.expect("a type is a number, a text or a time"))
}

fn encode_one(kind: DataType, value: &DataValue, out: &mut BytesMut) -> Result<(), DataError> {
    if value.kind_name() != kind.name() {
        return Err(mismatch(kind, value));
    }
    let written =
        numbers::encode(value, out)? || text::encode(kind, value, out)? || time::encode(value, out)?;
    if written { Ok(()) } else { Err(mismatch(kind, value)) }
}

fn mismatch(expected: DataType, found: &DataValue) -> DataError {
    DataError::Type { expected, found: found.kind_name() }
}

fn at(index: usize, error: DataError) -> DataError {
    DataError::Element { index, source: Box::new(error) }
}

impl DataValue {
    /// The name of the value's type, as programs write it; `ARRAY` for an array.
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "BOOL",
            Self::Byte(_) => "BYTE",
            Self::Word(_) => "WORD",
            Self::Dword(_) => "DWORD",
            Self::Lword(_) => "LWORD",
            Self::Usint(_) => "USINT",
            Self::Uint(_) => "UINT",
            Self::Udint(_) => "UDINT",
            Self::Ulint(_) => "ULINT",
            Self::Sint(_) => "SINT",
            Self::Int(_) => "INT",
            Self::Dint(_) => "DINT",
            Self::Lint(_) => "LINT",
            Self::Real(_) => "REAL",
            Self::Lreal(_) => "LREAL",
            Self::Char(_) => "CHAR",
            Self::String(_) => "STRING",
            Self::Wstring(_) => "WSTRING",
            Self::S5Time(_) => "S5TIME",
            Self::Time(_) => "TIME",
            Self::Ltime(_) => "LTIME",
            Self::Date(_) => "DATE",
            Self::TimeOfDay(_) => "TIME_OF_DAY",
            Self::DateAndTime(_) => "DATE_AND_TIME",
            Self::Dtl(_) => "DTL",
            Self::Counter(_) => "COUNTER",
            Self::Array(_) => "ARRAY",
        }
    }
}

impl From<Value> for DataValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Byte(value) => Self::Byte(value),
            Value::Word(value) => Self::Word(value),
            Value::Int(value) => Self::Int(value),
            Value::Dword(value) => Self::Dword(value),
            Value::Dint(value) => Self::Dint(value),
            Value::Real(value) => Self::Real(value),
        }
    }
}

/// Numbers and texts plainly, times as programs write them (`T#1h30m`), arrays in brackets.
impl fmt::Display for DataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Byte(value) | Self::Usint(value) => value.fmt(f),
            Self::Word(value) | Self::Uint(value) | Self::Counter(value) => value.fmt(f),
            Self::Dword(value) | Self::Udint(value) => value.fmt(f),
            Self::Lword(value) | Self::Ulint(value) => value.fmt(f),
            Self::Sint(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Dint(value) => value.fmt(f),
            Self::Lint(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Lreal(value) => value.fmt(f),
            Self::Char(value) => value.fmt(f),
            Self::String(value) | Self::Wstring(value) => value.fmt(f),
            Self::S5Time(value) => value.fmt(f),
            Self::Time(value) => write_time(f, *value),
            Self::Ltime(value) => write_ltime(f, *value),
            Self::Date(value) => write!(f, "D#{value}"),
            Self::TimeOfDay(value) => write!(f, "TOD#{value}"),
            Self::DateAndTime(value) => value.fmt(f),
            Self::Dtl(value) => value.fmt(f),
            Self::Array(elements) => write_elements(f, elements),
        }
    }
}

fn write_elements(f: &mut fmt::Formatter<'_>, elements: &[DataValue]) -> fmt::Result {
    f.write_str("[")?;
    for (index, element) in elements.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{element}")?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(shape: &str, bytes: &[u8]) -> Result<String, String> {
        let shape: Shape = shape.parse().unwrap();
        let value = shape.decode(bytes).map_err(|error| error.to_string())?;
        let mut out = BytesMut::new();
        shape.encode(&value, &mut out).unwrap();
        assert_eq!(out, bytes, "{shape}");
        Ok(value.to_string())
    }

    #[test]
    fn bytes_are_the_values_that_the_documents_say() {
        for (shape, bytes, printed) in [
            ("TIME", &[0x7f, 0xff, 0xff, 0xff][..], "T#24d20h31m23s647ms"),
            ("TIME", &[0x80, 0, 0, 0], "T#-24d20h31m23s648ms"),
            ("LTIME", &[0, 0, 0, 0, 0, 0, 0x13, 0x88], "LT#5us"),
            ("DATE", &[0xff, 0x62], "D#2168-12-31"),
            ("TOD", &[0x05, 0x26, 0x5b, 0xff], "TOD#23:59:59.999"),
            ("S5TIME", &[0x21, 0x27], "S5T#2m7s"),
            (
                "BOOL[10]",
                &[0b0000_0101, 0b10],
                "[true, false, true, false, false, false, false, false, false, true]",
            ),
            ("STRING[3][2]", b"\x03\x02ab\0\0\x03\x03xyz", "[ab, xyz]"),
            ("INT[2]", &[0xff, 0xff, 0, 2], "[-1, 2]"),
            ("CHAR", &[0xe9], "é"),
        ] {
            assert_eq!(decode(shape, bytes).as_deref(), Ok(printed), "{shape}");
        }
    }

    #[test]
    fn lengths_are_exact_and_elements_are_named() {
        let error = decode("INT[2]", &[0; 3]).unwrap_err();
        assert_eq!(error, "INT: expected 4 bytes, found 3");
        let error = decode("COUNTER[2]", &[0, 0x12, 0, 0x1a]).unwrap_err();
        assert_eq!(error, "element 1: COUNTER: byte 1 should hold two decimal digits, found 1A");
    }

    #[test]
    fn a_failed_encoding_leaves_no_trace() {
        let mut out = BytesMut::from(&b"before"[..]);
        let array = DataValue::Array(vec![DataValue::Int(1), DataValue::Word(2)]);
        let error = Shape::array(DataType::Int, 2).encode(&array, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "element 1: expected a value of type INT, found WORD");
        let error = Shape::array(DataType::Int, 3).encode(&array, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "an array of 3 elements of INT, found 2");
        assert_eq!(out[..], b"before"[..]);
    }
}
