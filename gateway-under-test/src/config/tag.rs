//! A tag: a typed place in a PLC's memory.

use garde::Validate;
use s7_wire::ValueType;
use serde::Deserialize;

use super::check;
use super::place::Written;

/// One value to read. In a file its place is either an `address` (`DB1.DBD4:REAL`), or `area`, `db`, `offset`, `bit` and `type`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Validate)]
#[serde(try_from = "Written")]
#[garde(allow_unvalidated)]
pub struct TagConfig {
    /// Its name in URLs, events and metrics.
    #[garde(length(min = 1, max = 64), pattern(r"^[A-Za-z0-9_.-]+$"))]
    pub name: String,
    /// The memory area; a data block unless said.
    pub area: Area,
    /// The number of the data block; only for area `db`.
    #[garde(range(max = 65_535), custom(check::db_of(self.area)))]
    pub db: u32,
    /// The first byte.
    #[garde(range(max = 65_535))]
    pub offset: u32,
    /// The bit of that byte, 0 to 7; only for type `bool`.
    #[garde(range(max = 7), custom(check::bit_of(self.kind)))]
    pub bit: u8,
    /// How the bytes are read.
    pub kind: TagType,
    /// Whether northbound sides may write it.
    pub writable: bool,
}

impl TagConfig {
    /// A tag in a data block.
    pub fn in_db(name: impl Into<String>, db: u32, offset: u32, kind: TagType) -> Self {
        Self { name: name.into(), area: Area::Db, db, offset, bit: 0, kind, writable: false }
    }
}

/// A memory area of a PLC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// A data block.
    #[default]
    Db,
    /// Merkers (flags).
    M,
    /// The process image of the inputs.
    I,
    /// The process image of the outputs.
    Q,
}

/// How a tag's bytes are read. S7 is big-endian throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagType {
    /// One bit.
    Bool,
    /// 8 bits, unsigned.
    Byte,
    /// 16 bits, unsigned.
    Word,
    /// 32 bits, unsigned.
    Dword,
    /// 16 bits, signed.
    Int,
    /// 32 bits, signed.
    Dint,
    /// 32 bits, IEEE 754.
    Real,
}

impl TagType {
    /// How many bytes it takes; a bit takes the byte it lies in.
    pub const fn bytes(self) -> u32 {
        self.value_type().bytes() as u32
    }

    /// The gateway's name for a plain type of the codec.
    pub const fn of(kind: ValueType) -> Self {
        match kind {
            ValueType::Bool => Self::Bool,
            ValueType::Byte => Self::Byte,
            ValueType::Word => Self::Word,
            ValueType::Dword => Self::Dword,
            ValueType::Int => Self::Int,
            ValueType::Dint => Self::Dint,
            ValueType::Real => Self::Real,
        }
    }

    /// The codec's name for it.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Bool => ValueType::Bool,
            Self::Byte => ValueType::Byte,
            Self::Word => ValueType::Word,
            Self::Dword => ValueType::Dword,
            Self::Int => ValueType::Int,
            Self::Dint => ValueType::Dint,
            Self::Real => ValueType::Real,
        }
    }
}
