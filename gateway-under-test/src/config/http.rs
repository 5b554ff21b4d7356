//! The HTTP side and its event streams.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use garde::Validate;
use serde::Deserialize;

use super::secret::Secret;
use super::tls::TlsServer;
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
    /// From the first byte of a request's head to its last; also the bound of a TLS handshake.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub idle_timeout: Duration,
    /// From a request's head until its body is in.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub body_timeout: Duration,
    /// From a request's head until its answer begins.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub request_timeout: Duration,
    /// How long a consumer may take nothing while bytes wait for it.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub write_timeout: Duration,
    /// Bytes that the kernel keeps for one connection whose consumer does not read.
    #[garde(range(min = 4_096, max = 16_777_216))]
    pub send_buffer: u32,
    /// What opens writes and `/debug`, sent as `Authorization: Bearer TOKEN`.
    #[garde(custom(check::one_token(self.token_file.is_some())))]
    pub token: Option<Secret>,
    /// A file with the token, read at the start and on reload.
    pub token_file: Option<PathBuf>,
    /// HTTPS instead of HTTP.
    #[garde(dive)]
    pub tls: Option<TlsServer>,
    /// The event streams.
    #[garde(dive)]
    pub events: EventsConfig,
    /// WebSockets, beside what `events` says of every stream.
    #[garde(dive)]
    pub websocket: WebSocketConfig,
}

/// The event streams (SSE and WebSocket).
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

/// What a WebSocket may send, and how it is kept honest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct WebSocketConfig {
    /// Bytes of one message from a peer.
    #[garde(range(min = 128, max = 1_048_576))]
    pub max_message: usize,
    /// Commands of one peer under way; one more is refused.
    #[garde(range(min = 1, max = 1_024))]
    pub max_commands: usize,
    /// The time between two pings.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub ping: Duration,
    /// A peer from which nothing has come for so long after a ping is given up.
    #[serde(with = "span")]
    #[garde(custom(check::period))]
    pub pong_timeout: Duration,
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

impl HttpConfig {
    /// What whoever runs the gateway with this should know, if `writable` says that a tag takes writes.
    pub fn warning(&self, writable: bool) -> Option<String> {
        let at = self.listen.as_deref()?;
        let open = is_loopback(at) || self.token.is_some() || self.token_file.is_some();
        (!open).then(|| {
            let writes = if writable { "writes and /debug are" } else { "/debug is" };
            format!(
                "http: {writes} refused, since anyone could reach `{at}`: set `http.token_file`, or listen on 127.0.0.1"
            )
        })
    }
}

/// Whether only this machine can connect to `at`, an address or `localhost` with a port.
pub fn is_loopback(at: &str) -> bool {
    match at.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => at.rsplit_once(':').is_some_and(|(host, _)| host == "localhost"),
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: None,
            max_connections: 256,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            send_buffer: 64 * 1024,
            token: None,
            token_file: None,
            tls: None,
            events: EventsConfig::default(),
            websocket: WebSocketConfig::default(),
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

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            max_message: 16 * 1024,
            max_commands: 16,
            ping: Duration::from_secs(15),
            pong_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for at in ["127.0.0.1:80", "127.9.9.9:0", "[::1]:80", "localhost:80"] {
            assert!(is_loopback(at), "{at}");
        }
        for at in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "gateway:80", "localhost.example:80"] {
            assert!(!is_loopback(at), "{at}");
        }
    }

    #[test]
    fn what_anyone_can_reach_is_warned_of_unless_there_is_a_token() {
        let listening = |at: &str| HttpConfig { listen: Some(at.to_owned()), ..HttpConfig::default() };
        assert_eq!(HttpConfig::default().warning(true), None);
        assert_eq!(listening("127.0.0.1:80").warning(true), None);
        let warning = listening("0.0.0.0:80").warning(true).expect("a warning");
        assert!(warning.contains("set `http.token_file`, or listen on 127.0.0.1"), "{warning}");
        let with_token = HttpConfig { token: Some(Secret::new("open-sesame")), ..listening("0.0.0.0:80") };
        assert_eq!(with_token.warning(true), None);
    }
}
