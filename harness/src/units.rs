//! Values with units, as people write them in a scenario: `30s`, `64KiB`, `1MiB/s`, `20%`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is wrong with a value that has a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct UnitError {
    expected: &'static str,
    found: String,
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($open:vis $inner:ty), $expected:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name($open $inner);

        impl $name {
            fn error(found: &str) -> UnitError {
                UnitError { expected: $expected, found: found.to_owned() }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "scenarios")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "number"], "pattern": $pattern, "description": $expected })
            }
        }
    };
}

unit!(
    /// A span of time.
    Time(pub Duration), "a time with its unit, such as `250ms`, `30s`, `5m`, `72h`", r"^(\$\w+|([0-9.]+ *(ns|us|ms|s|m|h|d) *)+|0)$"
);
unit!(
    /// A number of bytes.
    Size(pub u64), "a size with its unit, such as `64KiB`, `1MB`, `512B`", r"^(\$\w+|[0-9.]+ *([KMGT]i?)?B|0)$"
);
unit!(
    /// Bytes per second.
    Rate(pub u64), "a rate with its unit, such as `64KiB/s`, `1MB/s`, or `0` for none", r"^(\$\w+|[0-9.]+ *([KMGT]i?)?B/s|0)$"
);
unit!(
    /// A part of a whole, 0 to 1.
    Ratio(pub f64), "a part of a whole, such as `20%` or `0.2`", r"^(\$\w+|[0-9.]+%?)$"
);

unit!(
    /// A count, or a number of bytes with its unit.
    Amount(pub u64), "a count such as `300`, or a size with its unit, such as `64MiB`", r"^(\$\w+|[0-9]+|[0-9.]+ *([KMGT]i?)?B)$"
);

unit!(
    /// A day of the calendar.
    Day(jiff::civil::Date), "a day, such as `2026-12-31`", r"^(\$\w+|[0-9]{4}-[0-9]{2}-[0-9]{2})$"
);

impl Day {
    /// The day it is now, in UTC. Asked for where a command begins: what is judged is told the day.
    pub fn today() -> Self {
        Self(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date())
    }
}

impl FromStr for Day {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // The first of all days: reading gets past an error with the one text that every unit can read.
        if text == "0" {
            return Ok(Self(jiff::civil::Date::MIN));
        }
        let is_plain = text.len() == "2026-12-31".len();
        text.parse().ok().filter(|_| is_plain).map(Self).ok_or_else(|| Self::error(text))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bytes = || text.parse::<Size>().map(|size| size.0);
        text.parse().or_else(|_| bytes()).map(Self).map_err(|_| Self::error(text))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        humantime::parse_duration(text).map(Self).map_err(|_| Self::error(text))
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let has_unit = text == "0" || text.trim_end().ends_with('B');
        let size: bytesize::ByteSize = text.parse().map_err(|_| Self::error(text))?;
        if has_unit { Ok(Self(size.as_u64())) } else { Err(Self::error(text)) }
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "0" {
            return Ok(Self(0));
        }
        let size = text.strip_suffix("/s").ok_or_else(|| Self::error(text))?;
        size.parse::<Size>().map(|size| Self(size.0)).map_err(|_| Self::error(text))
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, scale) = match text.strip_suffix('%') {
            Some(percent) => (percent, 100.0),
            None => (text, 1.0),
        };
        let value = number.trim().parse::<f64>().map_err(|_| Self::error(text))? / scale;
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(Self::error(text)) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bytesize::ByteSize(self.0).display().iec().fmt(f)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", Size(self.0))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_carry_their_units() {
        assert_eq!("250ms".parse(), Ok(Time(Duration::from_millis(250))));
        assert_eq!("64KiB".parse(), Ok(Size(65_536)));
        assert_eq!("1MB/s".parse(), Ok(Rate(1_000_000)));
        assert_eq!("20%".parse(), Ok(Ratio(0.2)));
        assert_eq!("0.02".parse(), Ok(Ratio(0.02)));
    }

    #[test]
    fn a_bare_number_is_refused_with_an_example() {
        assert_eq!(
            "30".parse::<Time>().unwrap_err().to_string(),
            "expected a time with its unit, such as `250ms`, `30s`, `5m`, `72h`, found `30`"
        );
        assert!("64".parse::<Size>().is_err());
        assert!("120%".parse::<Ratio>().is_err());
    }

    #[test]
    fn an_amount_is_a_count_or_a_size() {
        assert_eq!("300".parse(), Ok(Amount(300)));
        assert_eq!("64MiB".parse(), Ok(Amount(64 << 20)));
        assert!("64M".parse::<Amount>().is_err());
        assert!("-1".parse::<Amount>().is_err());
    }

    #[test]
    fn rates_and_sizes_are_printed_as_they_are_read() {
        for text in ["64 KiB", "1 B", "3 MiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string().replace(".0", ""), text.replace(".0", ""));
            assert!(text.parse::<Size>().unwrap().to_string().parse::<Size>().is_ok());
        }
        assert_eq!("0".parse(), Ok(Rate(0)));
        assert_eq!("256 B/s".parse(), Ok(Rate(256)));
    }

    #[test]
    fn what_is_too_large_or_not_a_number_is_refused() {
        for text in ["1e400s", "NaN", "", "-5s", "999999999999999999999d"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        for text in ["NaN", "inf", "-1%", "101%", "", "%"] {
            assert!(text.parse::<Ratio>().is_err(), "{text}");
        }
        for text in ["NaNB", "-1B", "", "B", "/s", "1/s"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
