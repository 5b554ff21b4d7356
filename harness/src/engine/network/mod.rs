//! A network of its own for a run that storms: tables of closed and tracked connections that nobody else fills, and that are gone
//! with the run; and the kernel's own counters, which say when it was the machine that reached a limit.

mod kernel;
mod limits;
mod namespace;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub(super) use kernel::Kernel;
pub(super) use limits::Limits;
pub(crate) use namespace::enter;

/// The network that the programs of a run on the wall clock share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// One of its own for scenarios that storm a target of the runner's own, where that is permitted; else the machine's.
    #[default]
    Auto,
    /// One of its own, with nothing but loopback.
    Own,
    /// The machine's.
    Host,
}

/// What a network can be.
const NAMES: [(&str, Network); 3] = [("auto", Network::Auto), ("own", Network::Own), ("host", Network::Host)];

impl Network {
    /// What is to be done for a case that storms a target of the runner's own, or does not.
    #[must_use]
    pub const fn chosen(self, storms: bool) -> Self {
        match self {
            Self::Auto if !storms => Self::Host,
            told => told,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = NAMES.iter().find(|(name, _)| *name == text);
        named
            .map(|(_, network)| *network)
            .ok_or_else(|| format!("expected auto, own or host, found `{text}`"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().find(|(_, network)| network == self);
        f.write_str(named.map_or("auto", |(name, _)| name))
    }
}

/// Where [`enter`] has taken this process.
static ENTERED: OnceLock<Entered> = OnceLock::new();

/// Whether what this process plays has a network of its own.
pub(super) fn is_own() -> bool {
    ENTERED.get() == Some(&Entered::Own)
}

/// Why it has none, for the reader of its report: a storm in the machine's network is no less a storm, but others feel it.
pub(super) fn why_not_own() -> Option<String> {
    match ENTERED.get()? {
        Entered::Refused(why) => Some(format!("{why}: its connections were made in the machine's")),
        _ => None,
    }
}

/// What became of the wish for a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entered {
    /// It has.
    Own,
    /// It shares the machine's, as it was told.
    Host,
    /// It shares the machine's, since it was not permitted to leave it.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_storms_on_the_runners_own_targets_get_a_network_without_being_told() {
        assert_eq!(Network::Auto.chosen(true), Network::Auto);
        assert_eq!(Network::Auto.chosen(false), Network::Host);
        assert_eq!(Network::Own.chosen(false), Network::Own);
        assert_eq!(Network::Host.chosen(true), Network::Host);
    }

    #[test]
    fn a_network_is_named_as_it_is_read() {
        for (name, network) in NAMES {
            assert_eq!((name.parse(), network.to_string().as_str()), (Ok(network), name));
        }
        assert_eq!("none".parse::<Network>(), Err("expected auto, own or host, found `none`".to_owned()));
    }
}
