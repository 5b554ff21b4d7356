//! `pause`: the target or a peer stands still, as a process that is stopped. No link: the engine carries it out.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chaos::fault::Fault;
use crate::chaos::toxic::{Dir, OnHeal};
use crate::chaos::toxics::always;
use crate::chaos::toxics::stall::Stall;
use crate::units::Time;

/// Stops the target or a server peer, and lets it go on: what it was sent meanwhile waits for it, and so do new connections.
///
/// On the wall clock SIGSTOP, then SIGCONT. In sim nothing passes the link of a paused peer, in either direction, though its own
/// deadlines go on; the target itself cannot be paused there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Who is stopped: a server peer of `world`, or `target`. `target` unless said.
    #[serde(default = "super::kill::target", skip_serializing_if = "super::kill::is_target")]
    #[garde(length(chars, min = 1))]
    pub peer: String,
    /// How long it stands still, at most until the end of the phase.
    #[serde(rename = "for")]
    #[garde(skip)]
    pub lasts: Time,
    /// When it happens, from the start of the phase. At once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub at: Option<Time>,
}

impl Pause {
    /// What stands for it on the link of the peer, where there is no process to stop.
    ///
    /// A kernel goes on accepting for a stopped process, and keeps what it is sent: that is a stall, not a black hole.
    pub(crate) fn on_link(&self) -> Fault {
        Fault::Stall(Stall {
            every: None,
            link: self.peer.clone(),
            dir: Dir::Both,
            p: always(),
            at: None,
            lasts: None,
            on_heal: OnHeal::Deliver,
        })
    }
}
