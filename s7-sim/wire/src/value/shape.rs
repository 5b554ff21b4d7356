//! A shape: one element of a type, or an array of them. Written `INT`, `INT[10]`, `STRING[20]`, `STRING[20][4]`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::data_type::{DataType, STRING_CHARS_MAX, WSTRING_CHARS_MAX};

/// What `WSTRING` without a length means.
const WSTRING_CHARS_DEFAULT: u16 = 254;

/// One element, or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// The type of an element.
    pub element: DataType,
    /// How many elements an array has; `None` for a value that stands alone. An array of one is an array.
    pub count: Option<u16>,
}

impl Shape {
    /// One element.
    pub const fn one(element: DataType) -> Self {
        Self { element, count: None }
    }

    /// An array of so many elements.
    pub const fn array(element: DataType, count: u16) -> Self {
        Self { element, count: Some(count) }
    }

    /// Bytes from the first to the last. Bits of an array are packed, eight to a byte; every other element begins a whole
    /// [`stride`](DataType::stride) behind the one before.
    pub const fn bytes(self) -> usize {
        match self.count {
            None => self.element.bytes(),
            Some(0) => 0,
            Some(count) if matches!(self.element, DataType::Bool) => (count as usize).div_ceil(8),
            Some(count) => (count as usize - 1) * self.element.stride() + self.element.bytes(),
        }
    }
}

impl From<DataType> for Shape {
    fn from(element: DataType) -> Self {
        Self::one(element)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.element.fmt(f)?;
        match self.count {
            None => Ok(()),
            Some(count) => write!(f, "[{count}]"),
        }
    }
}

/// Why a text names no shape.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {}: {reason}", at + 1)]
pub struct ShapeError {
    /// Where in the text, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub reason: ShapeReason,
}

/// What is wrong with a type as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShapeReason {
    /// A name that is none of the types.
    #[error("expected a type, found `{found}`; types: {}", Names)]
    Unknown {
        /// What stands there.
        found: String,
    },
    /// A length outside its bounds.
    #[error("{of} takes a length of {min}..={max}, found `{found}`; write it like `{example}`")]
    Length {
        /// Whose length.
        of: &'static str,
        /// The smallest.
        min: u16,
        /// The largest.
        max: u16,
        /// What stands there.
        found: String,
        /// How it is written.
        example: &'static str,
    },
    /// Something behind the type.
    #[error("expected `[length]` or the end, found `{found}`; write it like `INT[10]` or `STRING[20]`")]
    Rest {
        /// What stands there.
        found: String,
    },
}

struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = DataType::ALL.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join(", "))
    }
}

impl FromStr for Shape {
    type Err = ShapeError;

    /// Takes the names in any case, and TOD and DT for the long ones.
    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let name = &text[..text.find('[').unwrap_or(text.len())];
        let unknown = || ShapeError { at: 0, reason: ShapeReason::Unknown { found: name.to_owned() } };
        let mut rest = Rest { text, at: name.len() };
        let element = match DataType::named(name).ok_or_else(unknown)? {
            DataType::String { .. } => {
                let bounds = Bounds::new("STRING", u16::from(STRING_CHARS_MAX), "STRING[20]");
                let max = rest.length(&bounds)?.unwrap_or(u16::from(STRING_CHARS_MAX));
                // At most 254, by its bounds.
                DataType::String { max: max as u8 }
            }
            DataType::Wstring { .. } => {
                let bounds = Bounds::new("WSTRING", WSTRING_CHARS_MAX, "WSTRING[20]");
                DataType::Wstring { max: rest.length(&bounds)?.unwrap_or(WSTRING_CHARS_DEFAULT) }
            }
            other => other,
        };
        let count = rest.length(&Bounds::new("an array", u16::MAX, "INT[10]"))?;
        rest.end()?;
        Ok(Self { element, count })
    }
}

/// What a length in brackets may be.
struct Bounds {
    of: &'static str,
    max: u16,
    example: &'static str,
}

impl Bounds {
    const fn new(of: &'static str, max: u16, example: &'static str) -> Self {
        Self { of, max, example }
    }
}

/// What stands behind the name.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl Rest<'_> {
    /// Takes `[n]`, if it stands here.
    fn length(&mut self, bounds: &Bounds) -> Result<Option<u16>, ShapeError> {
        let Some(inner) = self.text[self.at..].strip_prefix('[') else { return Ok(None) };
        let found = &inner[..inner.find(']').unwrap_or(inner.len())];
        let digits = !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit());
        let number = found.parse().ok().filter(|number| digits && (1..=bounds.max).contains(number));
        match number {
            Some(number) if found.len() < inner.len() => {
                self.at += found.len() + 2;
                Ok(Some(number))
            }
            _ => Err(ShapeError { at: self.at + 1, reason: bounds.error(found) }),
        }
    }

    fn end(&self) -> Result<(), ShapeError> {
        match &self.text[self.at..] {
            "" => Ok(()),
            found => Err(ShapeError { at: self.at, reason: ShapeReason::Rest { found: found.to_owned() } }),
        }
    }
}

impl Bounds {
    fn error(&self, found: &str) -> ShapeReason {
        let &Self { of, max, example } = self;
        ShapeReason::Length { of, min: 1, max, found: found.to_owned(), example }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Shape>().unwrap_err().to_string()
    }

    #[test]
    fn shapes_parse_in_any_case_and_print_with_every_length() {
        for (text, printed, bytes) in [
            ("int", "INT", 2),
            ("Int[10]", "INT[10]", 20),
            ("STRING", "STRING[254]", 256),
            ("string[5]", "STRING[5]", 7),
            ("STRING[5][3]", "STRING[5][3]", 23),
            ("wstring", "WSTRING[254]", 512),
            ("bool[9]", "BOOL[9]", 2),
            ("tod", "TIME_OF_DAY", 4),
            ("DTL[2]", "DTL[2]", 24),
        ] {
            let shape: Shape = text.parse().unwrap();
            assert_eq!((shape.to_string().as_str(), shape.bytes()), (printed, bytes));
            assert_eq!(printed.parse(), Ok(shape));
        }
    }

    #[test]
    fn errors_say_where_and_what_would_do() {
        assert_eq!(
            error("STRING[300]"),
            "column 8: STRING takes a length of 1..=254, found `300`; write it like `STRING[20]`"
        );
        assert_eq!(
            error("INT[0]"),
            "column 5: an array takes a length of 1..=65535, found `0`; write it like `INT[10]`"
        );
        assert_eq!(
            error("INT[10"),
            "column 5: an array takes a length of 1..=65535, found `10`; write it like `INT[10]`"
        );
        assert_eq!(
            error("INT[1]x"),
            "column 7: expected `[length]` or the end, found `x`; write it like `INT[10]` or `STRING[20]`"
        );
        assert!(
            error("REAL32")
                .starts_with("column 1: expected a type, found `REAL32`; types: BOOL, BYTE, WORD, ")
        );
    }
}
