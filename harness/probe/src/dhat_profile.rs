//! dhat's profiler, kept for the life of the process: the second witness.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::heap::{Mode, mode};

/// Starts dhat if `WATERTIGHT_HEAP=dhat` chose it, and says whether it did. Call it first in `main`: what was
/// allocated before is not counted. [`finish_dhat`] writes the profile to `path`.
pub fn start_dhat(path: &Path) -> bool {
    if mode() != Mode::Dhat {
        return false;
    }
    let mut profiler = PROFILER.lock().unwrap_or_else(PoisonError::into_inner);
    if profiler.is_none() {
        *profiler = Some(dhat::Profiler::builder().file_name(path).build());
    }
    true
}

/// Stops dhat and writes its profile; `false`: it was not running. It prints a summary to stderr.
pub fn finish_dhat() -> bool {
    let running = PROFILER.lock().unwrap_or_else(PoisonError::into_inner).take();
    running.is_some()
}

/// What dhat has counted; `None`: it is not running.
pub(crate) fn stats() -> Option<dhat::HeapStats> {
    let profiler = PROFILER.lock().unwrap_or_else(PoisonError::into_inner);
    profiler.as_ref().map(|_| dhat::HeapStats::get())
}

static PROFILER: Mutex<Option<dhat::Profiler>> = Mutex::new(None);
