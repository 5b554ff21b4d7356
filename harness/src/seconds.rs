//! Times in JSON: a number of seconds, in a field whose name ends in `_seconds`.
//!
//! Numbers, because `jq` and spreadsheets compute with them; fractions are exact to the nanosecond for the first 97 days.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// For `#[serde(with = ..)]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

/// For `#[serde(with = ..)]`.
///
/// # Errors
/// What is no number, or no span of time: negative, or too long.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| serde::de::Error::custom(format!("expected seconds, found `{seconds}`: {error}")))
}

/// The same for a time that may be absent: `null`.
pub mod optional {
    use super::*;

    /// For `#[serde(with = ..)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(serializer)
    }

    /// For `#[serde(with = ..)]`.
    ///
    /// # Errors
    /// What is no number, or no span of time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Seconds(#[serde(deserialize_with = "super::deserialize")] Duration);
        Ok(Option::<Seconds>::deserialize(deserializer)?.map(|Seconds(time)| time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Waited {
        #[serde(rename = "waited_seconds", with = "super")]
        waited: Duration,
        #[serde(rename = "rested_seconds", with = "optional")]
        rested: Option<Duration>,
    }

    #[test]
    fn times_are_numbers_of_seconds_and_come_back_to_the_nanosecond() {
        let waited = Waited { waited: Duration::new(8_380_799, 999_999_999), rested: None };
        let text = serde_json::to_string(&waited).expect("JSON");
        assert_eq!(serde_json::from_str::<Waited>(&text).expect("read back"), waited);
        let waited = Waited { waited: Duration::from_millis(1_200), rested: Some(Duration::from_secs(3)) };
        let text = serde_json::to_string(&waited).expect("JSON");
        assert_eq!(text, r#"{"waited_seconds":1.2,"rested_seconds":3.0}"#);
        assert_eq!(serde_json::from_str::<Waited>(&text).expect("read back"), waited);
    }

    #[test]
    fn what_is_no_span_of_time_is_named() {
        for bad in ["-1", "1e300"] {
            let text = format!(r#"{{"waited_seconds":{bad},"rested_seconds":null}}"#);
            let error = serde_json::from_str::<Waited>(&text).unwrap_err().to_string();
            assert!(error.contains("expected seconds, found `"), "{error}");
        }
    }
}
