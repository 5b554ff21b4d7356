//! The configuration: what is polled, who is served, and every limit. YAML in, positions in errors.

mod check;
mod http;
mod mqtt;
mod place;
mod read;
mod secret;
mod span;
mod station;
mod tag;

use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

pub use http::{EventsConfig, HttpConfig, WhenFull};
pub use mqtt::{MqttConfig, MqttTopics, MqttVersion};
pub use read::ConfigError;
pub use secret::Secret;
pub use station::{BackoffConfig, CommandsConfig, StationConfig};
pub use tag::{Area, TagConfig, TagType};

/// A gateway's configuration. Every limit has a default, so that a station with one tag is enough.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Config {
    /// The PLCs to poll, by name.
    #[garde(length(min = 1, max = 4096), custom(check::distinct_stations), dive)]
    pub stations: Vec<StationConfig>,
    /// The HTTP side.
    #[serde(default)]
    #[garde(dive)]
    pub http: HttpConfig,
    /// The connection to an MQTT broker, if there is one.
    #[serde(default)]
    #[garde(dive)]
    pub mqtt: Option<MqttConfig>,
    /// How the gateway stops.
    #[serde(default)]
    #[garde(dive)]
    pub shutdown: ShutdownConfig,
    /// A faulty twin to run with, by name; `none` for the healthy part. Only in builds made to be tested.
    #[cfg(feature = "defects")]
    #[serde(default)]
    #[garde(inner(custom(check::known_defect)))]
    pub defect: Option<String>,
}

/// How the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// How long consumers may take to read what is theirs, before their connections are closed.
    #[serde(with = "span")]
    #[garde(custom(check::within_deadline(self.deadline)))]
    pub drain: Duration,
    /// From the order to stop until nothing may be left.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub deadline: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { drain: Duration::from_secs(2), deadline: Duration::from_secs(5) }
    }
}
