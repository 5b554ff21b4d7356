//! The PLC's clock. Group Clock.
//!
//! Ten bytes: a zero, the century as 19 or 20, then DATE_AND_TIME, whose two digits of the year alone say which year it is (tools
//! write the century as 19 whatever it is).

use thiserror::Error;

use crate::value::{DataError, DateAndTime};

/// Read the clock.
pub const READ: u8 = 0x01;
/// Set it.
pub const SET: u8 = 0x02;
/// Read the clock, as newer tools ask.
pub const READ_F: u8 = 0x03;

/// Bytes of a time on the wire.
pub const TIME_BYTES: usize = 10;

/// Why a payload is no time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// Another length.
    #[error("clock: expected {TIME_BYTES} bytes, found {found}")]
    Length {
        /// How long it is.
        found: usize,
    },
    /// No BCD, or not in the calendar.
    #[error("clock: {0}")]
    Value(#[from] DataError),
}

/// Reads a time off the wire.
pub fn decode(payload: &[u8]) -> Result<DateAndTime, ClockError> {
    let length = ClockError::Length { found: payload.len() };
    let &[_zero, _century, ref wire @ ..] = <&[u8; TIME_BYTES]>::try_from(payload).map_err(|_| length)?;
    Ok(DateAndTime::from_wire(*wire)?)
}

/// The time on the wire; `None` outside 1990 to 2089, or where it is finer than milliseconds.
pub fn encode(time: DateAndTime) -> Option<[u8; TIME_BYTES]> {
    let century = if time.date.year() < 2000 { 0x19 } else { 0x20 };
    let mut payload = [0, century, 0, 0, 0, 0, 0, 0, 0, 0];
    payload[2..].copy_from_slice(&time.to_wire()?);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{CivilDate, ClockTime};

    #[test]
    fn a_time_has_its_known_bytes_both_ways() {
        let (date, clock) = (CivilDate::new(2026, 11, 21), ClockTime::new(8, 5, 59, 123_000_000));
        let time = DateAndTime::new(date.unwrap(), clock.unwrap());
        let bytes = [0x00, 0x20, 0x26, 0x11, 0x21, 0x08, 0x05, 0x59, 0x12, 0x37];
        assert_eq!(encode(time), Some(bytes));
        assert_eq!(decode(&bytes), Ok(time));
        let last_century = [0x00, 0x19, 0x90, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x02];
        assert_eq!(decode(&last_century).unwrap().date.year(), 1990);
    }

    #[test]
    fn what_is_no_bcd_no_date_or_no_time_is_refused() {
        let sound = [0x00, 0x20, 0x24, 0x02, 0x29, 0x08, 0x05, 0x59, 0x12, 0x35];
        assert!(decode(&sound).is_ok());
        for (at, byte) in [(3, 0x13), (3, 0x0a), (2, 0x23), (5, 0x24), (9, 0x30)] {
            let mut wrong = sound;
            wrong[at] = byte;
            assert!(matches!(decode(&wrong), Err(ClockError::Value(_))), "byte {at} as {byte:02X}");
        }
        assert_eq!(decode(&sound[..8]), Err(ClockError::Length { found: 8 }));
    }
}
