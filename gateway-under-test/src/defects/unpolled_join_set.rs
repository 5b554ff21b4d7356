//! D07: finished tasks pile up in a `JoinSet` that nobody joins.
//!
//! What it looks like: live heap grows by two blocks with every connection that a consumer ever made: the set's entry and
//! the task's cell. How large that one is depends on the build: a debug build puts large futures into a box of their own,
//! and so keeps a few hundred bytes where a release build keeps some kilobytes. Tasks and descriptors stay flat, since
//! each connection is over and closed.
//!
//! Why it passes review: a set that aborts its tasks when it is dropped is the tidy way to own them, and better than
//! tasks that nobody owns. That a finished task stays in the set until it is joined is one sentence in its docs.
//!
//! The fix: join what has finished (`while set.try_join_next().is_some() {}` before each spawn), or use a `TaskTracker`,
//! which keeps nothing of a task that has ended.

use std::sync::{Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::http::reception::{Accepted, Reception};
use crate::tasks::Tasks;

/// Keeps every connection's task in a set, so that none outlives it.
#[derive(Default)]
pub struct UnpolledJoinSet {
    serving: Mutex<JoinSet<()>>,
}

impl Reception for UnpolledJoinSet {
    fn receive(&self, _tasks: &Tasks, accepted: Accepted) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        serving.spawn(accepted.serve());
    }
}
