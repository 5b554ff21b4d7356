//! Where descriptors were opened: the call stack of each call to the C library that makes one, while somebody asks for it.
//!
//! The kernel does not keep it, and most descriptors have no block of the heap beside them. So, with the feature `opens`, the
//! functions by which std and mio open descriptors are this crate's, and hand on to the kernel. Meant for tests: what
//! calls the kernel by itself is not seen, and [`crate::fds::Fd::opened_at`] stays empty.

use std::ffi::{c_char, c_int, c_long};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::alloc::stack::FRAMES_MAX;
use crate::alloc::{sites, unwound};
use crate::frames;

/// From now on the line that opens a descriptor is remembered.
pub fn trace_opens() {
    TRACED.store(true, Ordering::Relaxed);
}

/// The line that opened `number`, as the first of the user's own code; `None`: nobody saw it.
pub(super) fn line(number: u32) -> Option<String> {
    let stack = slot(number).load(Ordering::Relaxed).checked_sub(1)?;
    let stack: Vec<frames::Frame> = sites::frames_of_stack(stack).into_iter().flat_map(frames::at).collect();
    frames::first_own(&stack).map(frames::Frame::place)
}

/// Remembers who made `answer`, if it is a descriptor; hands it on.
fn remember(answer: c_long) -> c_int {
    if TRACED.load(Ordering::Relaxed)
        && let Ok(number) = u32::try_from(answer)
    {
        let mut frames = [0_usize; FRAMES_MAX];
        let depth = unwound::unwind(&mut frames);
        // One more than the number, so that 0 is none.
        let stack = sites::stack_of_frames(&frames[..depth]).map_or(0, |stack| stack + 1);
        slot(number).store(stack, Ordering::Relaxed);
    }
    // The kernel's answers to these calls fit.
    answer as c_int
}

fn slot(number: u32) -> &'static AtomicU32 {
    &STACKS[number as usize % DESCRIPTORS_MAX]
}

/// Descriptors told apart by number.
const DESCRIPTORS_MAX: usize = 1 << 14;

static TRACED: AtomicBool = AtomicBool::new(false);
static STACKS: [AtomicU32; DESCRIPTORS_MAX] = [const { AtomicU32::new(0) }; DESCRIPTORS_MAX];

/// A function of the C library's, as its manual page has it, that makes a descriptor.
macro_rules! opens {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $call:ident($($passed:expr),*)) => {
        $(#[$doc])*
        #[expect(unsafe_code, reason = "stands in the place of the C library's function")]
        // SAFETY: the name is the C library's, and so are arguments and meaning.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            // SAFETY: the caller's contract is the call's.
            remember(unsafe { libc::syscall(libc::$call, $($passed),*) })
        }
    };
}

opens! {
    /// open(2). The last argument is there where the flags make a file, and else not looked at by the kernel.
    open64(path: *const c_char, flags: c_int, mode: c_int)
        => SYS_openat(libc::AT_FDCWD, path, flags | libc::O_LARGEFILE, mode)
}
opens! {
    /// socket(2).
    socket(domain: c_int, kind: c_int, protocol: c_int) => SYS_socket(domain, kind, protocol)
}
opens! {
    /// accept(2).
    accept4(socket: c_int, address: *mut libc::sockaddr, length: *mut libc::socklen_t, flags: c_int)
        => SYS_accept4(socket, address, length, flags)
}
opens! {
    /// epoll_create(2).
    epoll_create1(flags: c_int) => SYS_epoll_create1(flags)
}
