//! What each thread keeps for the allocator: its stack's bounds and the shard it counts in.
//!
//! Thread-locals here are const and have no destructor, so that they can be read inside any allocation, also while
//! the thread starts or ends. A shard is handed back by a destructor of a pthread key: libc's, not Rust's.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::counts::{self, OWN_SHARDS};
use super::stack::Bounds;

/// Where a thread counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shard {
    /// In a shard that only it writes.
    Own(usize),
    /// In the one that all other threads share.
    Common,
}

/// The shard of this thread.
#[inline(always)]
pub(super) fn shard() -> Shard {
    match SHARD.get() {
        UNKNOWN => take_shard(),
        COMMON => Shard::Common,
        own => Shard::Own(own as usize),
    }
}

/// The bounds of this thread's stack, asked for once.
#[inline(always)]
pub(super) fn stack_bounds() -> Bounds {
    let (low, high) = STACK.get();
    if high != 0 {
        return Bounds { low, high };
    }
    let bounds = ask_stack_bounds();
    STACK.set((bounds.low, bounds.high));
    bounds
}

#[cold]
#[inline(never)]
fn take_shard() -> Shard {
    // Set first: should libc allocate through us below, that allocation counts in the common shard.
    SHARD.set(COMMON);
    let free =
        |taken: &AtomicBool| taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    let Some(index) = TAKEN.iter().position(free) else { return Shard::Common };
    if !hand_back_at_thread_exit(index) {
        TAKEN[index].store(false, Ordering::Release);
        return Shard::Common;
    }
    counts::shard_taken(index);
    SHARD.set(index as u32);
    Shard::Own(index)
}

/// Called by libc when the thread ends. What the thread still frees afterwards counts in the common shard.
extern "C" fn hand_back(index_plus_1: *mut libc::c_void) {
    SHARD.set(COMMON);
    if let Some(taken) = TAKEN.get(index_plus_1.addr().wrapping_sub(1)) {
        taken.store(false, Ordering::Release);
    }
}

/// Whether libc will call [`hand_back`] for this thread.
fn hand_back_at_thread_exit(index: usize) -> bool {
    let Some(key) = exit_key() else { return false };
    // Index 0 would read as "no value", for which libc calls no destructor.
    let value = std::ptr::without_provenance::<libc::c_void>(index + 1);
    #[expect(unsafe_code, reason = "std's thread-locals with destructors allocate")]
    // SAFETY: the key was made by pthread_key_create and is never deleted; the value is a number, never read through.
    let error = unsafe { libc::pthread_setspecific(key, value) };
    error == 0
}

/// The process's key, made by whoever comes first; the loser of a race drops its own.
fn exit_key() -> Option<libc::pthread_key_t> {
    let known = EXIT_KEY.load(Ordering::Acquire);
    if known != NO_KEY {
        return Some(known as libc::pthread_key_t);
    }
    let mut key = 0;
    #[expect(unsafe_code, reason = "std's thread-locals with destructors allocate")]
    // SAFETY: `key` is written before it is read; `hand_back` has the destructor's signature and does not unwind.
    let error = unsafe { libc::pthread_key_create(&raw mut key, Some(hand_back)) };
    if error != 0 {
        return None;
    }
    match EXIT_KEY.compare_exchange(NO_KEY, key as u64, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(key),
        Err(first) => {
            #[expect(unsafe_code, reason = "std's thread-locals with destructors allocate")]
            // SAFETY: this key was made above and given to nobody.
            unsafe {
                libc::pthread_key_delete(key);
            }
            Some(first as libc::pthread_key_t)
        }
    }
}

#[cfg(target_os = "linux")]
#[cold]
#[inline(never)]
fn ask_stack_bounds() -> Bounds {
    // Set first: should libc allocate through us below, that allocation finds an empty stack.
    STACK.set((usize::MAX, usize::MAX));
    let none = Bounds { low: usize::MAX, high: usize::MAX };
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    #[expect(unsafe_code, reason = "std does not tell a thread's stack")]
    // SAFETY: pthread_getattr_np fills the attributes of the running thread if it returns 0.
    let error = unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) };
    if error != 0 {
        return none;
    }
    let (mut low, mut bytes) = (std::ptr::null_mut(), 0);
    #[expect(unsafe_code, reason = "std does not tell a thread's stack")]
    // SAFETY: the attributes were filled above; both out-pointers are valid for writes; destroyed exactly once.
    let error = unsafe {
        let error = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut bytes);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        error
    };
    if error != 0 {
        return none;
    }
    let low = low.addr();
    Bounds { low, high: low.saturating_add(bytes) }
}

#[cfg(not(target_os = "linux"))]
fn ask_stack_bounds() -> Bounds {
    Bounds { low: usize::MAX, high: usize::MAX }
}

const UNKNOWN: u32 = u32::MAX;
const COMMON: u32 = u32::MAX - 1;
/// Wide enough for every system: a key is 32 bits on Linux and 64 on macOS.
const NO_KEY: u64 = u64::MAX;

static TAKEN: [AtomicBool; OWN_SHARDS] = [const { AtomicBool::new(false) }; OWN_SHARDS];
static EXIT_KEY: AtomicU64 = AtomicU64::new(NO_KEY);

thread_local! {
    static SHARD: Cell<u32> = const { Cell::new(UNKNOWN) };
    static STACK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}
