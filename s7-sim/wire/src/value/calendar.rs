//! Dates and times of day, without a clock and without time zones: a PLC has neither.

use std::fmt;

/// Days from 0001-01-01 to 1990-01-01, where DATE and DATE_AND_TIME begin.
const DAYS_TO_1990: u32 = 726_467;
const YEAR_MAX: u16 = 9999;

/// A day of the Gregorian calendar; none that does not exist can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CivilDate {
    year: u16,
    month: u8,
    day: u8,
}

impl CivilDate {
    /// The day; `None` when the calendar has none like it. Years are 1..=9999.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let sound = year >= 1
            && year <= YEAR_MAX
            && month >= 1
            && month <= 12
            && day >= 1
            && day <= days_in(year, month);
        if sound { Some(Self { year, month, day }) } else { None }
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1990-01-01, as DATE counts them; `None` before, and after 2169-06-06, where 16 bits end.
    pub fn days_since_1990(self) -> Option<u16> {
        u16::try_from(self.ordinal().checked_sub(DAYS_TO_1990)?).ok()
    }

    /// The day so many days after 1990-01-01.
    pub fn from_days_since_1990(days: u16) -> Self {
        Self::from_ordinal(DAYS_TO_1990 + u32::from(days))
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        // 0001-01-01 was a Monday, day 2 of a week that begins on Sunday.
        Weekday(((self.ordinal() + 1) % 7 + 1) as u8)
    }

    /// Days since 0001-01-01.
    fn ordinal(self) -> u32 {
        let months = (1..self.month).map(|month| u32::from(days_in(self.year, month)));
        days_before(u32::from(self.year)) + months.sum::<u32>() + u32::from(self.day) - 1
    }

    fn from_ordinal(days: u32) -> Self {
        // A guess that is never too late, and at most a few years too early.
        let mut year = days / 366 + 1;
        while days_before(year + 1) <= days {
            year += 1;
        }
        let (year, mut left) = (year as u16, days - days_before(year));
        let mut month = 1;
        while left >= u32::from(days_in(year, month)) {
            left -= u32::from(days_in(year, month));
            month += 1;
        }
        Self { year, month, day: left as u8 + 1 }
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days from 0001-01-01 to the first day of `year`.
const fn days_before(year: u32) -> u32 {
    let past = year - 1;
    365 * past + past / 4 - past / 100 + past / 400
}

/// Days that `month` has.
pub(super) const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// A day of the week as S7 counts: Sunday is 1, Saturday 7.
///
/// A PLC's program may have written one that contradicts its date; it is kept as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Weekday(u8);

impl Weekday {
    /// The day with this number; `None` outside 1..=7.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 7 { Some(Self(number)) } else { None }
    }

    /// Its number, 1..=7.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A time of day, 00:00:00 to 23:59:59.999999999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClockTime {
    hour: u8,
    minute: u8,
    second: u8,
    nanosecond: u32,
}

impl ClockTime {
    /// Midnight, where a day begins.
    pub const MIDNIGHT: Self = Self { hour: 0, minute: 0, second: 0, nanosecond: 0 };

    /// The time; `None` when no clock shows it. Leap seconds are none that S7 knows.
    pub const fn new(hour: u8, minute: u8, second: u8, nanosecond: u32) -> Option<Self> {
        if hour < 24 && minute < 60 && second < 60 && nanosecond < 1_000_000_000 {
            return Some(Self { hour, minute, second, nanosecond });
        }
        None
    }

    /// So many milliseconds after midnight; `None` from 86,400,000 on.
    pub const fn from_milliseconds(milliseconds: u32) -> Option<Self> {
        let seconds = milliseconds / 1000;
        if seconds >= 86_400 {
            return None;
        }
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Self::new(hour as u8, minute as u8, second as u8, milliseconds % 1000 * 1_000_000)
    }

    /// Milliseconds since midnight; `None` where the time is finer than that.
    pub const fn milliseconds(self) -> Option<u32> {
        if !self.nanosecond.is_multiple_of(1_000_000) {
            return None;
        }
        let seconds = self.hour as u32 * 3600 + self.minute as u32 * 60 + self.second as u32;
        Some(seconds * 1000 + self.nanosecond / 1_000_000)
    }

    /// The hour, 0..=23.
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// The minute, 0..=59.
    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// The second, 0..=59.
    pub const fn second(self) -> u8 {
        self.second
    }

    /// Nanoseconds of the second.
    pub const fn nanosecond(self) -> u32 {
        self.nanosecond
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        match (self.nanosecond, self.nanosecond.is_multiple_of(1_000_000)) {
            (0, _) => Ok(()),
            (nanosecond, true) => write!(f, ".{:03}", nanosecond / 1_000_000),
            (nanosecond, false) => write!(f, ".{nanosecond:09}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u16, month: u8, day: u8) -> CivilDate {
        CivilDate::new(year, month, day).unwrap()
    }

    #[test]
    fn date_ends_where_the_documents_say_it_does() {
        // S7-300/400: D#2168-12-31 is W#16#FF62. S7-1500: the type ends with D#2169-06-06.
        for (days, date) in
            [(0, date(1990, 1, 1)), (0xff62, date(2168, 12, 31)), (u16::MAX, date(2169, 6, 6))]
        {
            assert_eq!(CivilDate::from_days_since_1990(days), date);
            assert_eq!(date.days_since_1990(), Some(days));
        }
        assert_eq!(date(2169, 6, 7).days_since_1990(), None);
        assert_eq!(date(1989, 12, 31).days_since_1990(), None);
    }

    #[test]
    fn every_day_of_the_type_survives_a_round_trip_and_follows_the_one_before() {
        let mut before: Option<CivilDate> = None;
        for days in 0..=u16::MAX {
            let date = CivilDate::from_days_since_1990(days);
            assert_eq!(
                (date.days_since_1990(), before.is_none_or(|before| before < date)),
                (Some(days), true)
            );
            before = Some(date);
        }
    }

    #[test]
    fn leap_years_and_weekdays_are_those_of_the_calendar() {
        assert_eq!(CivilDate::new(2000, 2, 29).map(CivilDate::weekday), Weekday::new(3));
        assert_eq!(date(1990, 1, 1).weekday(), Weekday(2));
        assert_eq!(date(1970, 1, 1).weekday(), Weekday(5));
        for (year, month, day) in
            [(2100, 2, 29), (2023, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (0, 1, 1)]
        {
            assert_eq!(CivilDate::new(year, month, day), None);
        }
    }

    #[test]
    fn a_day_has_86_400_seconds() {
        let last = ClockTime::new(23, 59, 59, 999_000_000);
        assert_eq!(ClockTime::from_milliseconds(86_399_999), last);
        assert_eq!(last.and_then(ClockTime::milliseconds), Some(86_399_999));
        assert_eq!(ClockTime::from_milliseconds(86_400_000), None);
        assert_eq!(ClockTime::new(0, 0, 0, 1).and_then(ClockTime::milliseconds), None);
    }
}
