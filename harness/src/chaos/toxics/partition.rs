//! `partition`: the target is cut off from everybody, and connected again. No link: the engine carries it out.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chaos::fault::Fault;
use crate::chaos::toxic::{Dir, OnHeal};
use crate::chaos::toxics::always;
use crate::chaos::toxics::blackhole::Blackhole;
use crate::units::Time;

/// Cuts the target off from all peers and consumers at once, and repairs that: connections survive, nobody is told.
///
/// A target in a container loses its network: its interface and its address are gone, connects fail at once, and come back. In
/// other engines every link is a black hole meanwhile, in which connects hear nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// How long it lasts, at most until the end of the phase.
    #[serde(rename = "for")]
    #[garde(skip)]
    pub lasts: Time,
    /// When it happens, from the start of the phase. At once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub at: Option<Time>,
}

impl Partition {
    /// What stands for it on one link, where the target has no network of its own.
    pub(crate) fn on_link(link: &str) -> Fault {
        Fault::Blackhole(Blackhole {
            link: link.to_owned(),
            dir: Dir::Both,
            p: always(),
            at: None,
            lasts: None,
            on_heal: OnHeal::Deliver,
        })
    }
}
