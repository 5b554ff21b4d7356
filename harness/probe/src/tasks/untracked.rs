//! What remains without `tokio_unstable`: no hooks, so no ledger and no dumps.

use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use super::{DumpError, TaskDump, TaskInfo};
use crate::Tenant;

const WHY: &str = "built without --cfg tokio_unstable: tokio has no task hooks";

pub(super) fn install(_runtime: &mut Builder) {}

pub(super) fn why_not_tracked() -> Option<&'static str> {
    Some(WHY)
}

/// tokio's own count of the runtime this is called in; it knows no tenants, so all tasks count as nobody's.
pub(super) fn count(wanted: &dyn Fn(Tenant) -> bool) -> u64 {
    match Handle::try_current() {
        Ok(handle) if wanted(Tenant::NONE) => handle.metrics().num_alive_tasks() as u64,
        _ => 0,
    }
}

/// As [`count`]: all tasks are nobody's.
pub(super) fn for_each_tenant(tell: &mut dyn FnMut(Tenant, u64)) {
    tell(Tenant::NONE, count(&|_| true));
}

pub(super) fn live() -> Vec<TaskInfo> {
    Vec::new()
}

pub(super) fn overflows() -> u64 {
    0
}

/// Not in this build.
pub fn dump(_handle: &Handle, _within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    Err(DumpError::Unsupported(WHY))
}

/// Not in this build.
pub async fn dump_here(_within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    Err(DumpError::Unsupported(WHY))
}

#[cfg(feature = "serve")]
pub(crate) fn wanted_handle() -> Option<Handle> {
    None
}

#[cfg(feature = "serve")]
pub(crate) fn want_handle() {}
