//! The way to the probe inside a target that the run has started.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use watertight_probe::client::Client;
use watertight_probe::serve::{ADDRESS_VARIABLE, TOKEN_VARIABLE};

use crate::world::Program;

/// Where a target was asked to serve its probe, and what opens it.
#[derive(Debug)]
pub(super) struct ProbeAt {
    port: u16,
    token: Option<String>,
}

impl ProbeAt {
    /// Has `program` serve its probe at `address`: with a token, where others than this machine could ask.
    pub(super) fn ask(program: &mut Program, address: SocketAddr) -> Self {
        program.env.push((ADDRESS_VARIABLE.into(), address.to_string().into()));
        let token = (!address.ip().is_loopback()).then(token);
        program.env.extend(token.iter().map(|token| (TOKEN_VARIABLE.into(), token.into())));
        Self { port: address.port(), token }
    }

    /// Asks the probe of a target that is reached at `at`.
    pub(super) fn client(self, at: IpAddr) -> Client {
        let client = Client::new(SocketAddr::new(at, self.port));
        match self.token {
            Some(token) => client.token(token),
            None => client,
        }
    }
}

/// A word that nobody guesses. No draw of the scenario's: whoever knows the seed must not know it.
fn token() -> String {
    let keys = RandomState::new();
    format!("{:016x}{:016x}", keys.hash_one(0), keys.hash_one(1))
}
