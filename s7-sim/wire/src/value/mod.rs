//! Values: what the bytes of an item mean. Big-endian, as S7 keeps them.
//!
//! Two vocabularies, and the smaller is part of the larger. [`Value`] has the seven plain types: `Copy`, read and written in place,
//! without a heap. [`DataValue`] has every type that a PLC's program declares, text, times and arrays among them; its type is a
//! [`Shape`]. Bytes that no value of a type can have (a BCD digit of 12, a 31st of February, a string longer than itself) are a
//! [`DataError`].
//!
//! ```
//! use s7_wire::value::{DataValue, Shape};
//!
//! let shape: Shape = "STRING[8]".parse()?;
//! let value = shape.decode(b"\x08\x04pump\0\0\0\0")?;
//! assert_eq!(value, DataValue::String("pump".to_owned()));
//! let lie = shape.decode(b"\x08\x09pump\0\0\0\0").unwrap_err();
//! assert_eq!(lie.to_string(), "STRING[8]: actual length 9 is longer than 8, the longest there is room for");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calendar;
mod data;
mod data_type;
mod duration;
mod elementary;
mod error;
mod numbers;
mod shape;
mod text;
mod time;

pub use calendar::{CivilDate, ClockTime, Weekday};
pub use data::DataValue;
pub use data_type::{DataType, STRING_CHARS_MAX, WSTRING_CHARS_MAX};
pub use duration::{S5Time, S5TimeBase};
pub use elementary::{UnknownType, Value, ValueError, ValueType};
pub use error::DataError;
pub use shape::{Shape, ShapeError, ShapeReason};
pub use time::{DateAndTime, Dtl};
