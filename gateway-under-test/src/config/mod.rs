//! The configuration: what is polled, who is served, and every limit. YAML in, positions in errors.

mod check;
mod guardian;
mod http;
mod log;
mod mqtt;
mod place;
mod read;
mod redis;
mod secret;
mod span;
mod station;
mod tag;
mod tls;

use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

pub use guardian::{DumpsConfig, FdLimits, GuardianConfig, HeapLimits, TaskLimits};
pub use http::{EventsConfig, HttpConfig, WebSocketConfig, WhenFull, is_loopback};
pub use log::LogConfig;
pub use mqtt::{MqttConfig, MqttTopics, MqttVersion};
pub use read::ConfigError;
pub use redis::RedisConfig;
pub use secret::{Secret, SecretError};
pub use station::{BackoffConfig, BreakerConfig, CommandsConfig, PoolConfig, StationConfig};
pub use tag::{Area, TagConfig, TagType};
pub use tls::{TlsClient, TlsServer};

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
    /// From when on the gateway does something about what it holds.
    #[serde(default)]
    #[garde(dive)]
    pub guardian: GuardianConfig,
    /// Where log lines go; without it a gateway logs nothing of its own, and the program logs to stderr.
    #[serde(default)]
    #[garde(dive)]
    pub log: Option<LogConfig>,
    /// The connection to Redis, if there is one.
    #[serde(default)]
    #[garde(dive)]
    pub redis: Option<RedisConfig>,
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

impl Config {
    /// What whoever runs a gateway with this should know. Nothing of it keeps the gateway from running.
    pub fn warnings(&self) -> Vec<String> {
        let writable = self.stations.iter().flat_map(|station| &station.tags).any(|tag| tag.writable);
        self.http.warning(writable).into_iter().collect()
    }
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
