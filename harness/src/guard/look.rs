//! What the process holds at one moment, and what of it was not there at another.

use std::collections::BTreeSet;

use super::fds::{self, Open};
use super::plan::Tolerances;
use super::threads;

/// Descriptors and threads of the process, and the tasks of a test's runtime.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) tasks: u64,
    pub(super) fds: Open,
    pub(super) threads: BTreeSet<u32>,
}

impl Look {
    /// Looks now; `tasks` are alive.
    pub(super) fn with_tasks(tasks: u64) -> Self {
        Self { tasks, fds: fds::open().unwrap_or_default(), threads: threads::all() }
    }
}

/// What stayed behind.
#[derive(Debug, Clone, Default)]
pub(super) struct Left {
    /// Tasks of the test's runtime, above those before.
    pub(super) tasks: u64,
    /// Calls of `spawn_blocking` that have not ended.
    pub(super) blocking: u64,
    /// Threads that the test spawned.
    pub(super) threads: Vec<u32>,
    /// Threads of which nobody knows who spawned them.
    pub(super) strangers: Vec<u32>,
    /// Descriptors that no other test's runtime is known to own.
    pub(super) fds: Open,
}

impl Left {
    /// Whether it is more than is tolerated.
    pub(super) fn is_more_than(&self, tolerances: Tolerances) -> bool {
        self.is_surely_more_than(tolerances)
            || self.all_threads() > tolerances.threads
            || self.fds.len() as u64 > tolerances.fds
    }

    /// As above, of what can be nobody else's.
    pub(super) fn is_surely_more_than(&self, tolerances: Tolerances) -> bool {
        self.tasks > tolerances.tasks || self.blocking + self.threads.len() as u64 > tolerances.threads
    }

    /// Threads at work, of the pool or spawned.
    pub(super) fn all_threads(&self) -> u64 {
        self.blocking + (self.threads.len() + self.strangers.len()) as u64
    }
}
