//! Addresses as people write them: `DB1.DBD4:REAL`, `MW20`, `I0.1`, `T5`. Parsed, printed, and turned into items.
//!
//! ```
//! use s7_wire::{Address, Item};
//!
//! let address: Address = "db1.dbd4:real".parse()?;
//! assert_eq!(address.to_string(), "DB1.DBD4:REAL");
//! assert_eq!(address.item().start_byte(), 4);
//! assert_eq!("DB1.DBX10.4".parse::<Address>()?.item(), Item::bit(s7_wire::Area::DataBlocks, 1, 10, 4));
//!
//! let error = "DB1.DBY4".parse::<Address>().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "address `DB1.DBY4`, column 7: expected X (a bit), B, W or D, found `Y`; write it like `DB1.DBW4` or `DB1.DBX4.0`"
//! );
//! # Ok::<(), s7_wire::AddressError>(())
//! ```
//!
//! | written | is |
//! | --- | --- |
//! | `DB1.DBX10.4`, `DB1.DBB3`, `DB1.DBW4`, `DB1.DBD4` | a bit, byte, word, double word of data block 1 |
//! | `DI2.DIB4` | the same of an instance data block |
//! | `M10.3`, `MB5`, `MW20`, `MD24` | bit memory |
//! | `I0.1`, `IW2`; `Q4.0`, `QB1` | process images; E and A, the German letters, are read as I and Q |
//! | `PIW256`, `PQB4` | the periphery itself; PE and PA as well |
//! | `T5`, `C3` | a timer, a counter; Z, the German letter, is read as C |
//!
//! A type may follow: `DB1.DBW0:INT`, `DB1.DBW0:INT[10]`, `DB2.DBB0:STRING[20]`. Without one, a bit is a BOOL, B a BYTE, W a WORD,
//! D a DWORD, a timer an S5TIME and a counter a COUNTER. Types of two bytes stand behind W, of four behind D, all others behind B.
//! Letters may be of any case, and a `%` may stand in front.

mod error;
mod parse;

use std::fmt;

use crate::area::{Area, TransportSize};
use crate::item::{BIT_ADDRESS_MAX, Item};
use crate::value::{DataType, Shape};

pub use error::{AddressError, AddressReason, TypeNames};

/// Longest address that is read at all.
pub const ADDRESS_BYTES_MAX: usize = 80;
/// The last byte that an address can name: 24 bits, three of them for the bit.
pub const BYTE_MAX: u32 = BIT_ADDRESS_MAX / 8;
/// The last timer or counter that an address can name.
pub const NUMBER_MAX: u32 = u16::MAX as u32;

/// Where in a PLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// A data block (DB) with its number.
    Block(u16),
    /// An instance data block (DI) with its number.
    Instance(u16),
    /// Bit memory (M).
    Merkers,
    /// Process image of the inputs (I).
    Inputs,
    /// Process image of the outputs (Q).
    Outputs,
    /// Inputs of the periphery (PI).
    PeripheralInputs,
    /// Outputs of the periphery (PQ).
    PeripheralOutputs,
    /// Timers (T): numbered, not addressed by byte.
    Timers,
    /// Counters (C): numbered, not addressed by byte.
    Counters,
}

impl Region {
    /// The area that an item names for it. Both directions of the periphery share one: reading means inputs, writing outputs.
    pub const fn area(self) -> Area {
        match self {
            Self::Block(_) => Area::DataBlocks,
            Self::Instance(_) => Area::InstanceBlocks,
            Self::Merkers => Area::Merkers,
            Self::Inputs => Area::Inputs,
            Self::Outputs => Area::Outputs,
            Self::PeripheralInputs | Self::PeripheralOutputs => Area::Peripheral,
            Self::Timers => Area::Timers,
            Self::Counters => Area::Counters,
        }
    }

    /// The number of the block; 0 for a region that is none.
    pub const fn block(self) -> u16 {
        match self {
            Self::Block(number) | Self::Instance(number) => number,
            _ => 0,
        }
    }

    /// What elements of a numbered region travel as.
    const fn numbered(self) -> Option<TransportSize> {
        match self {
            Self::Timers => Some(TransportSize::Timer),
            Self::Counters => Some(TransportSize::Counter),
            _ => None,
        }
    }

    const fn has_bits(self) -> bool {
        !matches!(self, Self::PeripheralInputs | Self::PeripheralOutputs)
    }

    /// Whether values of this type stand behind this width.
    fn takes(self, width: Width, kind: DataType) -> bool {
        match self {
            Self::Timers => matches!(kind, DataType::S5Time | DataType::Word),
            Self::Counters => matches!(kind, DataType::Counter | DataType::Word),
            _ => width == Width::of(kind),
        }
    }

    const fn default_type(self, width: Width) -> DataType {
        match (self, width) {
            (Self::Timers, _) => DataType::S5Time,
            (Self::Counters, _) => DataType::Counter,
            (_, Width::Bit) => DataType::Bool,
            (_, Width::Byte) => DataType::Byte,
            (_, Width::Word) => DataType::Word,
            (_, Width::Dword) => DataType::Dword,
        }
    }
}

/// The letter that says how much an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Bit,
    Byte,
    Word,
    Dword,
}

impl Width {
    fn of(kind: DataType) -> Self {
        match (kind, kind.bytes()) {
            (DataType::Bool, _) => Self::Bit,
            (DataType::String { .. } | DataType::Wstring { .. }, _) => Self::Byte,
            (_, 2) => Self::Word,
            (_, 4) => Self::Dword,
            _ => Self::Byte,
        }
    }
}

