//! Times: days, clocks, and both together (DATE_AND_TIME in BCD, DTL in binary); durations are read here and live beside.

use std::fmt;

use bytes::{Buf, BufMut, BytesMut};

use super::calendar::{CivilDate, ClockTime, Weekday, days_in};
use super::data::DataValue;
use super::data_type::DataType;
use super::duration::S5Time;
use super::error::{DataError, field, first};
use super::numbers::{bcd, to_bcd, to_bcd3};

const DAY_MILLISECONDS: u32 = 86_400_000;
const DTL_FIRST: (u16, u8, u8) = (1970, 1, 1);
/// The last day of a DTL; it ends within it, where 63 bits of nanoseconds end.
const DTL_LAST: (u16, u8, u8) = (2262, 4, 11);
const DTL_LAST_TIME: (u8, u8, u8, u32) = (23, 47, 16, 854_775_807);

const DATE_RANGE: &str = "from 1990-01-01 to 2169-06-06";
const TIME_OF_DAY_RANGE: &str = "from 00:00:00 to 23:59:59.999, in whole milliseconds";
const DATE_AND_TIME_RANGE: &str = "from 1990-01-01 to 2089-12-31, in whole milliseconds";
const DTL_RANGE: &str = "from 1970-01-01 to 2262-04-11-23:47:16.854775807";

/// A date with a time of day and a day of the week: DATE_AND_TIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateAndTime {
    /// The day.
    pub date: CivilDate,
    /// The time, in whole milliseconds.
    pub time: ClockTime,
    /// The day of the week, as it is written there; programs may write one that contradicts the date.
    pub weekday: Weekday,
}

impl DateAndTime {
    /// This moment, with the day of the week that the calendar says.
    pub fn new(date: CivilDate, time: ClockTime) -> Self {
        Self { date, time, weekday: date.weekday() }
    }

    pub(crate) fn from_wire(wire: [u8; 8]) -> Result<Self, DataError> {
        const KIND: DataType = DataType::DateAndTime;
        let [year, month, day, hour, minute, second, hundredths, last] = wire;
        let digits = |byte, found| bcd(KIND, byte, found);
        let year = u16::from(digits(0, year)?);
        let year = if year >= 90 { 1900 + year } else { 2000 + year };
        let date = date(KIND, year, digits(1, month)?, digits(2, day)?)?;
        // The last byte: one digit of milliseconds, and the day of the week.
        let ones = digits(7, last & 0xf0)? / 10;
        let milliseconds = u32::from(digits(6, hundredths)?) * 10 + u32::from(ones);
        let clock = (digits(3, hour)?, digits(4, minute)?, digits(5, second)?);
        let time = clock_time(KIND, clock, milliseconds * 1_000_000)?;
        Ok(Self { date, time, weekday: weekday(KIND, last & 0x0f)? })
    }

    pub(crate) fn to_wire(self) -> Option<[u8; 8]> {
        let year = (1990..=2089).contains(&self.date.year()).then(|| self.date.year() % 100)?;
        let milliseconds = (self.time.milliseconds()? % 1000) as u16;
        let tail = (to_bcd3(milliseconds) << 4) | u16::from(self.weekday.number());
        let [hundredths, last] = tail.to_be_bytes();
        let [month, day] = [self.date.month(), self.date.day()].map(to_bcd);
        let [hour, minute, second] = [self.time.hour(), self.time.minute(), self.time.second()].map(to_bcd);
        Some([to_bcd(year as u8), month, day, hour, minute, second, hundredths, last])
    }
}

/// A date with a time of day and a day of the week, to the nanosecond: DTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dtl {
    /// The day.
    pub date: CivilDate,
    /// The time.
    pub time: ClockTime,
    /// The day of the week, as it is written there; programs may write one that contradicts the date.
    pub weekday: Weekday,
}

impl Dtl {
    /// This moment, with the day of the week that the calendar says.
    pub fn new(date: CivilDate, time: ClockTime) -> Self {
        Self { date, time, weekday: date.weekday() }
    }

    fn from_wire(wire: [u8; 12]) -> Result<Self, DataError> {
        const KIND: DataType = DataType::Dtl;
        let mut wire = &wire[..];
        let (year, month, day) = (wire.get_u16(), wire.get_u8(), wire.get_u8());
        let weekday = weekday(KIND, wire.get_u8())?;
        let clock = (wire.get_u8(), wire.get_u8(), wire.get_u8());
        field(KIND, "year", (u32::from(DTL_FIRST.0), u32::from(DTL_LAST.0)), u32::from(year))?;
        let value = Self {
            date: date(KIND, year, month, day)?,
            time: clock_time(KIND, clock, wire.get_u32())?,
            weekday,
        };
        value.in_range().then_some(value).ok_or(out_of_range(KIND, DTL_RANGE))
    }

