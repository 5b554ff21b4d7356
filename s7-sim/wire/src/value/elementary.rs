//! The seven plain types: `Copy`, read and written in place. What a gateway polls and what a generator moves.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::area::TransportSize;

/// The elementary types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueType {
    /// One bit of a byte.
    Bool,
    /// 8 bits, unsigned.
    Byte,
    /// 16 bits, unsigned.
    Word,
    /// 16 bits, signed.
    Int,
    /// 32 bits, unsigned.
    Dword,
    /// 32 bits, signed.
    Dint,
    /// IEEE 754, 32 bits.
    Real,
}

/// A value of one of the elementary types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// One bit.
    Bool(bool),
    /// 8 bits, unsigned.
    Byte(u8),
    /// 16 bits, unsigned.
    Word(u16),
    /// 16 bits, signed.
    Int(i16),
    /// 32 bits, unsigned.
    Dword(u32),
    /// 32 bits, signed.
    Dint(i32),
    /// IEEE 754, 32 bits.
    Real(f32),
}

/// Why a value cannot be read or written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value runs past the end.
    #[error("{kind} at byte {offset} needs {}, the area has {found}", kind.bytes() + offset)]
    OutOfRange {
        /// The type.
        kind: ValueType,
        /// Its first byte.
        offset: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A byte has bits 0 to 7.
    #[error("a byte has bits 0..=7, found {found}")]
    Bit {
        /// The bit asked for.
        found: u8,
    },
}

/// A name that is none of the types.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected one of bool, byte, word, int, dword, dint, real, found `{found}`")]
pub struct UnknownType {
    /// What was written.
    pub found: String,
}

impl ValueType {
    /// Every type, smallest first.
    pub const ALL: [Self; 7] =
        [Self::Bool, Self::Byte, Self::Word, Self::Int, Self::Dword, Self::Dint, Self::Real];

    /// Bytes of memory that one value touches.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::Byte => 1,
            Self::Word | Self::Int => 2,
            Self::Dword | Self::Dint | Self::Real => 4,
        }
    }

    /// The transport size of a request for one value.
    pub const fn transport(self) -> TransportSize {
        match self {
            Self::Bool => TransportSize::Bit,
            Self::Byte => TransportSize::Byte,
            Self::Word => TransportSize::Word,
            Self::Int => TransportSize::Int,
            Self::Dword => TransportSize::Dword,
            Self::Dint => TransportSize::Dint,
            Self::Real => TransportSize::Real,
        }
    }

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Byte => "byte",
            Self::Word => "word",
            Self::Int => "int",
            Self::Dword => "dword",
            Self::Dint => "dint",
            Self::Real => "real",
        }
    }

    /// Reads a value at byte `offset`; `bit` counts for [`Bool`](Self::Bool) alone.
    pub fn read(self, bytes: &[u8], offset: usize, bit: u8) -> Result<Value, ValueError> {
        Ok(match self {
            Self::Bool => Value::Bool(array::<1>(self, bytes, offset)?[0] & bit_mask(bit)? != 0),
            Self::Byte => Value::Byte(array::<1>(self, bytes, offset)?[0]),
            Self::Word => Value::Word(u16::from_be_bytes(array(self, bytes, offset)?)),
            Self::Int => Value::Int(i16::from_be_bytes(array(self, bytes, offset)?)),
            Self::Dword => Value::Dword(u32::from_be_bytes(array(self, bytes, offset)?)),
            Self::Dint => Value::Dint(i32::from_be_bytes(array(self, bytes, offset)?)),
            Self::Real => Value::Real(f32::from_be_bytes(array(self, bytes, offset)?)),
        })
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ValueType {
    type Err = UnknownType;

    /// Takes the names in any case.
    fn from_str(name: &str) -> Result<Self, UnknownType> {
        let found = Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownType { found: name.to_owned() })
    }
}

