//! The HTTP side and its event streams.

use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

use super::{check, span};
use crate::hub::outbox::Limits;

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
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
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
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
    /// Whoever has the event waits until there is room: no event is lost, and polls come as late as their slowest consumer.
    Block,
    /// The oldest waiting event goes.
    DropOldest,
    /// The new event goes.
    DropNewest,
    /// The consumer goes, and may come back.
    Disconnect,
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

impl EventsConfig {
    /// The limits of one stream's queue.
    pub const fn limits(&self) -> Limits {
        Limits { queue: self.queue, when_full: self.when_full }
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
