//! Blocks that dhat is shown, counted beside it: both see the same blocks of the same run, and must agree.
//!
//! dhat must see what the program asked for, so these blocks have no header: whose each is stands in a table. What dhat
//! itself allocates, what came before it was started and what is left out of it go straight to the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::counts::{self, Owner};
use super::{mode, sites, system};
use crate::Tenant;
use crate::actor::Actor;
use crate::tenant::TENANTS_MAX;

/// Blocks that dhat is shown at once; further ones are hidden from it, and [`hidden`] counts them.
const BLOCKS_MAX: usize = 1 << 19;

/// Shows blocks to dhat from here on, or no longer.
pub(crate) fn show(shown: bool) {
    SHOWN.store(shown, Ordering::Release);
}

/// Hides what `tenant` and those below it allocate from here on. [`Tenant::NONE`], the root, stands for itself alone.
pub(crate) fn leave_out(tenant: Tenant) {
    LEFT_OUT[usize::from(tenant.id())].store(true, Ordering::Release);
}

/// Blocks that dhat was not shown for want of room.
pub(crate) fn hidden() -> u64 {
    HIDDEN.load(Ordering::Relaxed)
}

/// Held while dhat is at work on this thread: what it allocates is its own.
#[derive(Debug)]
pub(crate) struct Turn;

