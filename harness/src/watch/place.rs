//! Whom to watch, as people write it: `4711`, `http://127.0.0.1:9977`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Whom to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A process of this machine, from outside.
    Pid(u32),
    /// A process with watertight's probe, from inside.
    Probe(SocketAddr),
}

/// Why a text is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Neither of the two.
    #[error(
        "expected a process number such as `4711`, or a probe's address such as `http://127.0.0.1:9977`, found `{0}`"
    )]
    Neither(String),
    /// The probe does not encrypt.
    #[error("`{0}`: the probe speaks http, not https; reach it through a tunnel")]
    Encrypted(String),
    /// A name that stands for no address.
    #[error("`{host}` stands for no address: {why}")]
    Unknown {
        /// Host and port.
        host: String,
        /// What the system says.
        why: String,
    },
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Ok(pid) = text.parse() {
            return Ok(Self::Pid(pid));
        }
        if text.starts_with("https://") {
            return Err(PlaceError::Encrypted(text.to_owned()));
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let host = rest.trim_end_matches('/');
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_port || host.contains('/') {
            return Err(PlaceError::Neither(text.to_owned()));
        }
        resolve(host)
    }
}

fn resolve(host: &str) -> Result<Place, PlaceError> {
    let unknown = |why: String| PlaceError::Unknown { host: host.to_owned(), why };
    let mut addresses = host.to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    addresses.next().map(Place::Probe).ok_or_else(|| unknown("it has none".to_owned()))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "pid {pid}"),
            Self::Probe(address) => write!(f, "probe at {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Place, String> {
        text.parse().map_err(|error: PlaceError| error.to_string())
    }

    #[test]
    fn a_number_is_a_process_and_an_address_a_probe() {
        let probe = Place::Probe("127.0.0.1:9977".parse().unwrap());
        assert_eq!(read("4711"), Ok(Place::Pid(4711)));
        for text in ["http://127.0.0.1:9977", "http://127.0.0.1:9977/", "127.0.0.1:9977"] {
            assert_eq!(read(text), Ok(probe), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_what_is_expected() {
        for text in ["", "redis-server", "-1", "127.0.0.1", "http://127.0.0.1:9977/metrics", "99999999999"] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("expected a process number such as `4711`"), "{text}: {error}");
        }
        assert!(read("https://127.0.0.1:9977").unwrap_err().contains("not https"));
    }
}
