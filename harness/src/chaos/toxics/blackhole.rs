//! `blackhole`: the path swallows packets for a while; connections survive it.

use crate::chaos::toxic::{Admission, Gate, Moment, Toxic};

link_fault! {
    /// Nothing gets through, and nobody is told: connections stay open, writers fill the link's buffer and then wait, new
    /// connects hear nothing. When it heals the connections go on, as TCP does once its retransmissions arrive.
    Blackhole, dir: "crate::chaos::toxics::both" {}
}

impl Blackhole {
    fn at_work(&self) -> Hole {
        Hole
    }
}

/// Holds everything back, bytes and FIN alike.
#[derive(Debug)]
pub(super) struct Hole;

impl Toxic for Hole {
    fn on_connect(&self) -> Admission {
        Admission::Hang
    }

    fn gate(&mut self, _moment: &Moment) -> Gate {
        Gate::Shut
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}
