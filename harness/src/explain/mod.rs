//! Names what leaks: sites of heap and tasks, fds, await stacks.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;

/// One thing that stayed behind, named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What leaks here.
    pub resource: Resource,
    /// The first frame in the user's own code, `path/file.rs:line`; for fds the kind and peer.
    pub site: String,
    /// The function at the site, where it is known.
    pub function: Option<String>,
    /// Survivors (blocks, tasks, fds) that were not there at the end of warm-up.
    pub survivors: i64,
    /// Their bytes, for heap.
    pub survivor_bytes: i64,
    /// The whole stack, outermost last, or the await stack of one such task.
    pub stack: Vec<String>,
    /// Whether another finding explains this one (a leaked task explains its heap).
    pub victim_of: Option<String>,
}