    fn in_range(&self) -> bool {
        let (date, time) = (self.date, self.time);
        let day = (date.year(), date.month(), date.day());
        let moment = (time.hour(), time.minute(), time.second(), time.nanosecond());
        day >= DTL_FIRST && (day, moment) <= (DTL_LAST, DTL_LAST_TIME)
    }

    fn put(&self, out: &mut BytesMut) {
        let (date, time) = (self.date, self.time);
        out.put_u16(date.year());
        out.put_slice(&[date.month(), date.day(), self.weekday.number()]);
        out.put_slice(&[time.hour(), time.minute(), time.second()]);
        out.put_u32(time.nanosecond());
    }
}

/// Reads a time; `None` for a type that is none.
pub(super) fn decode(kind: DataType, bytes: &[u8]) -> Result<Option<DataValue>, DataError> {
    Ok(Some(match kind {
        DataType::S5Time => DataValue::S5Time(S5Time::from_wire(first(kind, bytes)?)?),
        DataType::Time => DataValue::Time(i32::from_be_bytes(first(kind, bytes)?)),
        DataType::Ltime => DataValue::Ltime(i64::from_be_bytes(first(kind, bytes)?)),
        DataType::Date => {
            let days = u16::from_be_bytes(first(kind, bytes)?);
            DataValue::Date(CivilDate::from_days_since_1990(days))
        }
        DataType::TimeOfDay => {
            let found = u32::from_be_bytes(first(kind, bytes)?);
            field(kind, "milliseconds since midnight", (0, DAY_MILLISECONDS - 1), found)?;
            let time = ClockTime::from_milliseconds(found);
            DataValue::TimeOfDay(time.ok_or(out_of_range(kind, TIME_OF_DAY_RANGE))?)
        }
        DataType::DateAndTime => DataValue::DateAndTime(DateAndTime::from_wire(first(kind, bytes)?)?),
        DataType::Dtl => DataValue::Dtl(Dtl::from_wire(first(kind, bytes)?)?),
        _ => return Ok(None),
    }))
}

/// Appends a time; `false` for a value that is none.
pub(super) fn encode(value: &DataValue, out: &mut BytesMut) -> Result<bool, DataError> {
    match value {
        DataValue::S5Time(value) => out.put_u16(value.to_wire()),
        DataValue::Time(milliseconds) => out.put_i32(*milliseconds),
        DataValue::Ltime(nanoseconds) => out.put_i64(*nanoseconds),
        DataValue::Date(date) => {
            out.put_u16(date.days_since_1990().ok_or(out_of_range(DataType::Date, DATE_RANGE))?);
        }
        DataValue::TimeOfDay(time) => {
            let error = out_of_range(DataType::TimeOfDay, TIME_OF_DAY_RANGE);
            out.put_u32(time.milliseconds().ok_or(error)?);
        }
        DataValue::DateAndTime(moment) => {
            let error = out_of_range(DataType::DateAndTime, DATE_AND_TIME_RANGE);
            out.put_slice(&moment.to_wire().ok_or(error)?);
        }
        DataValue::Dtl(moment) if moment.in_range() => moment.put(out),
        DataValue::Dtl(_) => return Err(out_of_range(DataType::Dtl, DTL_RANGE)),
        _ => return Ok(false),
    }
    Ok(true)
}

fn out_of_range(data_type: DataType, range: &'static str) -> DataError {
    DataError::OutOfRange { data_type, range }
}

fn date(kind: DataType, year: u16, month: u8, day: u8) -> Result<CivilDate, DataError> {
    field(kind, "month", (1, 12), u32::from(month))?;
    let last = u32::from(days_in(year, month));
    field(kind, "day of the month", (1, last), u32::from(day))?;
    CivilDate::new(year, month, day).ok_or(out_of_range(kind, DTL_RANGE))
}

fn clock_time(kind: DataType, clock: (u8, u8, u8), nanosecond: u32) -> Result<ClockTime, DataError> {
    let (hour, minute, second) = clock;
    field(kind, "hour", (0, 23), u32::from(hour))?;
    field(kind, "minute", (0, 59), u32::from(minute))?;
    field(kind, "second", (0, 59), u32::from(second))?;
    field(kind, "nanosecond", (0, 999_999_999), nanosecond)?;
    ClockTime::new(hour, minute, second, nanosecond).ok_or(out_of_range(kind, TIME_OF_DAY_RANGE))
}

fn weekday(kind: DataType, found: u8) -> Result<Weekday, DataError> {
    let error = DataError::Field {
        data_type: kind,
        field: "day of the week",
        min: 1,
        max: 7,
        found: u32::from(found),
    };
    Weekday::new(found).ok_or(error)
}

