//! What a census counts and a verdict is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of thing a process holds. The order is the order of every table: culprits before victims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resource {
    /// Live async tasks.
    Tasks,
    /// Open file descriptors (in sim also the simulated sockets the target holds).
    Fds,
    /// Operating-system threads.
    Threads,
    /// Live heap: blocks decide, bytes are reported.
    Heap,
    /// Resident set size. Never decides a leak (see the verdict module).
    Rss,
}

impl Resource {
    /// Every resource, in table order.
    pub const ALL: [Self; 5] = [Self::Tasks, Self::Fds, Self::Threads, Self::Heap, Self::Rss];

    /// The name in YAML, JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Fds => "fds",
            Self::Threads => "threads",
            Self::Heap => "heap",
            Self::Rss => "rss",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
