//! Why a text is no address: where, what was expected, what was found, and how it would be right.

use std::fmt;

use thiserror::Error;

use super::ADDRESS_BYTES_MAX;
use crate::value::{DataType, Shape, ShapeReason};

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("address `{text}`, column {}: {reason}", column(text, *at))]
pub struct AddressError {
    /// The text, as it was written; cut off when it is too long.
    pub text: String,
    /// Where in the text, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub reason: AddressReason,
}

/// Columns count characters, from 1.
fn column(text: &str, at: usize) -> usize {
    text.get(..at).map_or(0, |before| before.chars().count()) + 1
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressReason {
    /// Something else should stand here.
    #[error("expected {expected}, found {found}; write it like {example}")]
    Expected {
        /// What could stand here.
        expected: &'static str,
        /// What does.
        found: Found,
        /// How it is written, in backticks.
        example: &'static str,
    },
    /// A number outside its bounds.
    #[error("{what} is {min}..={max}, found {found}")]
    Number {
        /// What the number is.
        what: &'static str,
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
        /// What stands there.
        found: String,
    },
    /// What follows the colon is no type.
    #[error(transparent)]
    Type(#[from] ShapeReason),
    /// A type of another width than the letter says.
    #[error("{found} does not fit `{place}`, which takes {names}{}", Instead(*.instead))]
    TypeUnfit {
        /// The type.
        found: Shape,
        /// The letters that stand before the number.
        place: &'static str,
        /// What fits.
        names: TypeNames,
        /// The letters that this type goes with; `None` where none of this region do.
        instead: Option<&'static str>,
    },
    /// The periphery knows no bits.
    #[error(
        "the periphery is read in bytes, words and double words only; write it like `PIB0`, or `I0.0` for the process image"
    )]
    NoBits,
    /// An array of bits that begins within a byte.
    #[error("an array of BOOL begins at bit 0, found bit {found}; begin it there, or name single bits")]
    BitArray {
        /// The bit.
        found: u8,
    },
    /// More than one item can name, or more than there are addresses for.
    #[error("{shape} from {start} on is {bytes} bytes; an item has 1..=65535, and none behind {max}")]
    TooLong {
        /// The type.
        shape: Shape,
        /// How many bytes it takes.
        bytes: usize,
        /// Where it begins.
        start: u32,
        /// The last byte (or timer, or counter) that an address can name.
        max: u32,
    },
    /// Longer than any address.
    #[error("an address has at most {ADDRESS_BYTES_MAX} bytes, found {found}")]
    Text {
        /// Its length.
        found: usize,
    },
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This character.
    Char(char),
    /// Nothing any more.
    End,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(char) => write!(f, "`{char}`"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// The types that fit somewhere; prints their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeNames(pub Vec<DataType>);

impl fmt::Display for TypeNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join(", "))
    }
}

struct Instead(Option<&'static str>);

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |place| write!(f, "; it goes with `{place}`"))
    }
}
