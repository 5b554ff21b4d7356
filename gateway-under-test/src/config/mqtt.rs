//! The MQTT side: one connection to a broker, what is published, and whether writes are taken.

use std::path::PathBuf;
use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

use super::{BackoffConfig, Secret, TlsClient, WhenFull, check, span};
use crate::hub::outbox::Limits;

/// The MQTT side.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct MqttConfig {
    /// The broker, `host:port`; MQTT listens on port 1883.
    #[garde(length(min = 1, max = 255), custom(check::host_port))]
    pub address: String,
    /// TLS, with the authorities and the name that count; read again at each connect.
    #[serde(default)]
    #[garde(dive)]
    pub tls: Option<TlsClient>,
    /// What every topic begins with.
    #[serde(default = "default_prefix")]
    #[garde(length(min = 1, max = 128), pattern(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"))]
    pub prefix: String,
    /// The gateway's name at the broker; a second client of the same name takes its place.
    #[serde(default = "default_client_id")]
    #[garde(length(min = 1, max = 64), pattern(r"^[A-Za-z0-9_.-]+$"))]
    pub client_id: String,
    /// The version spoken.
    #[serde(default)]
    pub version: MqttVersion,
    /// Who the gateway is, if the broker wants to know.
    #[serde(default)]
    #[garde(inner(length(min = 1, max = 256)))]
    pub username: Option<String>,
    /// The proof of it.
    #[serde(default)]
    #[garde(custom(check::credentials(self.username.is_some(), self.password_file.is_some())))]
    pub password: Option<Secret>,
    /// A file that holds the password; read at each connect, so that it may change.
    #[serde(default)]
    #[garde(custom(check::credentials(self.username.is_some(), self.password.is_some())))]
    pub password_file: Option<PathBuf>,
    /// Whether the broker forgets what it kept of the last session.
    #[serde(default = "yes")]
    pub clean_start: bool,
    /// How long the broker keeps a session whose connection is gone; only in version 5.
    #[serde(default, with = "span::option")]
    #[garde(inner(custom(check::period)), custom(check::only_in_5(self.version)))]
    pub session_expiry: Option<Duration>,
    /// 0: a message may be lost, 1: it is sent until the broker confirms it, within its connection.
    #[serde(default = "default_qos")]
    #[garde(range(max = 1))]
    pub qos: u8,
    /// What is one message.
    #[serde(default)]
    pub topics: MqttTopics,
    /// Whether the broker keeps the latest message of each topic for those who subscribe later.
    #[serde(default)]
    pub retain: bool,
    /// How long the broker may be quiet before it is asked for a sign of life; whole seconds.
    #[serde(with = "span", default = "default_keep_alive")]
    #[garde(custom(check::keep_alive))]
    pub keep_alive: Duration,
    /// How long connecting may take until the broker has taken the gateway in.
    #[serde(with = "span", default = "default_connect_timeout")]
    #[garde(custom(check::period))]
    pub connect_timeout: Duration,
    /// How long the broker may take to confirm a message, or to take in what is sent.
    #[serde(with = "span", default = "default_ack_timeout")]
    #[garde(custom(check::period))]
    pub ack_timeout: Duration,
    /// Messages that wait for the broker's confirmation at most.
    #[serde(default = "default_in_flight")]
    #[garde(range(min = 1, max = 1024))]
    pub in_flight: usize,
    /// Whether writes are taken, from `PREFIX/STATION/TAG/set`.
    #[serde(default)]
    pub commands: bool,
    /// Writes carried out at once; more stay with the broker.
    #[serde(default = "default_in_flight")]
    #[garde(range(min = 1, max = 1024))]
    pub commands_in_flight: usize,
    /// The wait before the next attempt after a lost connection.
    #[serde(default)]
    #[garde(dive)]
    pub backoff: BackoffConfig,
    /// Events that wait for the broker, also while it is away.
    #[serde(default = "default_queue")]
    #[garde(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// What happens to one more.
    #[serde(default = "default_when_full")]
    #[garde(custom(check::not_disconnect))]
    pub when_full: WhenFull,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum MqttVersion {
    /// Version 3.1.1 (2014), which every broker speaks.
    #[default]
    #[serde(rename = "3.1.1")]
    V3,
    /// Version 5 (2019).
    #[serde(rename = "5")]
    V5,
}

/// What is one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MqttTopics {
    /// The image of a station after each poll, at `PREFIX/STATION`.
    #[default]
    Station,
    /// Each tag of it, at `PREFIX/STATION/TAG`.
    Tag,
}

impl MqttConfig {
    /// A connection with every setting at its default.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
            prefix: default_prefix(),
            client_id: default_client_id(),
            version: MqttVersion::default(),
            username: None,
            password: None,
            password_file: None,
            clean_start: true,
            session_expiry: None,
            qos: default_qos(),
            topics: MqttTopics::default(),
            retain: false,
            keep_alive: default_keep_alive(),
            connect_timeout: default_connect_timeout(),
            ack_timeout: default_ack_timeout(),
            in_flight: default_in_flight(),
            commands: false,
            commands_in_flight: default_in_flight(),
            backoff: BackoffConfig::default(),
            queue: default_queue(),
            when_full: default_when_full(),
        }
    }

    /// The limits of what waits for the broker.
    pub const fn limits(&self) -> Limits {
        Limits { queue: self.queue, when_full: self.when_full }
    }
}

fn default_prefix() -> String {
    "s7".to_owned()
}

fn default_client_id() -> String {
    "s7-gateway".to_owned()
}

const fn yes() -> bool {
    true
}

const fn default_qos() -> u8 {
    1
}

const fn default_keep_alive() -> Duration {
    Duration::from_secs(30)
}

const fn default_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

const fn default_ack_timeout() -> Duration {
    Duration::from_secs(10)
}

const fn default_in_flight() -> usize {
    16
}

const fn default_queue() -> usize {
    64
}

const fn default_when_full() -> WhenFull {
    WhenFull::DropOldest
}
