//! The call stack by frame pointers: each frame starts with the caller's frame pointer, then the return address.
//!
//! A walk follows a chain of loads. Since a service allocates from the same stacks again and again, each thread keeps the
//! last few it walked, and first looks whether one of them stands.
//!
//! Source: System V ABI for x86-64, figure 3.3; AAPCS64 §6.4.6 (frame record). Both lay the pair out the same way.

use super::differences::Differences;
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

/// Whether this build keeps frame pointers where [`Stack::walk`] looks for them.
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

/// The stack of a caller of the allocator.
#[derive(Debug)]
pub(super) struct Stack {
    /// Frames in `frames` and `returns`.
    pub(super) depth: usize,
    /// Where the innermost frame lies.
    innermost: usize,
    /// The frames' words, innermost first: a frame lies where the one before it says.
    frames: [Words; FRAMES_MAX],
}

/// What a frame starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Words {
    /// Where the caller's frame lies.
    pub(super) callers: usize,
    /// Where the caller goes on.
    pub(super) return_address: usize,
}

impl Words {
    /// Those of the frame at `frame`, an address that [`Bounds::holds_frame`] has accepted.
    #[inline(always)]
    pub(super) fn at(frame: usize) -> Self {
        Self { callers: read(frame), return_address: read(frame + size_of::<usize>()) }
    }
}

impl Stack {
    pub(super) const EMPTY: Self =
        Self { depth: 0, innermost: 0, frames: [Words { callers: 0, return_address: 0 }; FRAMES_MAX] };

    /// The return addresses, innermost first.
    #[inline]
    pub(super) fn returns(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.frames[..self.depth.min(FRAMES_MAX)].iter().map(|frame| frame.return_address)
    }

    /// Finds the callers by following their frames, one after the other: each step waits for the one before.
    ///
    /// Ends at the first frame that is not above the last one, not aligned, or outside this thread's stack: foreign
    /// code without frame pointers cuts a stack short, it does not lead astray.
    #[inline]
    pub(super) fn walk(&mut self, innermost: usize) {
        let bounds = thread::stack_bounds();
        let mut frame = innermost;
        self.innermost = innermost;
        self.depth = 0;
        while self.depth < FRAMES_MAX && bounds.holds_frame(frame) {
            let words = Words::at(frame);
            if words.return_address == 0 {
                break;
            }
            self.frames[self.depth] = words;
            self.depth += 1;
            if words.callers <= frame {
                break;
            }
            frame = words.callers;
        }
    }

    /// Whether this stack, walked by this thread before, is the one that stands now.
    ///
    /// Looks at each frame where it lay then, without waiting for the one before: as sure as a walk, and several times
    /// as fast. All of it lies above `innermost`, in the part of the stack that is in use.
    #[inline]
    pub(super) fn stands(&self, innermost: usize) -> bool {
        if self.depth == 0 || self.depth > FRAMES_MAX || self.innermost != innermost {
            return false;
        }
        let mut differences = Differences::none();
        let mut frame = innermost;
        for known in &self.frames[..self.depth] {
            differences = differences.with(frame, known);
            // Where it lay then, not where it lies now: the next look need not wait for this one.
            frame = known.callers;
        }
        differences.are_none()
    }
}

/// Where the frame of the function that this is inlined into lies, if it lies in this thread's stack.
#[inline(always)]
pub(super) fn innermost() -> Option<usize> {
    let frame = frame_pointer();
    thread::stack_bounds().holds_frame(frame).then_some(frame)
}

/// Tells most stacks apart by their two innermost frames, in `BITS` bits and few instructions.
#[inline]
pub(super) fn fingerprint<const BITS: u32>(innermost: usize) -> usize {
    let callers = read(innermost);
    let return_address = read(innermost + size_of::<usize>());
    let callers_return = match thread::stack_bounds().holds_frame(callers) && callers > innermost {
        true => read(callers + size_of::<usize>()),
        false => 0,
    };
    // The golden ratio's bits, as in Fibonacci hashing, whose upper bits are the well-mixed ones.
    let mixed =
        innermost as u64 ^ (return_address as u64).rotate_left(20) ^ (callers_return as u64).rotate_left(40);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as usize
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
