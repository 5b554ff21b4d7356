//! What the allocator counts: decided at the very first allocation, never changed after.

use std::sync::atomic::{AtomicU8, Ordering};

use super::stack;
use crate::heap::Mode;

/// What each allocation does. Fixed for the life of the process, since a block must be freed as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Active {
    Off,
    Count,
    Headers {
        stacks: Stacks,
    },
    #[cfg(feature = "dhat")]
    Dhat,
}

/// How a block's call stack is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stacks {
    /// Not at all.
    None,
    /// By frame pointers: in every run.
    Frames,
    /// By the unwinder: needs no frame pointers, and takes a hundred times as long. For short runs that name a line.
    Unwound,
}

/// The mode in force; reads the environment if this is the first allocation of the process.
#[inline]
pub(crate) fn active() -> Active {
    match MODE.load(Ordering::Relaxed) {
        SITES => Active::Headers { stacks: Stacks::Frames },
        UNWOUND => Active::Headers { stacks: Stacks::Unwound },
        TENANTS => Active::Headers { stacks: Stacks::None },
        COUNT => Active::Count,
        #[cfg(feature = "dhat")]
        DHAT => Active::Dhat,
        OFF => Active::Off,
        _ => decide(),
    }
}

/// The mode in force; [`Mode::Absent`] if this allocator has never been asked for a block.
pub(crate) fn public() -> Mode {
    match MODE.load(Ordering::Relaxed) {
        SITES | UNWOUND => Mode::Sites,
        TENANTS => Mode::Tenants,
        COUNT => Mode::Count,
        DHAT => Mode::Dhat,
        OFF => Mode::Off,
        _ => Mode::Absent,
    }
}

/// Why blocks have no call stacks, for the report; `None`: they have.
pub(crate) fn why_not_sites() -> Option<&'static str> {
    match (public(), REASON.load(Ordering::Relaxed)) {
        (Mode::Sites, _) | (Mode::Dhat, NO_REASON) => None,
        (Mode::Absent, _) => {
            Some("the process does not declare watertight_probe::Alloc as its global allocator")
        }
        (_, NO_FRAME_POINTERS) => Some("built without -C force-frame-pointers=yes"),
        (_, NO_ARCHITECTURE) => Some("call stacks are walked on Linux x86_64 and aarch64 only"),
        (_, NO_DHAT) => Some("WATERTIGHT_HEAP=dhat, but built without the feature `dhat`: counting only"),
        (_, UNKNOWN_WORD) => {
            Some("WATERTIGHT_HEAP is none of sites, unwind, tenants, count, dhat, off: counting only")
        }
        (Mode::Tenants, _) => Some("WATERTIGHT_HEAP=tenants asks for none"),
        (Mode::Count, _) => Some("WATERTIGHT_HEAP=count asks for none"),
        (Mode::Dhat, _) => Some("WATERTIGHT_HEAP=dhat: dhat alone keeps the call stacks"),
        (Mode::Off, _) => Some("WATERTIGHT_HEAP=off"),
    }
}

/// Two threads may decide at once: both read the same environment and come to the same end.
#[cold]
#[inline(never)]
fn decide() -> Active {
    let (mode, reason) = match asked_for() {
        Asked::Sites => match why_no_stacks() {
            NO_REASON => (SITES, NO_REASON),
            reason => (TENANTS, reason),
        },
        Asked::Unwind if why_no_stacks() == NO_REASON => (SITES, NO_REASON),
        Asked::Unwind => (UNWOUND, NO_REASON),
        Asked::Tenants => (TENANTS, NO_REASON),
        Asked::Count => (COUNT, NO_REASON),
        Asked::Dhat if cfg!(feature = "dhat") => (DHAT, why_no_stacks()),
        Asked::Dhat => (COUNT, NO_DHAT),
        Asked::Off => (OFF, NO_REASON),
        Asked::Unknown => (COUNT, UNKNOWN_WORD),
    };
    REASON.store(reason, Ordering::Relaxed);
    MODE.store(mode, Ordering::Relaxed);
    active()
}

fn why_no_stacks() -> u8 {
    match stack::support() {
        Ok(()) => NO_REASON,
        Err(stack::Missing::FramePointers) => NO_FRAME_POINTERS,
        Err(stack::Missing::Architecture) => NO_ARCHITECTURE,
    }
}

/// Whether blocks that are shown to dhat are counted by their call stacks here too.
#[cfg(feature = "dhat")]
pub(super) fn keeps_stacks() -> bool {
    REASON.load(Ordering::Relaxed) == NO_REASON
}

enum Asked {
    Sites,
    Unwind,
    Tenants,
    Count,
    Dhat,
    Off,
    Unknown,
}

fn asked_for() -> Asked {
    #[expect(unsafe_code, reason = "std::env::var allocates, and this runs inside an allocation")]
    // SAFETY: the name is a C string; this is the process's first allocation, so no other thread sets variables.
    let value = unsafe { libc::getenv(c"WATERTIGHT_HEAP".as_ptr()) };
    if value.is_null() {
        return Asked::Sites;
    }
    #[expect(unsafe_code, reason = "std::env::var allocates, and this runs inside an allocation")]
    // SAFETY: getenv returns a C string that lives until the variable is set anew.
    let value = unsafe { std::ffi::CStr::from_ptr(value) };
    match value.to_bytes() {
        b"sites" | b"" => Asked::Sites,
        b"unwind" => Asked::Unwind,
        b"tenants" => Asked::Tenants,
        b"count" => Asked::Count,
        b"dhat" => Asked::Dhat,
        b"off" => Asked::Off,
        _ => Asked::Unknown,
    }
}

const SITES: u8 = 1;
const TENANTS: u8 = 2;
const COUNT: u8 = 3;
const DHAT: u8 = 4;
const OFF: u8 = 5;
const UNWOUND: u8 = 6;

const NO_REASON: u8 = 0;
const NO_FRAME_POINTERS: u8 = 1;
const NO_ARCHITECTURE: u8 = 2;
const NO_DHAT: u8 = 3;
const UNKNOWN_WORD: u8 = 4;

static MODE: AtomicU8 = AtomicU8::new(0);
static REASON: AtomicU8 = AtomicU8::new(NO_REASON);
