//! Whose a thread is: that of the tenant for which it was spawned.
//!
//! Asked for by [`tell_apart`]. A thread of std's inherits the tenant of its spawner, as a task does, and is listed with it;
//! what it allocates counts as that tenant's. A thread that has freed no block yet, as those of foreign code may never do, is
//! not listed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Tenant;

/// Threads remembered: the last so many that began.
pub const THREADS_MAX: usize = 1 << 12;

/// From now on each new thread belongs to the tenant of whoever spawns it.
pub fn tell_apart() {
    ASKED.store(true, Ordering::Relaxed);
}

/// The number of this thread, as `/proc/self/task` has it; 0 where threads have none that can be listed.
pub fn current() -> u32 {
    #[cfg(target_os = "linux")]
    {
        #[expect(unsafe_code, reason = "std does not tell a thread's number")]
        // SAFETY: asks for a number, touches no memory.
        let number = unsafe { libc::gettid() };
        number.cast_unsigned()
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// Whose the thread with this number is; `None`: nobody knows. Numbers of threads that ended are told until others take their place.
pub fn owner(number: u32) -> Option<Tenant> {
    let word = slot(number).load(Ordering::Acquire);
    (word != 0 && (word >> u32::BITS) as u32 == number).then(|| Tenant::from_id(word as u16))
}

pub(crate) fn are_told_apart() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Notes that this thread belongs to `owner`; allocates nothing.
pub(crate) fn belongs_to(owner: Tenant) {
    let number = current();
    slot(number).store(u64::from(number) << u32::BITS | u64::from(owner.id()), Ordering::Release);
}

/// Numbers rise: whoever stood there is [`THREADS_MAX`] threads older, and most likely gone.
fn slot(number: u32) -> &'static AtomicU64 {
    &SLOTS[number as usize % THREADS_MAX]
}

static ASKED: AtomicBool = AtomicBool::new(false);
static SLOTS: [AtomicU64; THREADS_MAX] = [const { AtomicU64::new(0) }; THREADS_MAX];