impl Value {
    /// The value's type.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::Byte(_) => ValueType::Byte,
            Self::Word(_) => ValueType::Word,
            Self::Int(_) => ValueType::Int,
            Self::Dword(_) => ValueType::Dword,
            Self::Dint(_) => ValueType::Dint,
            Self::Real(_) => ValueType::Real,
        }
    }

    /// The value as a number: a bit is 0 or 1, and every other type fits without loss.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Bool(on) => f64::from(u8::from(on)),
            Self::Byte(value) => f64::from(value),
            Self::Word(value) => f64::from(value),
            Self::Int(value) => f64::from(value),
            Self::Dword(value) => f64::from(value),
            Self::Dint(value) => f64::from(value),
            Self::Real(value) => f64::from(value),
        }
    }

    /// Writes the value at byte `offset`; `bit` counts for [`Bool`](Self::Bool) alone, and its neighbours stay.
    pub fn write(self, bytes: &mut [u8], offset: usize, bit: u8) -> Result<(), ValueError> {
        let found = bytes.len();
        let kind = self.value_type();
        let target = offset.checked_add(kind.bytes()).and_then(|end| bytes.get_mut(offset..end));
        let target = target.ok_or(ValueError::OutOfRange { kind, offset, found })?;
        match self {
            Self::Bool(true) => target[0] |= bit_mask(bit)?,
            Self::Bool(false) => target[0] &= !bit_mask(bit)?,
            Self::Byte(value) => target[0] = value,
            Self::Word(value) => target.copy_from_slice(&value.to_be_bytes()),
            Self::Int(value) => target.copy_from_slice(&value.to_be_bytes()),
            Self::Dword(value) => target.copy_from_slice(&value.to_be_bytes()),
            Self::Dint(value) => target.copy_from_slice(&value.to_be_bytes()),
            Self::Real(value) => target.copy_from_slice(&value.to_be_bytes()),
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Byte(value) => value.fmt(f),
            Self::Word(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Dword(value) => value.fmt(f),
            Self::Dint(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
        }
    }
}

fn array<const N: usize>(kind: ValueType, bytes: &[u8], offset: usize) -> Result<[u8; N], ValueError> {
    let error = ValueError::OutOfRange { kind, offset, found: bytes.len() };
    bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(error)
}

fn bit_mask(bit: u8) -> Result<u8, ValueError> {
    if bit > 7 {
        return Err(ValueError::Bit { found: bit });
    }
    Ok(1 << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_big_endian() {
        let bytes = [0x3f, 0x80, 0x00, 0x00, 0xff, 0xfe];
        assert_eq!(ValueType::Real.read(&bytes, 0, 0), Ok(Value::Real(1.0)));
        assert_eq!(ValueType::Int.read(&bytes, 4, 0), Ok(Value::Int(-2)));
        assert_eq!(ValueType::Word.read(&bytes, 4, 0), Ok(Value::Word(0xfffe)));
        assert_eq!(ValueType::Bool.read(&bytes, 4, 7), Ok(Value::Bool(true)));
        assert_eq!(ValueType::Bool.read(&bytes, 5, 0), Ok(Value::Bool(false)));
    }

    #[test]
    fn writing_a_bit_leaves_its_neighbours() {
        let mut bytes = [0b1010_0000];
        Value::Bool(true).write(&mut bytes, 0, 0).unwrap();
        Value::Bool(false).write(&mut bytes, 0, 7).unwrap();
        assert_eq!(bytes, [0b0010_0001]);
    }

    #[test]
    fn past_the_end_and_bit_eight_are_errors() {
        let error = ValueError::OutOfRange { kind: ValueType::Dword, offset: 1, found: 4 };
        assert_eq!(ValueType::Dword.read(&[0; 4], 1, 0), Err(error));
        assert_eq!(Value::Dword(1).write(&mut [0; 4], 1, 0), Err(error));
        assert_eq!(error.to_string(), "dword at byte 1 needs 5, the area has 4");
        assert_eq!(ValueType::Bool.read(&[0], 0, 8), Err(ValueError::Bit { found: 8 }));
        assert!(Value::Byte(1).write(&mut [0; 4], usize::MAX, 0).is_err());
    }

    #[test]
    fn types_parse_from_their_names_in_any_case() {
        for kind in ValueType::ALL {
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
        }
        assert!("lreal".parse::<ValueType>().is_err());
    }
}
