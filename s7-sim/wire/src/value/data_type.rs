//! The types that a PLC's program declares, one element each: names, sizes, and how they travel.

use std::fmt;

use crate::area::TransportSize;
use crate::value::elementary::ValueType;

/// Longest STRING; what `STRING` without a length means.
pub const STRING_CHARS_MAX: u8 = 254;
/// Longest WSTRING.
pub const WSTRING_CHARS_MAX: u16 = 16_382;

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataType {
    /// One bit.
    Bool,
    /// 8 bits.
    Byte,
    /// 16 bits.
    Word,
    /// 32 bits.
    Dword,
    /// 64 bits.
    Lword,
    /// 8 bits, unsigned.
    Usint,
    /// 16 bits, unsigned.
    Uint,
    /// 32 bits, unsigned.
    Udint,
    /// 64 bits, unsigned.
    Ulint,
    /// 8 bits, signed.
    Sint,
    /// 16 bits, signed.
    Int,
    /// 32 bits, signed.
    Dint,
    /// 64 bits, signed.
    Lint,
    /// IEEE 754, 32 bits.
    Real,
    /// IEEE 754, 64 bits.
    Lreal,
    /// One character, one byte: ISO 8859-1.
    Char,
    /// Up to `max` characters of one byte each, behind a byte with that maximum and a byte with the actual length.
    String {
        /// Characters there is room for, 1..=254.
        max: u8,
    },
    /// Up to `max` characters of UTF-16, behind a word with that maximum and a word with the actual length.
    Wstring {
        /// Units of 16 bits there is room for, 1..=16382.
        max: u16,
    },
    /// BCD time of the S5, 16 bits: what a timer holds.
    S5Time,
    /// Milliseconds, signed, 32 bits.
    Time,
    /// Nanoseconds, signed, 64 bits.
    Ltime,
    /// Days since 1990-01-01, 16 bits.
    Date,
    /// Milliseconds since midnight, 32 bits.
    TimeOfDay,
    /// BCD, 8 bytes, 1990 to 2089.
    DateAndTime,
    /// Binary, 12 bytes, 1970 to 2262, nanoseconds.
    Dtl,
    /// BCD, 0..=999, 16 bits: what a counter holds.
    Counter,
}

impl DataType {
    /// Every type, with the longest text.
    pub const ALL: [Self; 26] = [
        Self::Bool,
        Self::Byte,
        Self::Word,
        Self::Dword,
        Self::Lword,
        Self::Usint,
        Self::Uint,
        Self::Udint,
        Self::Ulint,
        Self::Sint,
        Self::Int,
        Self::Dint,
        Self::Lint,
        Self::Real,
        Self::Lreal,
        Self::Char,
        Self::String { max: STRING_CHARS_MAX },
        Self::Wstring { max: WSTRING_CHARS_MAX },
        Self::S5Time,
        Self::Time,
        Self::Ltime,
        Self::Date,
        Self::TimeOfDay,
        Self::DateAndTime,
        Self::Dtl,
        Self::Counter,
    ];

