//! What a process holds at rest, counted once per settled cycle.
//!
//! [`Census`] is the plain value.
#![cfg_attr(
    feature = "scenarios",
    doc = "A live process is looked at by a [`Sampler`]: [`outside`] asks the system, [`inside`] the process itself, where it serves \
           something that can be asked."
)]

#[cfg(feature = "scenarios")]
pub mod inside;
#[cfg(feature = "scenarios")]
pub mod outside;
#[cfg(feature = "scenarios")]
mod sampler;
#[cfg(feature = "scenarios")]
mod stat;
#[cfg(feature = "scenarios")]
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resource::Resource;

#[cfg(feature = "scenarios")]
pub use inside::Inside;
#[cfg(feature = "scenarios")]
pub use outside::Outside;
#[cfg(feature = "scenarios")]
pub use sampler::Sampler;
#[cfg(feature = "scenarios")]
pub use tree::{descendants, pids};

/// Why a look at a process did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Blind {
    /// There is no such process any more.
    #[error("process {pid} is gone")]
    Gone {
        /// Its number.
        pid: u32,
    },
    /// What it serves for a look inside does not answer, or not as it was described.
    #[error("its {view} does not answer: {why}")]
    Inside {
        /// What was asked, such as `probe`.
        view: &'static str,
        /// What went wrong.
        why: String,
    },
}

/// Counts of what the target holds. `None` means: not measured by this engine for this target, and the report says so.
///
/// A cycle's census is the floor (minimum per field) over its settle window, not one lucky instant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct Census {
    /// Live tasks, from the ledger.
    pub tasks: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Operating-system threads.
    pub threads: Option<u64>,
    /// Live heap blocks.
    pub heap_blocks: Option<u64>,
    /// Live heap bytes, as requested by the target (headers and allocator slack not counted).
    pub heap_bytes: Option<u64>,
    /// Resident set size in bytes.
    pub rss_bytes: Option<u64>,
    /// Figures of the target's own (sessions, queue depths), by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gauges: BTreeMap<String, f64>,
}

impl Census {
    /// The figure that decides for `resource`: counts, and blocks for the heap.
    pub fn count(&self, resource: Resource) -> Option<u64> {
        match resource {
            Resource::Tasks => self.tasks,
            Resource::Fds => self.fds,
            Resource::Threads => self.threads,
            Resource::Heap => self.heap_blocks,
            Resource::Rss => self.rss_bytes,
        }
    }

    /// The bytes behind `resource`, where it has any.
    pub fn bytes(&self, resource: Resource) -> Option<u64> {
        match resource {
            Resource::Heap => self.heap_bytes,
            Resource::Rss => self.rss_bytes,
            _ => None,
        }
    }

    /// Lowers every field to the minimum of itself and `other`.
    pub fn floor(&mut self, other: &Self) {
        let lower = |mine: &mut Option<u64>, theirs: Option<u64>| {
            *mine = match (*mine, theirs) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        };
        lower(&mut self.tasks, other.tasks);
        lower(&mut self.fds, other.fds);
        lower(&mut self.threads, other.threads);
        lower(&mut self.heap_blocks, other.heap_blocks);
        lower(&mut self.heap_bytes, other.heap_bytes);
        lower(&mut self.rss_bytes, other.rss_bytes);
        for (name, value) in &other.gauges {
            let floor = self.gauges.entry(name.clone()).or_insert(*value);
            *floor = floor.min(*value);
        }
    }

    /// Raises every field to the maximum of itself and `other`: the high-water mark of a run.
    pub fn peak(&mut self, other: &Self) {
        self.tasks = self.tasks.max(other.tasks);
        self.fds = self.fds.max(other.fds);
        self.threads = self.threads.max(other.threads);
        self.heap_blocks = self.heap_blocks.max(other.heap_blocks);
        self.heap_bytes = self.heap_bytes.max(other.heap_bytes);
        self.rss_bytes = self.rss_bytes.max(other.rss_bytes);
        for (name, value) in &other.gauges {
            let peak = self.gauges.entry(name.clone()).or_insert(*value);
            *peak = peak.max(*value);
        }
    }
}
