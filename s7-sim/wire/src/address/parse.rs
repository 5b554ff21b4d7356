//! From a text to an address, one letter after the other.

use std::str::FromStr;

use super::error::{AddressError, AddressReason, Found};
use super::{ADDRESS_BYTES_MAX, Address, BYTE_MAX, NUMBER_MAX, Region, Width};
use crate::value::Shape;

const REGION: &str = "DB, DI, M, I, Q, PI, PQ, T or C";
const REGION_EXAMPLE: &str = "`DB1.DBD4:REAL`, `MW20`, `I0.1` or `T5`";
const BLOCK_WIDTH: &str = "X (a bit), B, W or D";
const BLOCK_EXAMPLE: &str = "`DB1.DBW4` or `DB1.DBX4.0`";
const INSTANCE_EXAMPLE: &str = "`DI2.DIW4` or `DI2.DIX4.0`";
const WIDTH: &str = "B, W, D or a number";
const WIDTH_EXAMPLE: &str = "`MW20` or `M10.3`";
const PERIPHERY_WIDTH: &str = "B, W or D";
const PERIPHERY_EXAMPLE: &str = "`PIW256`";
const BIT_EXAMPLE: &str = "`M10.3` for a bit, `MB10` for a byte";

/// The regions that are no blocks, by every spelling; longer ones first.
const REGIONS: [(&str, Region); 12] = [
    ("PI", Region::PeripheralInputs),
    ("PE", Region::PeripheralInputs),
    ("PQ", Region::PeripheralOutputs),
    ("PA", Region::PeripheralOutputs),
    ("M", Region::Merkers),
    ("I", Region::Inputs),
    ("E", Region::Inputs),
    ("Q", Region::Outputs),
    ("A", Region::Outputs),
    ("T", Region::Timers),
    ("C", Region::Counters),
    ("Z", Region::Counters),
];
const BYTES: [(&str, Width); 3] = [("B", Width::Byte), ("W", Width::Word), ("D", Width::Dword)];
const BITS_AND_BYTES: [(&str, Width); 4] =
    [("X", Width::Bit), ("B", Width::Byte), ("W", Width::Word), ("D", Width::Dword)];

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.address().map_err(|reason| {
            let shown = text.chars().take(ADDRESS_BYTES_MAX).collect();
            AddressError { text: shown, at: cursor.at, reason }
        })
    }
}

/// A text and how much of it was read; stays where an error is.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn address(&mut self) -> Result<Address, AddressReason> {
        if self.text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressReason::Text { found: self.text.len() });
        }
        self.take("%");
        let (region, width) = self.region()?;
        let numbered = region.numbered().is_some();
        let (what, max) = if numbered { ("a number", NUMBER_MAX) } else { ("a byte", BYTE_MAX) };
        let start = self.number(what, 0, max)?;
        let bit = if width == Width::Bit { self.bit()? } else { 0 };
        let shape = self.shape(region, width)?;
        Address::new(region, start, bit, shape)
    }

    /// Everything up to the number of the byte.
    fn region(&mut self) -> Result<(Region, Width), AddressReason> {
        if self.take("DB") {
            return self.block(Region::Block, "DB", BLOCK_EXAMPLE);
        }
        if self.take("DI") {
            return self.block(Region::Instance, "DI", INSTANCE_EXAMPLE);
        }
        let region = self.one_of(&REGIONS).ok_or_else(|| self.expected(REGION, REGION_EXAMPLE))?;
        let width = match region {
            Region::Timers | Region::Counters => Width::Word,
            Region::PeripheralInputs | Region::PeripheralOutputs => self.periphery_width()?,
            _ => match self.one_of(&BITS_AND_BYTES) {
                Some(width) => width,
                None if self.next().is_some_and(|char| char.is_ascii_digit()) => Width::Bit,
                None => return Err(self.expected(WIDTH, WIDTH_EXAMPLE)),
            },
        };
        Ok((region, width))
    }

    fn block(
        &mut self,
        region: fn(u16) -> Region,
        letters: &str,
        example: &'static str,
    ) -> Result<(Region, Width), AddressReason> {
        // At most 65,535, by its bounds.
        let number = self.number("the number of a block", 1, NUMBER_MAX)? as u16;
        if !self.take(".") {
            return Err(self.expected("a dot", example));
        }
        if !self.take(letters) {
            return Err(self.expected("the letters of the block once more", example));
        }
        let width = self.one_of(&BITS_AND_BYTES).ok_or_else(|| self.expected(BLOCK_WIDTH, example))?;
        Ok((region(number), width))
    }

    fn periphery_width(&mut self) -> Result<Width, AddressReason> {
        let is_bit = self.next().is_some_and(|char| char.is_ascii_digit() || char.eq_ignore_ascii_case(&'x'));
        if is_bit {
            return Err(AddressReason::NoBits);
        }
        self.one_of(&BYTES).ok_or_else(|| self.expected(PERIPHERY_WIDTH, PERIPHERY_EXAMPLE))
    }

    fn bit(&mut self) -> Result<u8, AddressReason> {
        if !self.take(".") {
            return Err(self.expected("a dot and a bit", BIT_EXAMPLE));
        }
        // At most 7, by its bounds.
        Ok(self.number("a bit", 0, 7)? as u8)
    }

    /// The type behind the colon, or the one that goes without saying.
    fn shape(&mut self, region: Region, width: Width) -> Result<Shape, AddressReason> {
        if self.rest().is_empty() {
            return Ok(Shape::one(region.default_type(width)));
        }
        if !self.take(":") {
            return Err(self.expected("a colon and a type, or the end", "`DB1.DBW0:INT`"));
        }
        let shape: Shape = match self.rest().parse() {
            Ok(shape) => shape,
            Err(error) => {
                self.at += error.at;
                return Err(error.reason.into());
            }
        };
        if region.takes(width, shape.element) {
            return Ok(shape);
        }
        let own = Width::of(shape.element);
        let fits = region.takes(own, shape.element) && (own != Width::Bit || region.has_bits());
        let instead = fits.then(|| region.place(own));
        let (place, names) = (region.place(width), region.types(width));
        Err(AddressReason::TypeUnfit { found: shape, place, names, instead })
    }

    fn number(&mut self, what: &'static str, min: u32, max: u32) -> Result<u32, AddressReason> {
        let rest = self.rest();
        let digits = &rest[..rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())];
        if digits.is_empty() {
            return Err(self.expected("a number", REGION_EXAMPLE));
        }
        match digits.parse().ok().filter(|number| (min..=max).contains(number)) {
            Some(number) => {
                self.at += digits.len();
                Ok(number)
            }
            None => Err(AddressReason::Number { what, min, max, found: digits.to_owned() }),
        }
    }

    /// Takes these letters, in any case, if they come next.
    fn take(&mut self, letters: &str) -> bool {
        let next = self.rest().as_bytes().get(..letters.len());
        let taken = next.is_some_and(|next| next.eq_ignore_ascii_case(letters.as_bytes()));
        if taken {
            self.at += letters.len();
        }
        taken
    }

    fn one_of<T: Copy>(&mut self, known: &[(&str, T)]) -> Option<T> {
        known.iter().find(|(letters, _)| self.take(letters)).map(|&(_, value)| value)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn expected(&self, expected: &'static str, example: &'static str) -> AddressReason {
        let found = self.next().map_or(Found::End, Found::Char);
        AddressReason::Expected { expected, found, example }
    }
}
