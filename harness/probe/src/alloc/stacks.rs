//! The table of call stacks: frames → a small number. Static, lock-free, filled once, never emptied.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::stack::FRAMES_MAX;

/// Call stacks that can be told apart.
pub(super) const STACKS_MAX: usize = 1 << 16;

/// The number of a call stack: below [`STACKS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StackId(u32);

impl StackId {
    /// No frames at all.
    pub(super) const EMPTY: Self = Self(0);
    /// The first number that stands for frames.
    const FIRST: u32 = 1;

    pub(super) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    pub(super) const fn raw(self) -> u32 {
        self.0
    }
}

/// The return addresses of a stack, innermost first.
pub(super) fn frames(stack: StackId) -> Vec<usize> {
    let Some(stack) = STACKS.get(stack.0 as usize) else { return Vec::new() };
    if stack.hash.load(Ordering::Acquire) == 0 {
        return Vec::new();
    }
    let depth = stack.depth.load(Ordering::Relaxed) as usize;
    stack.frames.iter().take(depth).map(|frame| frame.load(Ordering::Relaxed)).collect()
}

/// The number of the stack that `frames` are, new if they were never seen; `None`: the table is full.
#[inline]
pub(super) fn find_or_insert(frames: impl ExactSizeIterator<Item = usize> + Clone) -> Option<StackId> {
    let hash = hash(frames.clone());
    // The upper half is the tag kept in the slot, the lower one the place to start looking.
    let tag = hash & TAG_MASK;
    let mut slot = hash as usize;
    for _ in 0..PROBES_MAX {
        slot &= SLOTS - 1;
        let entry = INDEX[slot].load(Ordering::Acquire);
        if entry == 0 {
            return insert(slot, hash, frames);
        }
        let id = entry as u32;
        if entry & TAG_MASK == tag && STACKS[id as usize % STACKS_MAX].hash.load(Ordering::Relaxed) == hash {
            return Some(StackId(id));
        }
        slot += 1;
    }
    None
}

/// Publishes a new stack in `slot`, or finds that another thread has just done so.
#[cold]
#[inline(never)]
fn insert(slot: usize, hash: u64, frames: impl ExactSizeIterator<Item = usize>) -> Option<StackId> {
    let id = take_number()?;
    let stack = &STACKS[id as usize];
    stack.depth.store(frames.len() as u32, Ordering::Relaxed);
    for (kept, frame) in stack.frames.iter().zip(frames) {
        kept.store(frame, Ordering::Relaxed);
    }
    let entry = (hash & TAG_MASK) | u64::from(id);
    for at in 0..PROBES_MAX {
        let index = &INDEX[(slot + at) & (SLOTS - 1)];
        // The slot is published only when the stack is whole: hash first, then the entry.
        stack.hash.store(hash, Ordering::Release);
        match index.compare_exchange(0, entry, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(StackId(id)),
            Err(theirs) if STACKS[theirs as u32 as usize].hash.load(Ordering::Relaxed) == hash => {
                // Lost the race for the same stack: the number stays unused.
                stack.hash.store(0, Ordering::Release);
                return Some(StackId(theirs as u32));
            }
            Err(_) => {}
        }
    }
    None
}

/// The next free number, or `None` when all are given out.
fn take_number() -> Option<u32> {
    let next = |next: u32| ((next as usize) < STACKS_MAX).then_some(next + 1);
    NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
}

/// Never 0: that marks an unpublished stack. Two stacks with one hash would share a number; at 64 Ki stacks the chance is
/// 2^31 pairs in 2^64.
#[inline]
fn hash(frames: impl Iterator<Item = usize>) -> u64 {
    // Odd constant with well-spread bits (the golden ratio's), as in Fibonacci hashing.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = SPREAD;
    for frame in frames {
        hash = (hash.rotate_left(23) ^ frame as u64).wrapping_mul(SPREAD);
    }
    hash ^= hash >> 29;
    hash.max(1)
}

struct Frames {
    /// 0 until the stack is whole.
    hash: AtomicU64,
    depth: AtomicU32,
    frames: [AtomicUsize; FRAMES_MAX],
}

impl Frames {
    const fn new() -> Self {
        Self {
            hash: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            frames: [const { AtomicUsize::new(0) }; FRAMES_MAX],
        }
    }
}

/// Twice the stacks, so that at most half of the slots are taken and a search stays short.
const SLOTS: usize = 2 * STACKS_MAX;
/// Slots looked at before a stack counts as not to be placed.
const PROBES_MAX: usize = 128;
const TAG_MASK: u64 = 0xffff_ffff_0000_0000;

// 64 Ki stacks of 208 bytes and their index: 14 MiB of address space, of which only pages in use become resident.
static STACKS: [Frames; STACKS_MAX] = [const { Frames::new() }; STACKS_MAX];
static INDEX: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static NEXT: AtomicU32 = AtomicU32::new(StackId::FIRST);
