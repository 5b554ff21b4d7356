//! Twins that look like leaks and are none: what they hold comes to an end, and a detector that calls them leaks is not
//! believed when it finds one.

pub mod allocator_retention;
pub mod burst_drains_late;
pub mod cache_fills_to_its_cap;
pub mod lazy_statics;
pub mod one_off_step;
pub mod pool_grows_to_its_limit;
pub mod rehash;

use std::sync::Arc;

use super::Twin;

/// Every harmless twin, by number.
pub const ALL: &[Twin] = &[
    Twin {
        id: "N01",
        name: "cache_fills_to_its_cap",
        swap_in: |parts| parts.intake = Arc::new(cache_fills_to_its_cap::CacheFillsToItsCap::default()),
    },
    Twin {
        id: "N02",
        name: "pool_grows_to_its_limit",
        swap_in: |parts| parts.buffers = Arc::new(pool_grows_to_its_limit::PoolGrowsToItsLimit),
    },
    Twin { id: "N03", name: "rehash", swap_in: |parts| parts.intake = Arc::new(rehash::Rehash::default()) },
    Twin {
        id: "N04",
        name: "lazy_statics",
        swap_in: |parts| parts.intake = Arc::new(lazy_statics::LazyStatics::default()),
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
    Twin {
        id: "N07",
        name: "one_off_step",
        swap_in: |parts| parts.intake = Arc::new(one_off_step::OneOffStep::default()),
    },
];
