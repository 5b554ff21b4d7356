//! Leaks on purpose, one unit at a time: the control that shows a run would have seen them.
//!
//! Each plant is a function and a line of its own, which reports then name.

// watertight: allow-file(forgotten-value, detached-spawn): leaks on purpose are what this file is for

use std::hint::black_box;
use std::io;

/// Leaks one heap block of `bytes` bytes (at least one).
#[inline(never)]
pub fn heap(bytes: usize) {
    let block = black_box(vec![0_u8; black_box(bytes.max(1))]);
    std::mem::forget(block);
}

/// Leaks one task: it waits for ever.
///
/// # Panics
///
/// Outside a tokio runtime, as `tokio::spawn` does.
#[inline(never)]
pub fn task() {
    tokio::spawn(black_box(std::future::pending::<()>()));
}

/// Leaks one task on the runtime behind `handle`.
#[inline(never)]
pub fn task_on(handle: &tokio::runtime::Handle) {
    handle.spawn(black_box(std::future::pending::<()>()));
}

/// Leaks one open file descriptor, of `/dev/null`.
#[inline(never)]
pub fn fd() -> io::Result<()> {
    let file = black_box(std::fs::File::open("/dev/null")?);
    #[cfg(target_os = "linux")]
    crate::fds::opened_here(&file);
    std::mem::forget(file);
    Ok(())
}
