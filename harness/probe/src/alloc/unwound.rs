//! The call stack by the unwinder's tables: for builds without frame pointers, where one short run is to name a line.

use std::cell::Cell;

use super::sites::{self, SiteId};
use super::stack::FRAMES_MAX;
use crate::actor::Actor;

/// The site of the code that called the allocator, which runs for `actor`.
#[inline(never)]
pub(super) fn of_caller(actor: Actor) -> SiteId {
    // What the unwinder itself allocates has no stack of its own: it would unwind for ever.
    if UNWINDING.replace(true) {
        return sites::without_stack(actor);
    }
    let mut frames = [0_usize; FRAMES_MAX];
    let depth = unwind(&mut frames);
    let site = sites::of_frames(&frames[..depth], actor);
    UNWINDING.set(false);
    site
}

/// Fills in the return addresses, innermost first, from this function's callers on; says how many.
#[inline(never)]
pub(crate) fn unwind(frames: &mut [usize; FRAMES_MAX]) -> usize {
    let mut depth = 0;
    // The stack grows down: the unwinder's own frames lie below this one's.
    let here = std::ptr::from_ref(&depth).addr();
    #[expect(unsafe_code, reason = "the synchronised way takes a lock that allocates")]
    // SAFETY: on Linux the lock that this leaves out guards nothing; the closure does not unwind.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if frame.sp().addr() > here {
                frames[depth] = frame.ip().addr();
                depth += 1;
            }
            depth < FRAMES_MAX
        });
    }
    depth
}

thread_local! {
    // Const and without a destructor: the allocator reads it, even while a thread ends.
    static UNWINDING: Cell<bool> = const { Cell::new(false) };
}
