//! Where tokio cannot dump tasks: `taskdump` does not compile there.

use std::time::Duration;

use tokio::runtime::Handle;

use super::{DumpError, TaskDump};

const WHY: &str = "tokio dumps tasks on Linux x86_64 and aarch64 only";

pub(super) fn from_outside(_handle: &Handle, _within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    Err(DumpError::Unsupported(WHY))
}

pub(super) async fn from_inside(_within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    Err(DumpError::Unsupported(WHY))
}
