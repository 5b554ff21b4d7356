//! Why bytes are no value, or a value no bytes.

use thiserror::Error;

use super::data_type::DataType;

/// Why bytes are no value of a type, or a value cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// Not as many bytes as the type takes.
    #[error("{data_type}: expected {expected} bytes, found {found}")]
    Bytes {
        /// The type of one element.
        data_type: DataType,
        /// What the type takes, all elements together.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// A digit above 9.
    #[error("{data_type}: byte {byte} should hold two decimal digits, found {found:02X}")]
    Bcd {
        /// The type.
        data_type: DataType,
        /// Which byte of the value, from 0.
        byte: usize,
        /// What it holds.
        found: u8,
    },
    /// A part of a value outside its bounds: a month of 13, a weekday of 0.
    #[error("{data_type}: {field} must be {min}..={max}, found {found}")]
    Field {
        /// The type.
        data_type: DataType,
        /// Which part.
        field: &'static str,
        /// The smallest allowed.
        min: u32,
        /// The largest allowed.
        max: u32,
        /// What there is.
        found: u32,
    },
    /// A point in time that the type cannot express: it begins later, ends earlier, or has a coarser clock.
    #[error("{data_type} goes {range}")]
    OutOfRange {
        /// The type.
        data_type: DataType,
        /// Its range, in words.
        range: &'static str,
    },
    /// A string that is longer than itself.
    #[error("{data_type}: actual length {actual} is longer than {max}, the longest there is room for")]
    TextLength {
        /// The type.
        data_type: DataType,
        /// The actual length, in characters (WSTRING: in units of 16 bits).
        actual: usize,
        /// The largest it may be: by the type, and by the header's own maximum.
        max: usize,
    },
    /// A character that the type cannot hold.
    #[error("{data_type}: character {index} is U+{found:04X}, expected {expected}")]
    Character {
        /// The type.
        data_type: DataType,
        /// Which character, from 0.
        index: usize,
        /// The character, or the unpaired half of one.
        found: u32,
        /// What could stand there.
        expected: &'static str,
    },
    /// A value of another type.
    #[error("expected a value of type {expected}, found {found}")]
    Type {
        /// What was asked for.
        expected: DataType,
        /// What the value is.
        found: &'static str,
    },
    /// Not as many elements as the array has.
    #[error("an array of {expected} elements of {data_type}, found {found}")]
    Elements {
        /// The type of one element.
        data_type: DataType,
        /// The array's length.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// One element of an array is wrong.
    #[error("element {index}: {source}")]
    Element {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<DataError>,
    },
}

/// Checks one part of a value.
pub(super) fn field(
    data_type: DataType,
    field: &'static str,
    (min, max): (u32, u32),
    found: u32,
) -> Result<(), DataError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(DataError::Field { data_type, field, min, max, found })
}

/// The first `N` bytes of a value.
pub(super) fn first<const N: usize>(data_type: DataType, bytes: &[u8]) -> Result<[u8; N], DataError> {
    let error = DataError::Bytes { data_type, expected: N, found: bytes.len() };
    bytes.first_chunk::<N>().copied().ok_or(error)
}
