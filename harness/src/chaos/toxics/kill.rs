//! `kill`: a signal that ends the target or a peer. No link: the engine carries it out.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Time;

/// Ends the target or a server peer by a signal, and starts it again. In sim a peer that is killed resets its connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Who is ended: a server peer of `world`, or `target`. `target` unless said.
    #[serde(default = "target", skip_serializing_if = "is_target")]
    #[garde(length(chars, min = 1))]
    pub peer: String,
    /// The signal. `TERM` unless said.
    #[serde(default)]
    #[garde(skip)]
    pub signal: Signal,
    /// How long it may take to end. 10s unless said.
    #[serde(default = "ten_seconds")]
    #[garde(custom(crate::chaos::toxics::positive))]
    pub within: Time,
    /// Whether it is started again once it has ended: a peer always, in the place where it was. `true` unless said.
    #[serde(default = "yes")]
    #[garde(skip)]
    pub restart: bool,
    /// When it happens, from the start of the phase. At once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub at: Option<Time>,
}

/// A signal that ends a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Asks it to end in order.
    #[default]
    Term,
    /// Ends it without asking.
    Kill,
}

impl Signal {
    /// Its name in YAML and plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
        }
    }
}

/// Who a fault of a process is about, unless it names a peer.
pub const TARGET: &str = "target";

pub(super) fn target() -> String {
    TARGET.to_owned()
}

pub(super) fn is_target(peer: &str) -> bool {
    peer == TARGET
}

fn ten_seconds() -> Time {
    Time(std::time::Duration::from_secs(10))
}

fn yes() -> bool {
    true
}
