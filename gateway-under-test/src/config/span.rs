//! Durations as people write them: `250ms`, `30s`, `1h 30m`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, de};

/// Reads a duration with its unit.
pub fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(source)?;
    humantime::parse_duration(&text).map_err(|error| {
        de::Error::custom(format_args!("`{text}` is no duration ({error}); write it like `250ms` or `30s`"))
    })
}

/// The same for a duration that may be left out.
pub mod option {
    use std::time::Duration;

    use serde::Deserializer;

    /// Reads a duration with its unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(source).map(Some)
    }
}
