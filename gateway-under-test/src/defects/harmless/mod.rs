//! Twins that look like leaks and are none: what they hold comes to an end, and a detector that calls them leaks is not
//! believed when it finds one.

pub mod allocator_retention;
pub mod burst_drains_late;
pub mod pool_grows_to_its_limit;

use std::sync::Arc;

use super::Twin;

/// Every harmless twin, by number.
pub const ALL: &[Twin] = &[
    Twin {
        id: "N02",
        name: "pool_grows_to_its_limit",
        swap_in: |parts| parts.buffers = Arc::new(pool_grows_to_its_limit::PoolGrowsToItsLimit),
    },
    Twin {
        id: "N05",
        name: "allocator_retention",
        swap_in: |parts| parts.intake = Arc::new(allocator_retention::AllocatorRetention::default()),
    },
    Twin {
        id: "N06",
        name: "burst_drains_late",
        swap_in: |parts| parts.delivery = Arc::new(burst_drains_late::BurstDrainsLate),
    },
];