    /// The name as programs write it, without a length.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Byte => "BYTE",
            Self::Word => "WORD",
            Self::Dword => "DWORD",
            Self::Lword => "LWORD",
            Self::Usint => "USINT",
            Self::Uint => "UINT",
            Self::Udint => "UDINT",
            Self::Ulint => "ULINT",
            Self::Sint => "SINT",
            Self::Int => "INT",
            Self::Dint => "DINT",
            Self::Lint => "LINT",
            Self::Real => "REAL",
            Self::Lreal => "LREAL",
            Self::Char => "CHAR",
            Self::String { .. } => "STRING",
            Self::Wstring { .. } => "WSTRING",
            Self::S5Time => "S5TIME",
            Self::Time => "TIME",
            Self::Ltime => "LTIME",
            Self::Date => "DATE",
            Self::TimeOfDay => "TIME_OF_DAY",
            Self::DateAndTime => "DATE_AND_TIME",
            Self::Dtl => "DTL",
            Self::Counter => "COUNTER",
        }
    }

    /// The short name that some types have beside their own.
    const fn short_name(self) -> Option<&'static str> {
        match self {
            Self::TimeOfDay => Some("TOD"),
            Self::DateAndTime => Some("DT"),
            _ => None,
        }
    }

    /// The type of this name, in any case; texts have their longest length.
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(|kind| is(kind.name()) || kind.short_name().is_some_and(is))
    }

    /// Bytes that one element takes. A bit travels in a byte of its own.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::Byte | Self::Usint | Self::Sint | Self::Char => 1,
            Self::Word | Self::Uint | Self::Int | Self::S5Time | Self::Date | Self::Counter => 2,
            Self::Dword | Self::Udint | Self::Dint | Self::Real | Self::Time | Self::TimeOfDay => 4,
            Self::Lword | Self::Ulint | Self::Lint | Self::Lreal | Self::Ltime | Self::DateAndTime => 8,
            Self::Dtl => 12,
            Self::String { max } => 2 + max as usize,
            Self::Wstring { max } => 4 + 2 * max as usize,
        }
    }

    /// Bytes from one element of an array to the next: what is longer than a byte begins at an even address.
    pub const fn stride(self) -> usize {
        match self.bytes() {
            1 => 1,
            bytes => bytes.next_multiple_of(2),
        }
    }

    /// The transport size that requests for this type have. What every PLC knows travels under its own; everything else travels
    /// as bytes, which every PLC knows as well.
    pub const fn transport(self) -> TransportSize {
        match self {
            Self::Bool => TransportSize::Bit,
            Self::Word | Self::Uint => TransportSize::Word,
            Self::Int => TransportSize::Int,
            Self::Dword | Self::Udint => TransportSize::Dword,
            Self::Dint => TransportSize::Dint,
            Self::Real => TransportSize::Real,
            _ => TransportSize::Byte,
        }
    }

    /// The plain type of the same meaning, where there is one.
    pub const fn value_type(self) -> Option<ValueType> {
        Some(match self {
            Self::Bool => ValueType::Bool,
            Self::Byte => ValueType::Byte,
            Self::Word => ValueType::Word,
            Self::Int => ValueType::Int,
            Self::Dword => ValueType::Dword,
            Self::Dint => ValueType::Dint,
            Self::Real => ValueType::Real,
            _ => return None,
        })
    }
}

impl From<ValueType> for DataType {
    fn from(kind: ValueType) -> Self {
        match kind {
            ValueType::Bool => Self::Bool,
            ValueType::Byte => Self::Byte,
            ValueType::Word => Self::Word,
            ValueType::Int => Self::Int,
            ValueType::Dword => Self::Dword,
            ValueType::Dint => Self::Dint,
            ValueType::Real => Self::Real,
        }
    }
}

/// `REAL`, `STRING[20]`; a text always with its length, so that no reader has to know a default.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String { max } => write!(f, "STRING[{max}]"),
            Self::Wstring { max } => write!(f, "WSTRING[{max}]"),
            other => f.write_str(other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_names_in_any_case() {
        for kind in DataType::ALL {
            assert_eq!(DataType::named(&kind.name().to_lowercase()), Some(kind));
        }
        assert_eq!(
            (DataType::named("tod"), DataType::named("Dt")),
            (Some(DataType::TimeOfDay), Some(DataType::DateAndTime))
        );
        assert_eq!(DataType::named("REAL32"), None);
    }

    #[test]
    fn the_plain_types_are_part_of_these() {
        for kind in ValueType::ALL {
            let data_type = DataType::from(kind);
            assert_eq!(data_type.value_type(), Some(kind));
            assert_eq!(data_type.bytes(), kind.bytes());
            assert_eq!(data_type.transport(), kind.transport());
            assert!(data_type.name().eq_ignore_ascii_case(kind.name()));
        }
    }

    #[test]
    fn elements_of_more_than_a_byte_begin_at_even_addresses() {
        let strides =
            [DataType::Char, DataType::Int, DataType::String { max: 5 }, DataType::Dtl].map(DataType::stride);
        assert_eq!(strides, [1, 2, 8, 12]);
    }
}