/// A typed place in a PLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    region: Region,
    start: u32,
    bit: u8,
    shape: Shape,
}

impl Address {
    /// The place from byte `start` on (timers and counters: from that number on); `bit` is 0 for all but BOOL.
    pub fn new(region: Region, start: u32, bit: u8, shape: Shape) -> Result<Self, AddressReason> {
        let address = Self { region, start, bit, shape };
        let width = Width::of(shape.element);
        if !region.takes(width, shape.element) {
            return Err(address.unfit(width));
        }
        if width == Width::Bit && !region.has_bits() {
            return Err(AddressReason::NoBits);
        }
        let bit_max = if width == Width::Bit { 7 } else { 0 };
        number("a bit", u32::from(bit), 0, bit_max)?;
        if shape.count.is_some() && bit > 0 {
            return Err(AddressReason::BitArray { found: bit });
        }
        let needs_number = matches!(region, Region::Block(_) | Region::Instance(_));
        number("the number of a block", u32::from(region.block()), u32::from(needs_number), NUMBER_MAX)?;
        address.check_end()?;
        Ok(address)
    }

    fn check_end(&self) -> Result<(), AddressReason> {
        let (what, max) =
            if self.region.numbered().is_some() { ("a number", NUMBER_MAX) } else { ("a byte", BYTE_MAX) };
        number(what, self.start, 0, max)?;
        let elements = if self.region.numbered().is_some() { 2 } else { 1 };
        let bytes = self.shape.bytes();
        let last = self.start as usize + (bytes / elements).saturating_sub(1);
        if bytes == 0 || bytes > usize::from(u16::MAX) || last > max as usize {
            return Err(AddressReason::TooLong { shape: self.shape, bytes, start: self.start, max });
        }
        Ok(())
    }

    /// Where in the PLC.
    pub const fn region(&self) -> Region {
        self.region
    }

    /// The first byte; for timers and counters the first number.
    pub const fn start(&self) -> u32 {
        self.start
    }

    /// The bit of that byte; 0 for all but BOOL.
    pub const fn bit(&self) -> u8 {
        self.bit
    }

    /// The type of what stands there.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The item that reads or writes the place. Its payload has exactly the bytes that [`Shape::decode`] takes.
    pub const fn item(&self) -> Item {
        let (area, db) = (self.region.area(), self.region.block());
        let elements = match self.shape.count {
            Some(count) => count,
            None => 1,
        };
        // At most 65,535: checked when the address was made.
        let bytes = self.shape.bytes() as u16;
        match (self.region.numbered(), self.shape.element.transport()) {
            (Some(transport), _) => Item { transport, count: elements, db, area, address: self.start },
            (None, TransportSize::Bit) if self.shape.count.is_none() => {
                Item::bit(area, db, self.start, self.bit)
            }
            (None, TransportSize::Bit | TransportSize::Byte) => Item::bytes(area, db, self.start, bytes),
            (None, transport) => Item { transport, count: elements, ..Item::bytes(area, db, self.start, 0) },
        }
    }

    fn unfit(&self, width: Width) -> AddressReason {
        let names = self.region.types(width);
        AddressReason::TypeUnfit { found: self.shape, place: self.place(), names, instead: None }
    }

    /// The letters that stand before a number here: `DBW`, `M`, `T`.
    fn place(&self) -> &'static str {
        self.region.place(Width::of(self.shape.element))
    }
}

impl Region {
    /// The types that may stand behind this width.
    fn types(self, width: Width) -> TypeNames {
        TypeNames(DataType::ALL.into_iter().filter(|&kind| self.takes(width, kind)).collect())
    }

    const fn place(self, width: Width) -> &'static str {
        let [bit, byte, word, dword] = match self {
            Self::Block(_) => ["DBX", "DBB", "DBW", "DBD"],
            Self::Instance(_) => ["DIX", "DIB", "DIW", "DID"],
            Self::Merkers => ["M", "MB", "MW", "MD"],
            Self::Inputs => ["I", "IB", "IW", "ID"],
            Self::Outputs => ["Q", "QB", "QW", "QD"],
            Self::PeripheralInputs => ["PI", "PIB", "PIW", "PID"],
            Self::PeripheralOutputs => ["PQ", "PQB", "PQW", "PQD"],
            Self::Timers => ["T"; 4],
            Self::Counters => ["C"; 4],
        };
        match width {
            Width::Bit => bit,
            Width::Byte => byte,
            Width::Word => word,
            Width::Dword => dword,
        }
    }
}

/// In one way only, whatever way it was written: English letters in upper case, no `%`, and no type that goes without saying.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.region {
            Region::Block(number) => write!(f, "DB{number}.")?,
            Region::Instance(number) => write!(f, "DI{number}.")?,
            _ => {}
        }
        write!(f, "{}{}", self.place(), self.start)?;
        let width = Width::of(self.shape.element);
        if width == Width::Bit {
            write!(f, ".{}", self.bit)?;
        }
        if self.shape == Shape::one(self.region.default_type(width)) {
            return Ok(());
        }
        write!(f, ":{}", self.shape)
    }
}

fn number(what: &'static str, found: u32, min: u32, max: u32) -> Result<(), AddressReason> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(AddressReason::Number { what, min, max, found: found.to_string() })
}

#[cfg(test)]
mod tests;