impl Turn {
    /// `None`: dhat is at work already.
    pub(crate) fn take() -> Option<Self> {
        // Made only if it is taken: a turn that is dropped ends.
        (!AT_WORK.replace(true)).then(|| Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

/// # Safety
///
/// As [`GlobalAlloc::alloc`].
#[expect(unsafe_code, reason = "hands on to dhat's allocator")]
#[inline(never)]
pub(super) unsafe fn allocate(layout: Layout, zeroed: bool) -> *mut u8 {
    let actor = Actor::current();
    let turn = if is_shown(actor.tenant()) { Turn::take() } else { None };
    if turn.is_none() {
        // SAFETY: the caller's contract.
        return unsafe { system(layout, zeroed) };
    }
    // SAFETY: the caller's contract.
    let block = unsafe { if zeroed { dhat::Alloc.alloc_zeroed(layout) } else { dhat::Alloc.alloc(layout) } };
    if block.is_null() {
        return block;
    }
    let site = if mode::keeps_stacks() { sites::of_caller(actor) } else { sites::without_stack(actor) };
    let owner = Owner { site, tenant: actor.tenant() };
    if blocks().insert(block.addr(), owner) {
        counts::allocated(owner, layout.size());
        return block;
    }
    HIDDEN.fetch_add(1, Ordering::Relaxed);
    // SAFETY: made above, with this layout; the caller's contract.
    unsafe {
        dhat::Alloc.dealloc(block, layout);
        system(layout, zeroed)
    }
}

/// # Safety
///
/// As [`GlobalAlloc::dealloc`], for a block made by [`allocate`] or [`reallocate`].
#[expect(unsafe_code, reason = "hands on to dhat's allocator")]
pub(super) unsafe fn deallocate(block: *mut u8, layout: Layout) {
    // Forgotten first: once it is freed, another thread may be given the address.
    let Some(owner) = blocks().remove(block.addr()) else {
        // SAFETY: what is not in the table was made by the system's allocator.
        return unsafe { System.dealloc(block, layout) };
    };
    counts::freed(owner, layout.size());
    let _turn = Turn::take();
    // SAFETY: what is in the table was made by dhat's.
    unsafe { dhat::Alloc.dealloc(block, layout) }
}

/// # Safety
///
/// As [`GlobalAlloc::realloc`], for a block made by [`allocate`] or this.
#[expect(unsafe_code, reason = "hands on to dhat's allocator")]
pub(super) unsafe fn reallocate(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let Some(owner) = blocks().remove(block.addr()) else {
        // SAFETY: what is not in the table was made by the system's allocator.
        return unsafe { System.realloc(block, layout, new_size) };
    };
    let turn = Turn::take();
    // SAFETY: what is in the table was made by dhat's.
    let moved = unsafe { dhat::Alloc.realloc(block, layout, new_size) };
    drop(turn);
    // There is room: a block was removed above, and if another thread took its place, this one is dhat's alone.
    let kept = if moved.is_null() { block } else { moved };
    let has_room = blocks().insert(kept.addr(), owner);
    if !moved.is_null() && has_room {
        counts::resized(owner, layout.size(), new_size);
    }
    moved
}

/// Whether blocks of `tenant` are shown to dhat.
fn is_shown(tenant: Tenant) -> bool {
    let left_out = |tenant: Tenant| {
        LEFT_OUT.get(usize::from(tenant.id())).is_some_and(|out| out.load(Ordering::Acquire))
    };
    let below_root = tenant.line().filter(|of| *of == tenant || *of != Tenant::NONE);
    SHOWN.load(Ordering::Acquire) && tenant != Tenant::PROBE && !below_root.into_iter().any(left_out)
}

/// Whose each live block is, by its address: open addressing, at most half full.
struct Blocks {
    /// Address and owner; the address 0 is no block's.
    slots: [(usize, u64); SLOTS],
    len: usize,
}

const SLOTS: usize = 2 * BLOCKS_MAX;

impl Blocks {
    /// `false`: there is no room.
    fn insert(&mut self, address: usize, owner: Owner) -> bool {
        if self.len >= BLOCKS_MAX {
            return false;
        }
        let mut slot = home(address);
        while self.slots[slot].0 != 0 {
            slot = next(slot);
        }
        self.slots[slot] = (address, owner.to_word());
        self.len += 1;
        true
    }

    fn remove(&mut self, address: usize) -> Option<Owner> {
        let mut slot = home(address);
        while self.slots[slot].0 != address {
            if self.slots[slot].0 == 0 {
                return None;
            }
            slot = next(slot);
        }
        let owner = Owner::from_word(self.slots[slot].1);
        self.close_gap(slot);
        self.len -= 1;
        Some(owner)
    }

    /// Moves up what was placed behind `gap` only because that was taken, so that a search may end at a free slot.
    fn close_gap(&mut self, mut gap: usize) {
        let mut slot = next(gap);
        while self.slots[slot].0 != 0 {
            let from_home = distance(home(self.slots[slot].0), slot);
            if from_home >= distance(gap, slot) {
                self.slots[gap] = self.slots[slot];
                gap = slot;
            }
            slot = next(slot);
        }
        self.slots[gap] = (0, 0);
    }
}

fn home(address: usize) -> usize {
    // The golden ratio's bits, as in Fibonacci hashing, whose upper bits are the well-mixed ones.
    ((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

fn next(slot: usize) -> usize {
    (slot + 1) % SLOTS
}

fn distance(from: usize, to: usize) -> usize {
    to.wrapping_sub(from) % SLOTS
}

fn blocks() -> MutexGuard<'static, Blocks> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

// 16 MiB of address space, of which only pages in use become resident.
static BLOCKS: Mutex<Blocks> = Mutex::new(Blocks { slots: [(0, 0); SLOTS], len: 0 });
static SHOWN: AtomicBool = AtomicBool::new(false);
static LEFT_OUT: [AtomicBool; TENANTS_MAX] = [const { AtomicBool::new(false) }; TENANTS_MAX];
static HIDDEN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::sites::SiteId;
    use super::*;

    proptest! {
        #[test]
        fn the_table_holds_what_a_map_would(steps in proptest::collection::vec((any::<bool>(), 1_usize..64), 0..200)) {
            // Far from its ends and in few slots: addresses that share a home are what can go wrong.
            let mut blocks = Box::new(Blocks { slots: [(0, 0); SLOTS], len: 0 });
            let mut model = BTreeMap::new();
            for (insert, number) in steps {
                let address = number % 8 + SLOTS * (number / 8 + 1);
                let owner = Owner { site: SiteId::from_raw(number as u32), tenant: Tenant::NONE };
                if insert && !model.contains_key(&address) {
                    prop_assert!(blocks.insert(address, owner));
                    model.insert(address, owner);
                } else {
                    prop_assert_eq!(blocks.remove(address), model.remove(&address));
                }
                prop_assert_eq!(blocks.len, model.len());
            }
        }
    }
}
