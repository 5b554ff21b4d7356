//! The PLC's clock. Group Clock.
//!
//! Ten bytes: a zero, the century as 19 or 20, then DATE_AND_TIME: year, month, day, hour, minute, second and milliseconds in BCD,
//! the last half byte being the weekday (1 is Sunday). The year's two digits mean 1990 to 2089.

use thiserror::Error;

/// Read the clock.
pub const READ: u8 = 0x01;
/// Set it.
pub const SET: u8 = 0x02;
/// Read the clock, as newer tools ask.
pub const READ_F: u8 = 0x03;

/// Bytes of a time on the wire.
pub const TIME_BYTES: usize = 10;

/// A date and time as a PLC keeps it: to the millisecond, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClockTime {
    /// 1990..=2089.
    pub year: u16,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=59.
    pub second: u8,
    /// 0..=999.
    pub millisecond: u16,
    /// 1..=7, 1 is Sunday.
    pub weekday: u8,
}

/// Why ten bytes are no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClockError {
    /// Another length.
    #[error("clock: expected {TIME_BYTES} bytes, found {found}")]
    Length {
        /// How long it is.
        found: usize,
    },
    /// A field out of its range, or no BCD.
    #[error("clock: {field} is out of its range, found byte {found:02X}")]
    Field {
        /// Which.
        field: &'static str,
        /// Its byte.
        found: u8,
    },
}

impl ClockTime {
    /// Reads a time off the wire. Whether its month has the day is the caller's calendar to say.
    pub fn decode(bytes: &[u8]) -> Result<Self, ClockError> {
        let &[_zero, _century, year, month, day, hour, minute, second, millis, last] =
            <&[u8; TIME_BYTES]>::try_from(bytes).map_err(|_| ClockError::Length { found: bytes.len() })?;
        let short_year = u16::from(field("year", year, 0, 99)?);
        let millisecond = u16::from(field("milliseconds", millis, 0, 99)?) * 10
            + u16::from(field("milliseconds", last >> 4, 0, 9)?);
        Ok(Self {
            year: if short_year < 90 { 2000 + short_year } else { 1900 + short_year },
            month: field("month", month, 1, 12)?,
            day: field("day", day, 1, 31)?,
            hour: field("hour", hour, 0, 23)?,
            minute: field("minute", minute, 0, 59)?,
            second: field("second", second, 0, 59)?,
            millisecond,
            weekday: field("weekday", last & 0x0f, 1, 7)?,
        })
    }

    /// The time on the wire.
    pub const fn encode(self) -> [u8; TIME_BYTES] {
        [
            0,
            if self.year < 2000 { 0x19 } else { 0x20 },
            bcd((self.year % 100) as u8),
            bcd(self.month),
            bcd(self.day),
            bcd(self.hour),
            bcd(self.minute),
            bcd(self.second),
            bcd((self.millisecond / 10) as u8),
            (((self.millisecond % 10) as u8) << 4) | self.weekday,
        ]
    }
}

const fn bcd(value: u8) -> u8 {
    ((value / 10) << 4) | (value % 10)
}

fn field(field: &'static str, found: u8, least: u8, most: u8) -> Result<u8, ClockError> {
    let (tens, ones) = (found >> 4, found & 0x0f);
    let value = (tens <= 9 && ones <= 9).then_some(tens * 10 + ones);
    value.filter(|value| (least..=most).contains(value)).ok_or(ClockError::Field { field, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_known_bytes_both_ways() {
        let time = ClockTime {
            year: 2026,
            month: 11,
            day: 21,
            hour: 8,
            minute: 5,
            second: 59,
            millisecond: 123,
            weekday: 7,
        };
        let bytes = [0x00, 0x20, 0x26, 0x11, 0x21, 0x08, 0x05, 0x59, 0x12, 0x37];
        assert_eq!(time.encode(), bytes);
        assert_eq!(ClockTime::decode(&bytes), Ok(time));
        let last_century = [0x00, 0x19, 0x90, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x02];
        assert_eq!(ClockTime::decode(&last_century).unwrap().year, 1990);
    }

    #[test]
    fn what_is_no_bcd_or_no_date_is_named() {
        let mut bytes = [0x00, 0x20, 0x26, 0x13, 0x21, 0x08, 0x05, 0x59, 0x12, 0x37];
        assert_eq!(ClockTime::decode(&bytes), Err(ClockError::Field { field: "month", found: 0x13 }));
        bytes[3] = 0x0a;
        assert_eq!(ClockTime::decode(&bytes), Err(ClockError::Field { field: "month", found: 0x0a }));
        assert_eq!(ClockTime::decode(&bytes[..8]), Err(ClockError::Length { found: 8 }));
    }
}
