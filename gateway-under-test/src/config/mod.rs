//! The configuration: what is polled, who is served, and every limit. YAML in, positions in errors.

mod check;
mod place;
mod read;
mod span;
mod tag;

use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

pub use read::ConfigError;
pub use tag::{Area, TagConfig, TagType};

/// A gateway's configuration. Every limit has a default, so that a station with one tag is enough.
#[derive(Debug, Clone, Default, Deserialize, Validate)]
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

/// One PLC and what is read from it.
#[derive(Debug, Clone, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct StationConfig {
    /// Its name in URLs, events and metrics.
    #[garde(length(min = 1, max = 64), pattern(r"^[A-Za-z0-9_.-]+$"))]
    pub name: String,
    /// `host:port`; S7 listens on port 102.
    #[garde(length(min = 1, max = 255), custom(check::host_port))]
    pub address: String,
    /// The rack of the CPU.
    #[serde(default)]
    #[garde(range(max = 7))]
    pub rack: u8,
    /// The slot of the CPU: 1 in an S7-1200 or 1500, 2 in an S7-300.
    #[serde(default = "default_slot")]
    #[garde(range(max = 31))]
    pub slot: u8,
    /// The PDU length asked for; the PLC may grant less.
    #[serde(default = "default_pdu_length")]
    #[garde(range(min = 240, max = 960))]
    pub pdu_length: u16,
    /// The requests in flight asked for; the PLC may grant fewer.
    #[serde(default = "default_pipeline")]
    #[garde(range(min = 1, max = 16))]
    pub pipeline: u16,
    /// How often every tag is read.
    #[serde(with = "span", default = "default_interval")]
    #[garde(custom(check::period))]
    pub interval: Duration,
    /// How long connecting and the handshake may take together.
    #[serde(with = "span", default = "default_connect_timeout")]
    #[garde(custom(check::period))]
    pub connect_timeout: Duration,
    /// How long the PLC may take to answer one request.
    #[serde(with = "span", default = "default_request_timeout")]
    #[garde(custom(check::period))]
    pub request_timeout: Duration,
    /// How long a session may be quiet before the PLC is asked for a sign of life.
    #[serde(with = "span", default = "default_heartbeat")]
    #[garde(custom(check::period))]
    pub heartbeat: Duration,
    /// The wait before the next attempt after a failed session.
    #[serde(default)]
    #[garde(dive)]
    pub backoff: BackoffConfig,
    /// What is read.
    #[garde(length(min = 1, max = 10_000), custom(check::distinct_tags), dive)]
    pub tags: Vec<TagConfig>,
}

/// The wait after a failure: a random part of a ceiling that doubles from `min` to `max`.
#[derive(Debug, Clone, Copy, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The first ceiling.
    #[serde(with = "span")]
    #[garde(custom(check::period), custom(check::not_after_max(self.max)))]
    pub min: Duration,
    /// The last ceiling.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub max: Duration,
}

/// The HTTP side.
#[derive(Debug, Clone, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct HttpConfig {
    /// Where it listens, `host:port`; port 0 lets the system choose. Without it there is no HTTP side.
    #[garde(inner(custom(check::host_port)))]
    pub listen: Option<String>,
    /// Connections served at once; more wait unaccepted.
    #[garde(range(min = 1, max = 65_536))]
    pub max_connections: usize,
    /// From when a connection is ready for a request until the request's head is in; so also the bound of an idle one.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub header_timeout: Duration,
    /// How long a consumer may take nothing while bytes wait for it.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub write_timeout: Duration,
    /// Bytes that the kernel keeps for one connection whose consumer does not read.
    #[garde(range(min = 4_096, max = 16_777_216))]
    pub send_buffer: u32,
    /// The event streams.
    #[garde(dive)]
    pub events: EventsConfig,
}

/// The event streams (SSE).
#[derive(Debug, Clone, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct EventsConfig {
    /// Consumers at once; one more is answered 503.
    #[garde(range(min = 1, max = 65_536))]
    pub max_consumers: usize,
    /// Events that wait for one consumer.
    #[garde(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// What happens to a consumer whose queue is full.
    pub when_full: WhenFull,
    /// How long a stream may be quiet before a comment is sent to see whether anyone still listens.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub keep_alive: Duration,
}

/// What happens when an event meets a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest waiting event goes.
    DropOldest,
    /// The new event goes.
    DropNewest,
    /// The consumer goes, and may come back.
    Disconnect,
}

/// How the gateway stops.
#[derive(Debug, Clone, Copy, Deserialize, Validate)]
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

impl StationConfig {
    /// A station with every setting at its default.
    pub fn new(name: impl Into<String>, address: impl Into<String>, tags: Vec<TagConfig>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            rack: 0,
            slot: default_slot(),
            pdu_length: default_pdu_length(),
            pipeline: default_pipeline(),
            interval: default_interval(),
            connect_timeout: default_connect_timeout(),
            request_timeout: default_request_timeout(),
            heartbeat: default_heartbeat(),
            backoff: BackoffConfig::default(),
            tags,
        }
    }
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { min: Duration::from_millis(200), max: Duration::from_secs(10) }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: None,
            max_connections: 256,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            send_buffer: 64 * 1024,
            events: EventsConfig::default(),
        }
    }
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            max_consumers: 64,
            queue: 64,
            when_full: WhenFull::DropOldest,
            keep_alive: Duration::from_secs(15),
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { drain: Duration::from_secs(2), deadline: Duration::from_secs(5) }
    }
}

fn default_slot() -> u8 {
    1
}

fn default_pdu_length() -> u16 {
    480
}

fn default_pipeline() -> u16 {
    8
}

fn default_interval() -> Duration {
    Duration::from_secs(1)
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(3)
}

fn default_request_timeout() -> Duration {
    Duration::from_secs(2)
}

fn default_heartbeat() -> Duration {
    Duration::from_secs(5)
}
