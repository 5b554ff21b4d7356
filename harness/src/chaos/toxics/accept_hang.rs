//! `accept_hang`: connects succeed, and nobody comes to serve them.

use crate::chaos::toxic::{Admission, Toxic};

link_fault! {
    /// New connections are accepted and not served, as by a process that no longer calls `accept`: the connecting side is
    /// connected, what it sends fills the buffers, and the accepting side hears of it only when the fault heals.
    /// Connections that exist are left alone.
    AcceptHang, dir: "crate::chaos::toxics::both" {}
}

impl AcceptHang {
    fn at_work(&self) -> Absence {
        Absence
    }
}

#[derive(Debug)]
struct Absence;

impl Toxic for Absence {
    fn on_connect(&self) -> Admission {
        Admission::AcceptHang
    }
}
