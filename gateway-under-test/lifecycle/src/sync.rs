//! The one place where types differ: loom's in this crate's unit tests, std's everywhere else.

use std::sync::PoisonError;

#[cfg(test)]
use loom::sync::MutexGuard;
#[cfg(test)]
pub(crate) use loom::sync::{Arc, Mutex};
#[cfg(not(test))]
use std::sync::MutexGuard;
#[cfg(not(test))]
pub(crate) use std::sync::{Arc, Mutex};

/// Locks `mutex`, also after a panic under its lock: callers change state only after the last step that could panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
