//! The call stack by frame pointers: each frame starts with the caller's frame pointer, then the return address.
//!
//! Source: System V ABI for x86-64, figure 3.3; AAPCS64 §6.4.6 (frame record). Both lay the pair out the same way.

use super::thread;

/// Frames kept of a stack; deeper callers are not told apart.
pub(crate) const FRAMES_MAX: usize = 24;

/// What is missing to walk the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Code is compiled without them.
    FramePointers,
    /// Unknown layout of frames, or of the thread's stack.
    Architecture,
}

/// Whether this build keeps frame pointers where [`walk`] looks for them.
pub(super) fn support() -> Result<(), Missing> {
    if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return Err(Missing::Architecture);
    }
    // Without frame pointers both functions find the same value in the register.
    #[inline(never)]
    fn outer() -> bool {
        std::hint::black_box(inner(std::hint::black_box(frame_pointer())))
    }
    #[inline(never)]
    fn inner(callers: usize) -> bool {
        let mine = std::hint::black_box(frame_pointer());
        let bounds = thread::stack_bounds();
        mine < callers && bounds.holds_frame(mine) && read(mine) == callers
    }
    if outer() { Ok(()) } else { Err(Missing::FramePointers) }
}

/// Writes the return addresses of the callers into `frames`, innermost first, and says how many there are.
///
/// Ends at the first frame that is not above the last one, not aligned, or outside this thread's stack: foreign code
/// without frame pointers cuts a stack short, it does not lead astray.
#[inline(always)]
pub(super) fn walk(frames: &mut [usize; FRAMES_MAX]) -> usize {
    let bounds = thread::stack_bounds();
    let mut frame = frame_pointer();
    let mut depth = 0;
    for kept in frames.iter_mut() {
        if !bounds.holds_frame(frame) {
            break;
        }
        let return_address = read(frame + size_of::<usize>());
        if return_address == 0 {
            break;
        }
        *kept = return_address;
        depth += 1;
        let callers = read(frame);
        if callers <= frame {
            break;
        }
        frame = callers;
    }
    depth
}

/// The part of the address space that is this thread's stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) low: usize,
    pub(super) high: usize,
}

impl Bounds {
    /// Whether a whole frame record can lie at `frame`.
    #[inline(always)]
    fn holds_frame(self, frame: usize) -> bool {
        frame >= self.low
            && frame < self.high.saturating_sub(2 * size_of::<usize>())
            && frame.is_multiple_of(align_of::<usize>())
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn frame_pointer() -> usize {
    let frame: usize;
    #[expect(unsafe_code, reason = "no other way to read the register")]
    // SAFETY: copies one register, touches no memory.
    unsafe {
        std::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    frame
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn frame_pointer() -> usize {
    let frame: usize;
    #[expect(unsafe_code, reason = "no other way to read the register")]
    // SAFETY: copies one register, touches no memory.
    unsafe {
        std::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    frame
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn frame_pointer() -> usize {
    0
}

/// Reads a word of this thread's stack, at an address that [`Bounds::holds_frame`] has accepted.
#[inline(always)]
fn read(address: usize) -> usize {
    #[expect(unsafe_code, reason = "the stack is walked by address")]
    // SAFETY: aligned, and between the current frame (or a frame above it) and the top of this thread's own stack,
    // which stays mapped as long as the thread runs.
    unsafe {
        std::ptr::with_exposed_provenance::<usize>(address).read_volatile()
    }
}
