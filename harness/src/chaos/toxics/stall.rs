//! `stall`: the flow stops and goes on, again and again.

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::Time;

link_fault! {
    /// Stops the flow for `for`, and again at each `every`. Connecting still works: only bytes stand still.
    Stall, dir: "crate::chaos::toxics::both" {
        /// From the beginning of one stall to the beginning of the next. Once unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(inner(custom(crate::chaos::toxics::positive)))]
        every: Option<Time>,
    }
}

impl Stall {
    fn at_work(&self) -> Standstill {
        Standstill
    }
}

#[derive(Debug)]
struct Standstill;

impl Toxic for Standstill {
    fn gate(&mut self, _moment: &Moment) -> Gate {
        Gate::Shut
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}
