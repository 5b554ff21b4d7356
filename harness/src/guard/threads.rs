//! Threads of the process, by number.

use std::collections::BTreeSet;

use watertight_probe::Tenant;

/// Every thread of this process; empty where the platform does not list them.
pub(super) fn all() -> BTreeSet<u32> {
    let Ok(listed) = std::fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Whose a thread is that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Spawned on behalf of the test.
    Ours,
    /// Somebody else's, for sure.
    Others,
    /// Nobody knows.
    Unknown,
}

/// Whose `thread` is, seen from a test that runs for `tenant`.
pub(super) fn whose(thread: u32, tenant: Tenant) -> Whose {
    match watertight_probe::threads::owner(thread) {
        None => Whose::Unknown,
        Some(owner) if tenant != Tenant::NONE && owner.is_within(tenant) => Whose::Ours,
        Some(_) => Whose::Others,
    }
}

/// What the thread calls itself: `my-worker`.
pub(super) fn name(thread: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default();
    name.trim().to_owned()
}
