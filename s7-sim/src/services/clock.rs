//! Reading and setting the clock.

use bytes::Bytes;
use jiff::civil::{Date, DateTime, Time};
use s7_wire::ErrorWord;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::clock::{self, READ, READ_F, SET, TIME_BYTES};
use s7_wire::value::{CivilDate, ClockTime, DateAndTime};

use crate::plc::Plc;

pub(super) fn serve(plc: &Plc, request: &Userdata, may_set: bool) -> Result<Bytes, ErrorWord> {
    match request.subfunction {
        READ | READ_F => Ok(Bytes::copy_from_slice(&on_the_wire(plc.cpu().clock()))),
        SET if !may_set => Err(ErrorWord::PASSWORD_NEEDED),
        SET => {
            let wanted = clock::decode(&request.payload).ok().and_then(of_the_wire);
            plc.set_clock(wanted.ok_or(ErrorWord::CLOCK_VALUE)?);
            Ok(Bytes::new())
        }
        _ => Err(ErrorWord::FUNCTION_UNAVAILABLE),
    }
}

/// The time as it travels, in whole milliseconds. A year that two digits cannot name is answered as zeros, as an unset clock.
pub(super) fn on_the_wire(time: DateTime) -> [u8; TIME_BYTES] {
    let milliseconds = u32::from(time.millisecond().unsigned_abs()) * 1_000_000;
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i8::unsigned_abs);
    let date = CivilDate::new(time.year().unsigned_abs(), month, day);
    let moment = date.zip(ClockTime::new(hour, minute, second, milliseconds));
    moment.and_then(|(date, time)| clock::encode(DateAndTime::new(date, time))).unwrap_or_default()
}

fn of_the_wire(moment: DateAndTime) -> Option<DateTime> {
    let (date, time) = (moment.date, moment.time);
    let nanosecond = time.milliseconds()? % 1000 * 1_000_000;
    let date = Date::new(date.year() as i16, date.month() as i8, date.day() as i8).ok()?;
    let time =
        Time::new(time.hour() as i8, time.minute() as i8, time.second() as i8, nanosecond as i32).ok()?;
    Some(date.to_datetime(time))
}
