//! The gallery: leaks that have taken down real gateways, each a faulty twin of one part in one file.
//!
//! A twin is swapped in by name at start, in builds made to be tested. Nothing else changes, and nothing of it is
//! in a build without the feature `defects`.

pub mod heartbeat_outlives_connection;
pub mod slice_pins_block;
pub mod unbounded_consumer_backlog;

use std::sync::Arc;

use crate::parts::Parts;

/// The name that stands for the healthy gateway.
pub const NONE: &str = "none";

/// Every defect's name: its file without `.rs`.
pub const NAMES: &[&str] =
    &["heartbeat_outlives_connection", "slice_pins_block", "unbounded_consumer_backlog"];

/// Puts the twin called `name` in the place of its healthy part; `false` if there is none.
pub(crate) fn swap_in(name: &str, parts: &mut Parts) -> bool {
    match name {
        NONE => {}
        "heartbeat_outlives_connection" => {
            parts.heartbeat = Arc::new(heartbeat_outlives_connection::HeartbeatOutlivesConnection);
        }
        "slice_pins_block" => parts.intake = Arc::new(slice_pins_block::SlicePinsBlock::default()),
        "unbounded_consumer_backlog" => {
            parts.delivery = Arc::new(unbounded_consumer_backlog::UnboundedDelivery);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_twin_and_no_other_name_has_one() {
        for name in NAMES.iter().chain(&[NONE]) {
            assert!(swap_in(name, &mut Parts::healthy()), "{name}");
        }
        assert!(!swap_in("heartbeat", &mut Parts::healthy()));
    }
}
