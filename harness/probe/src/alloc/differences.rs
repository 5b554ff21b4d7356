//! Compares frames on the stack with frames remembered: both words of a frame at a time where the processor can.

use super::stack::Words;

/// What differs between any two frames compared so far.
pub(super) struct Differences(Bits);

#[cfg(target_arch = "x86_64")]
type Bits = std::arch::x86_64::__m128i;
#[cfg(not(target_arch = "x86_64"))]
type Bits = usize;

#[cfg(target_arch = "x86_64")]
impl Differences {
    #[inline(always)]
    pub(super) fn none() -> Self {
        #[expect(unsafe_code, reason = "intrinsics")]
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { std::arch::x86_64::_mm_setzero_si128() })
    }

    /// Compares the frame at `frame`, an address that [`super::stack::Bounds`] has accepted, with `known`.
    #[inline(always)]
    pub(super) fn with(self, frame: usize, known: &Words) -> Self {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_or_si128, _mm_xor_si128};

        let found: Bits;
        #[expect(unsafe_code, reason = "one load in the place of two")]
        // SAFETY: reads both words of a frame record of this thread's stack, as `stack::read` would, and does nothing else;
        // `Words` is 16 bytes without padding; SSE2 is part of x86-64.
        unsafe {
            std::arch::asm!(
                "movdqu {}, xmmword ptr [{}]",
                out(xmm_reg) found,
                in(reg) frame,
                options(readonly, nostack, preserves_flags)
            );
            let known = _mm_loadu_si128(std::ptr::from_ref(known).cast());
            Self(_mm_or_si128(self.0, _mm_xor_si128(found, known)))
        }
    }

    #[inline(always)]
    pub(super) fn are_none(self) -> bool {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_setzero_si128};

        #[expect(unsafe_code, reason = "intrinsics")]
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_setzero_si128())) == 0xffff
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Differences {
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self(0)
    }

    /// Compares the frame at `frame`, an address that [`super::stack::Bounds`] has accepted, with `known`.
    #[inline(always)]
    pub(super) fn with(self, frame: usize, known: &Words) -> Self {
        let found = Words::at(frame);
        Self(self.0 | found.callers ^ known.callers | found.return_address ^ known.return_address)
    }

    #[inline(always)]
    pub(super) fn are_none(self) -> bool {
        self.0 == 0
    }
}
