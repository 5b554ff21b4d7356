//! `accept_delay`: connects succeed at once, and are served later.

use std::time::Duration;

use crate::chaos::toxic::{Admission, Toxic};
use crate::units::Time;

link_fault! {
    /// New connections are accepted at once and served `delay` later, as by a process that falls behind with `accept`. One
    /// that waits when the fault heals is served then. Connections that exist are left alone.
    AcceptDelay, dir: "crate::chaos::toxics::both" {
        /// From the connect until the accepting side hears of it.
        #[garde(custom(crate::chaos::toxics::positive))]
        delay: Time,
    }
}

impl AcceptDelay {
    fn at_work(&self) -> Tardiness {
        Tardiness(self.delay.0)
    }
}

#[derive(Debug)]
struct Tardiness(Duration);

impl Toxic for Tardiness {
    fn on_connect(&self) -> Admission {
        Admission::AcceptLate(self.0)
    }
}
