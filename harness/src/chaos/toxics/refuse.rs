//! `refuse`: new connections are refused; those that exist go on.

use crate::chaos::toxic::{Admission, Toxic};

link_fault! {
    /// Refuses new connections. Those that exist are left alone.
    ///
    /// Over TCP with `p: 1` nothing listens while it lasts, so the caller sees the kernel's own refusal; with a smaller
    /// `p` the draw needs a connection, which is accepted and reset.
    Refuse, dir: "crate::chaos::toxics::both" {}
}

impl Refuse {
    fn at_work(&self) -> Refusal {
        Refusal
    }
}

/// Refuses every connect and touches nothing else.
#[derive(Debug)]
struct Refusal;

impl Toxic for Refusal {
    fn on_connect(&self) -> Admission {
        Admission::Refuse
    }
}
