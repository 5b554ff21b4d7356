//! Judges a timeline: pure rules over values, no clock, no I/O.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;

/// One judgement. Never a `bool`. The order is from good to bad; a case ends with the worst of its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Bounded; see the sensitivity for the smallest leak that would have been seen.
    Clean,
    /// RSS rises while live heap is flat: the allocator keeps pages, the program keeps nothing.
    Retained,
    /// Rises, but ever slower: a cache that fills.
    Saturating,
    /// Rises on the whole, but not in every window: run again, longer.
    Suspect,
    /// Nothing can be said: never at rest, too few cycles, cut short.
    Inconclusive,
    /// A control failed: the load did not land or the disturbance did not disturb.
    Invalid,
    /// A figure is above its budget, growth apart.
    OverBudget,
    /// Grows without bound.
    Leak,
}

/// What a run says about one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceVerdict {
    /// The resource.
    pub resource: Resource,
    /// The judgement.
    pub outcome: Outcome,
    /// The figure at rest in the last cycle (blocks for the heap; bytes for RSS). `None`: not measured.
    pub at_rest: Option<u64>,
    /// The same in bytes, for heap and RSS.
    pub at_rest_bytes: Option<u64>,
    /// The highest figure seen at any time in the run, in the unit of `at_rest` (bytes for the heap).
    pub peak: Option<u64>,
    /// Growth per counted cycle in the unit of `at_rest` (Theil–Sen slope of the floors).
    pub growth_per_cycle: f64,
    /// Growth in bytes per counted cycle, for heap and RSS.
    pub growth_bytes_per_cycle: Option<f64>,
    /// The smallest leak this run would have seen, in units (blocks, tasks, fds) per cycle. `None`: not measured or never decides.
    pub sensitivity_per_cycle: Option<f64>,
    /// The same for heap bytes.
    pub sensitivity_bytes_per_cycle: Option<f64>,
    /// The counted cycle from which the growth shows (warm-up not counted), for a leak or a step.
    pub since_cycle: Option<usize>,
    /// Why the outcome is believed, in one sentence with the figures.
    pub why: String,
}
