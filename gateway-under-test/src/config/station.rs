//! A station: one PLC, how it is asked, and what is read from it.

use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

use super::{TagConfig, check, span};

/// Intervals after which a value that was not read again is stale: one poll may be late, two are a fault.
const INTERVALS_GOOD: u32 = 3;

/// One PLC and what is read from it.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
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
    /// How old a value may be and still count as good; three intervals unless said.
    #[serde(with = "span::option", default)]
    #[garde(inner(custom(check::period)))]
    pub max_age: Option<Duration>,
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
    /// When the station is left alone for a while.
    #[serde(default)]
    #[garde(dive)]
    pub breaker: BreakerConfig,
    /// Its connections.
    #[serde(default)]
    #[garde(dive)]
    pub pool: PoolConfig,
    /// Writes that northbound sides ask for.
    #[serde(default)]
    #[garde(dive)]
    pub commands: CommandsConfig,
    /// What is read.
    #[garde(length(min = 1, max = 10_000), custom(check::distinct_tags), dive)]
    pub tags: Vec<TagConfig>,
}

/// The circuit breaker: a station that fails again and again is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct BreakerConfig {
    /// Sessions and attempts in a row that ended before a poll was through.
    #[garde(range(min = 1, max = 1_000))]
    pub failures: u32,
    /// How long nobody asks it then; after that, one attempt decides.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub open: Duration,
}

/// The connections of a station.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct PoolConfig {
    /// How many at most; a PLC has few to give. One polls, the others carry out commands.
    #[garde(range(min = 1, max = 32))]
    pub connections: usize,
    /// How long a connection for commands waits for the next one.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub idle: Duration,
    /// How old a connection for commands gets.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub lifetime: Duration,
}

/// Writes that northbound sides ask of a station.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct CommandsConfig {
    /// How many wait for their turn at most; one more is refused.
    #[garde(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// Whether they are carried out one after the other; if not, as many at once as there are connections for.
    pub in_order: bool,
    /// From asking until the PLC has confirmed.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub timeout: Duration,
}

/// The wait after a failure: a random part of a ceiling that doubles from `min` to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Validate)]
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

impl StationConfig {
    /// How old a value may be and still count as good.
    pub fn max_age(&self) -> Duration {
        self.max_age.unwrap_or(self.interval * INTERVALS_GOOD)
    }

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
            max_age: None,
            connect_timeout: default_connect_timeout(),
            request_timeout: default_request_timeout(),
            heartbeat: default_heartbeat(),
            backoff: BackoffConfig::default(),
            breaker: BreakerConfig::default(),
            pool: PoolConfig::default(),
            commands: CommandsConfig::default(),
            tags,
        }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_secs(5) }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { connections: 2, idle: Duration::from_secs(30), lifetime: Duration::from_secs(30 * 60) }
    }
}

impl Default for CommandsConfig {
    fn default() -> Self {
        Self { queue: 64, in_order: true, timeout: Duration::from_secs(5) }
    }
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { min: Duration::from_millis(200), max: Duration::from_secs(10) }
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
