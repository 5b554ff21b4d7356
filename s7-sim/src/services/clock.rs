//! Reading and setting the clock.

use bytes::Bytes;
use jiff::civil::{Date, DateTime, Time};
use s7_wire::ErrorWord;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::clock::{ClockTime, READ, READ_F, SET};

use crate::plc::Plc;

/// The years that two digits can name.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2089;

pub(super) fn serve(plc: &Plc, request: &Userdata, may_set: bool) -> Result<Bytes, ErrorWord> {
    match request.subfunction {
        READ | READ_F => Ok(Bytes::copy_from_slice(&on_the_wire(plc.cpu().clock()).encode())),
        SET if !may_set => Err(ErrorWord::PASSWORD_NEEDED),
        SET => {
            let wanted = ClockTime::decode(&request.payload).ok().and_then(in_the_calendar);
            plc.set_clock(wanted.ok_or(ErrorWord::CLOCK_VALUE)?);
            Ok(Bytes::new())
        }
        _ => Err(ErrorWord::FUNCTION_UNAVAILABLE),
    }
}

/// The time as it travels; a year beyond the two digits stands at their end.
pub(super) fn on_the_wire(time: DateTime) -> ClockTime {
    ClockTime {
        year: time.year().clamp(*YEARS.start(), *YEARS.end()) as u16,
        month: time.month() as u8,
        day: time.day() as u8,
        hour: time.hour() as u8,
        minute: time.minute() as u8,
        second: time.second() as u8,
        millisecond: time.millisecond() as u16,
        weekday: time.weekday().to_sunday_one_offset() as u8,
    }
}

/// The time, if its month has the day.
fn in_the_calendar(time: ClockTime) -> Option<DateTime> {
    let date = Date::new(time.year as i16, time.month as i8, time.day as i8).ok()?;
    let nanosecond = i32::from(time.millisecond) * 1_000_000;
    let time = Time::new(time.hour as i8, time.minute as i8, time.second as i8, nanosecond).ok()?;
    Some(date.to_datetime(time))
}
