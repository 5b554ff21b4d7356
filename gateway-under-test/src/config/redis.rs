//! The Redis side: one connection, what is published, and whether writes are taken.

use std::path::PathBuf;
use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

use super::{BackoffConfig, Secret, TlsClient, WhenFull, check, span};
use crate::hub::outbox::Limits;

/// The Redis side.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct RedisConfig {
    /// The server, `host:port`; Redis listens on port 6379. It must speak RESP3: Redis 6, Valkey, or later.
    #[garde(length(min = 1, max = 255), custom(check::host_port))]
    pub address: String,
    /// TLS, with the authorities and the name that count; read again at each connect.
    #[serde(default)]
    #[garde(dive)]
    pub tls: Option<TlsClient>,
    /// What every channel begins with.
    #[serde(default = "default_prefix")]
    #[garde(length(min = 1, max = 128), pattern(r"^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*$"))]
    pub prefix: String,
    /// Who the gateway is; `default` if there is only a password.
    #[serde(default)]
    #[garde(inner(length(min = 1, max = 256)))]
    pub username: Option<String>,
    /// The proof of it.
    #[serde(default)]
    #[garde(custom(check::one_password(self.username.is_some(), self.password_file.is_some())))]
    pub password: Option<Secret>,
    /// A file that holds the password; read at each connect, so that it may change.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The database selected. Channels are the same in all of them; access rules may not be.
    #[serde(default)]
    #[garde(range(max = 65_535))]
    pub database: u32,
    /// Whether writes are taken, from `PREFIX:commands`. Not unless said: whoever may publish there may move machines.
    #[serde(default)]
    pub commands: bool,
    /// Whether events are published, at `PREFIX:values:STATION`.
    #[serde(default = "yes")]
    pub publish: bool,
    /// How long connecting may take until the server has taken the gateway in.
    #[serde(with = "span", default = "default_connect_timeout")]
    #[garde(custom(check::period))]
    pub connect_timeout: Duration,
    /// How long the server may be quiet before it is asked for a sign of life, and again until it is given up.
    #[serde(with = "span", default = "default_keep_alive")]
    #[garde(custom(check::period))]
    pub keep_alive: Duration,
    /// Writes carried out at once; one more is refused.
    #[serde(default = "default_in_flight")]
    #[garde(range(min = 1, max = 1024))]
    pub commands_in_flight: usize,
    /// The wait before the next attempt after a lost connection.
    #[serde(default)]
    #[garde(dive)]
    pub backoff: BackoffConfig,
    /// Events that wait for the server, also while it is away.
    #[serde(default = "default_queue")]
    #[garde(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// What happens to one more: `drop_oldest` or `drop_newest`.
    #[serde(default = "default_when_full")]
    #[garde(custom(check::drops))]
    pub when_full: WhenFull,
}

impl RedisConfig {
    /// A server with every setting at its default.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
            prefix: default_prefix(),
            username: None,
            password: None,
            password_file: None,
            database: 0,
            commands: false,
            publish: true,
            connect_timeout: default_connect_timeout(),
            keep_alive: default_keep_alive(),
            commands_in_flight: default_in_flight(),
            backoff: BackoffConfig::default(),
            queue: default_queue(),
            when_full: default_when_full(),
        }
    }

    /// The limits of the queue of events.
    pub const fn limits(&self) -> Limits {
        Limits { queue: self.queue, when_full: self.when_full }
    }
}

fn default_prefix() -> String {
    "s7".to_owned()
}

fn yes() -> bool {
    true
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_keep_alive() -> Duration {
    Duration::from_secs(30)
}

fn default_in_flight() -> usize {
    16
}

fn default_queue() -> usize {
    64
}

fn default_when_full() -> WhenFull {
    WhenFull::DropOldest
}
