//! Durations: S5TIME in BCD with a unit, and how TIME and LTIME are written.

use std::fmt;
use std::time::Duration;

use super::data_type::DataType;
use super::error::DataError;
use super::numbers::{bcd, to_bcd3};

/// Largest count of an S5TIME: three decimal digits.
const S5_COUNT_MAX: u16 = 999;

/// The unit in which an S5TIME counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum S5TimeBase {
    /// 10 ms.
    Milliseconds10,
    /// 100 ms.
    Milliseconds100,
    /// One second.
    Second,
    /// 10 s.
    Seconds10,
}

impl S5TimeBase {
    /// Every unit, by its two bits.
    pub const ALL: [Self; 4] = [Self::Milliseconds10, Self::Milliseconds100, Self::Second, Self::Seconds10];

    /// The unit in milliseconds.
    pub const fn milliseconds(self) -> u16 {
        match self {
            Self::Milliseconds10 => 10,
            Self::Milliseconds100 => 100,
            Self::Second => 1000,
            Self::Seconds10 => 10_000,
        }
    }
}

/// A duration as the S5 counted it: 0..=999 units of a base, up to 2h 46m 30s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct S5Time {
    base: S5TimeBase,
    count: u16,
}

impl S5Time {
    /// So many units; `None` above 999.
    pub const fn new(base: S5TimeBase, count: u16) -> Option<Self> {
        if count <= S5_COUNT_MAX { Some(Self { base, count }) } else { None }
    }

    /// The duration in the finest unit that can hold it, cut off to that unit; `None` above 9,990 s.
    pub fn from_duration(duration: Duration) -> Option<Self> {
        S5TimeBase::ALL.into_iter().find_map(|base| {
            let count = duration.as_millis() / u128::from(base.milliseconds());
            Self::new(base, u16::try_from(count).ok()?)
        })
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.base.milliseconds() as u64 * self.count as u64)
    }

    /// Two bits without a meaning, two for the unit, three decimal digits.
    pub(super) fn from_wire([hi, lo]: [u8; 2]) -> Result<Self, DataError> {
        let hundreds = bcd(DataType::S5Time, 0, hi & 0x0f)?;
        let count = u16::from(hundreds) * 100 + u16::from(bcd(DataType::S5Time, 1, lo)?);
        Ok(Self { base: S5TimeBase::ALL[usize::from((hi >> 4) & 0b11)], count })
    }

    pub(super) const fn to_wire(self) -> u16 {
        ((self.base as u16) << 12) | to_bcd3(self.count)
    }
}

/// `S5T#2m7s`.
impl fmt::Display for S5Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S5T#")?;
        write_parts(f, self.duration().as_nanos(), &PARTS[..5])
    }
}

const PARTS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

/// Writes a TIME as programs do: `T#-1d2h`.
pub(super) fn write_time(f: &mut fmt::Formatter<'_>, milliseconds: i32) -> fmt::Result {
    f.write_str(if milliseconds < 0 { "T#-" } else { "T#" })?;
    write_parts(f, u128::from(milliseconds.unsigned_abs()) * 1_000_000, &PARTS[..5])
}

/// Writes an LTIME as programs do: `LT#5us`.
pub(super) fn write_ltime(f: &mut fmt::Formatter<'_>, nanoseconds: i64) -> fmt::Result {
    f.write_str(if nanoseconds < 0 { "LT#-" } else { "LT#" })?;
    write_parts(f, u128::from(nanoseconds.unsigned_abs()), &PARTS)
}

/// Writes the parts that are not zero; nothing at all is zero of the smallest.
fn write_parts(f: &mut fmt::Formatter<'_>, mut left: u128, parts: &[(&str, u128)]) -> fmt::Result {
    if left == 0 {
        return write!(f, "0{}", parts.last().map_or("", |(name, _)| name));
    }
    for &(name, nanoseconds) in parts {
        let count = left / nanoseconds;
        left %= nanoseconds;
        if count > 0 {
            write!(f, "{count}{name}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_s5time_is_a_unit_and_three_digits() {
        // 127 s in units of one second: W#16#2127.
        let value = S5Time::from_wire([0x21, 0x27]).unwrap();
        assert_eq!((value.duration(), value.to_string().as_str()), (Duration::from_secs(127), "S5T#2m7s"));
        assert_eq!(value.to_wire(), 0x2127);
        assert_eq!(S5Time::from_wire([0xe1, 0x27]), Ok(value), "two bits mean nothing");
        let longest = S5Time::new(S5TimeBase::Seconds10, 999).unwrap();
        assert_eq!(longest.to_string(), "S5T#2h46m30s");
        assert_eq!(S5Time::from_duration(Duration::from_secs(9990)), Some(longest));
        assert_eq!(S5Time::from_duration(Duration::from_secs(10_000)), None);
        let error = DataError::Bcd { data_type: DataType::S5Time, byte: 0, found: 0x0a };
        assert_eq!(S5Time::from_wire([0x2a, 0x27]), Err(error));
    }
}
