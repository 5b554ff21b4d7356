//! `half_open`: one peer is gone and nobody says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chaos::toxic::{Admission, Gate, Moment, OnHeal, Toxic};

link_fault! {
    /// One peer vanishes, as when its power fails: nothing sent to it is ever acknowledged, so the survivor's send buffer
    /// (the link's `buffer`) fills and its writes stall; no FIN and no RST ever comes back, not even once it closes. New
    /// connects hear nothing while it lasts.
    ///
    /// A connection once held stays half-open after the fault has healed; `on_heal: reset` makes the returning peer
    /// answer with a RST instead.
    HalfOpen, dir: "crate::chaos::toxics::both" {
        /// Who vanishes. Its own end is reset, so that it holds nothing either; with `nobody` both ends stay, each
        /// waiting for the other, as behind a router that forgot the connection.
        #[serde(default)]
        #[garde(skip)]
        gone: Gone,
    }
}

/// Who vanishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// The peer that the link is named after.
    #[default]
    Peer,
    /// The target.
    Target,
    /// Neither; only the path between them is gone.
    Nobody,
}

impl HalfOpen {
    fn at_work(&self) -> Void {
        Void { gone: self.gone, stays: self.on_heal != OnHeal::Reset }
    }
}

#[derive(Debug)]
struct Void {
    gone: Gone,
    stays: bool,
}

impl Toxic for Void {
    fn on_connect(&self) -> Admission {
        Admission::Hang
    }

    fn gate(&mut self, _moment: &Moment) -> Gate {
        Gate::Shut
    }

    fn gone(&self) -> Gone {
        self.gone
    }

    fn outlives_heal(&self) -> bool {
        self.stays
    }
}