/// `DT#1990-12-31-23:59:59.999`.
impl fmt::Display for DateAndTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DT#{}-{}", self.date, self.time)
    }
}

/// `DTL#2012-12-31-23:59:59.123456789`.
impl fmt::Display for Dtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DTL#{}-{}", self.date, self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: DataType = DataType::DateAndTime;

    fn date_and_time(wire: [u8; 8]) -> Result<DateAndTime, DataError> {
        DateAndTime::from_wire(wire)
    }

    #[test]
    fn date_and_time_is_eight_bytes_of_decimal_digits() {
        // The last moment of 1990, a Monday (2).
        let wire = [0x90, 0x12, 0x31, 0x23, 0x59, 0x59, 0x99, 0x92];
        let value = date_and_time(wire).unwrap();
        assert_eq!(value.to_string(), "DT#1990-12-31-23:59:59.999");
        assert_eq!(value, DateAndTime::new(value.date, value.time), "the weekday is the calendar's");
        assert_eq!(value.to_wire(), Some(wire));
        // Both ends of the type: 1990 begins a century of its own.
        let ends = [
            ([0x90, 1, 1, 0, 0, 0, 0, 0x02], "DT#1990-01-01-00:00:00"),
            ([0x89, 0x12, 0x31, 0x23, 0x59, 0x59, 0x99, 0x97], "DT#2089-12-31-23:59:59.999"),
        ];
        for (wire, printed) in ends {
            assert_eq!(date_and_time(wire).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_moment_is_a_typed_error() {
        let good = [0x90, 0x12, 0x31, 0x23, 0x59, 0x59, 0x99, 0x92];
        let with = |byte: usize, value: u8| {
            let mut wire = good;
            wire[byte] = value;
            date_and_time(wire).unwrap_err().to_string()
        };
        assert_eq!(with(7, 0x98), "DATE_AND_TIME: day of the week must be 1..=7, found 8");
        assert_eq!(with(7, 0x90), "DATE_AND_TIME: day of the week must be 1..=7, found 0");
        assert_eq!(with(7, 0xa2), "DATE_AND_TIME: byte 7 should hold two decimal digits, found A0");
        assert_eq!(with(0, 0x9a), "DATE_AND_TIME: byte 0 should hold two decimal digits, found 9A");
        assert_eq!(with(1, 0x13), "DATE_AND_TIME: month must be 1..=12, found 13");
        assert_eq!(with(1, 0x11), "DATE_AND_TIME: day of the month must be 1..=30, found 31");
        assert_eq!(with(3, 0x24), "DATE_AND_TIME: hour must be 0..=23, found 24");
    }

    #[test]
    fn a_weekday_that_contradicts_its_date_is_kept_as_found() {
        let wire = [0x93, 0x12, 0x25, 0x08, 0x12, 0x34, 0x56, 0x75];
        let value = date_and_time(wire).unwrap();
        assert_eq!((value.weekday.number(), value.date.weekday().number()), (5, 7));
        assert_eq!(value.to_wire(), Some(wire));
    }

    #[test]
    fn a_dtl_is_binary_and_ends_where_63_bits_of_nanoseconds_end() {
        let last = [0x08, 0xd6, 4, 11, 6, 23, 47, 16, 0x32, 0xf2, 0xd7, 0xff];
        let value = Dtl::from_wire(last).unwrap();
        assert_eq!(value.to_string(), "DTL#2262-04-11-23:47:16.854775807");
        let later = [0x08, 0xd6, 4, 11, 6, 23, 47, 16, 0x32, 0xf2, 0xd8, 0x00];
        assert_eq!(Dtl::from_wire(later), Err(out_of_range(DataType::Dtl, DTL_RANGE)));
        let mut out = BytesMut::new();
        value.put(&mut out);
        assert_eq!(out[..], last);
    }

    #[test]
    fn a_moment_that_a_type_cannot_hold_is_refused_on_the_way_out() {
        let (date, fine) = (CivilDate::new(2090, 1, 1).unwrap(), ClockTime::new(0, 0, 0, 1).unwrap());
        let moment = DateAndTime::new(date, ClockTime::MIDNIGHT);
        let error = encode(&DataValue::DateAndTime(moment), &mut BytesMut::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "DATE_AND_TIME goes from 1990-01-01 to 2089-12-31, in whole milliseconds"
        );
        let error = out_of_range(DataType::TimeOfDay, TIME_OF_DAY_RANGE);
        assert_eq!(encode(&DataValue::TimeOfDay(fine), &mut BytesMut::new()), Err(error));
        assert_eq!(
            decode(DataType::TimeOfDay, &86_400_000_u32.to_be_bytes()).unwrap_err().to_string(),
            "TIME_OF_DAY: milliseconds since midnight must be 0..=86399999, found 86400000"
        );
        assert!(decode(DT, &[0; 7]).is_err());
    }
}
