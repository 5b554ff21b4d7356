//! The table of sites: call stack and tenant → a small number. Static, lock-free, filled once, never emptied.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::stack::{self, FRAMES_MAX, Stack};
use crate::Tenant;

/// Sites that can be told apart; blocks of further ones are counted under [`SiteId::TABLE_FULL`].
pub(crate) const SITES_MAX: usize = 1 << 16;

/// The number of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SiteId(u32);

impl SiteId {
    /// Where the counting-only mode counts everything.
    pub(crate) const ALL: Self = Self(0);
    /// Where blocks are counted that came when the table was full.
    pub(crate) const TABLE_FULL: Self = Self(1);
    /// The first number that stands for a stack.
    const FIRST: u32 = 2;

    pub(crate) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    pub(crate) const fn raw(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The site of the code that called the allocator.
#[inline(always)]
pub(super) fn of_caller() -> SiteId {
    match stack::innermost() {
        Some(innermost) => of_stack(innermost, Tenant::current()),
        None => without_stack(),
    }
}

#[inline]
fn of_stack(innermost: usize, tenant: Tenant) -> SiteId {
    let slot = stack::fingerprint::<WALKED_BITS>(innermost);
    WALKED.with(|walked| {
        let walked = &walked[slot];
        // Taken for the time being: a signal handler that allocates meanwhile walks by itself.
        let Some(mut last) = walked.try_borrow_mut().ok() else { return without_stack() };
        if last.tenant == tenant && last.stack.stands(innermost) {
            return last.site;
        }
        last.stack.walk(innermost);
        last.tenant = tenant;
        last.site = find_or_insert(last.stack.returns(), tenant);
        last.site
    })
}

/// A stack that this thread has walked, and the site it came to.
struct Walked {
    tenant: Tenant,
    site: SiteId,
    stack: Stack,
}

/// Stacks kept per thread: 2^5 of some 420 bytes, of which only those in use become resident.
const WALKED_BITS: u32 = 5;

thread_local! {
    // Const and without a destructor, so that it can be used inside any allocation.
    static WALKED: [RefCell<Walked>; 1 << WALKED_BITS] = const {
        [const { RefCell::new(Walked { tenant: Tenant::NONE, site: SiteId::TABLE_FULL, stack: Stack::EMPTY }) };
            1 << WALKED_BITS]
    };
}

/// The site of the current tenant, whatever the stack.
#[inline]
pub(super) fn without_stack() -> SiteId {
    find_or_insert(std::iter::empty(), Tenant::current())
}

/// Every site seen so far, in order of first sight.
pub(crate) fn all() -> impl Iterator<Item = (SiteId, Tenant)> {
    let used = NEXT.load(Ordering::Acquire).min(SITES_MAX as u32);
    let special = [(SiteId::ALL, Tenant::NONE), (SiteId::TABLE_FULL, Tenant::NONE)];
    let stacks = (SiteId::FIRST..used).filter_map(|id| {
        let site = &SITES[id as usize];
        let published = site.hash.load(Ordering::Acquire) != 0;
        published.then(|| (SiteId(id), Tenant::from_id(site.tenant.load(Ordering::Relaxed) as u16)))
    });
    special.into_iter().chain(stacks)
}

/// The return addresses of a site's stack, innermost first.
pub(crate) fn frames(site: SiteId) -> Vec<usize> {
    let Some(site) = SITES.get(site.index()) else { return Vec::new() };
    if site.hash.load(Ordering::Acquire) == 0 {
        return Vec::new();
    }
    let depth = site.depth.load(Ordering::Relaxed) as usize;
    site.frames.iter().take(depth).map(|frame| frame.load(Ordering::Relaxed)).collect()
}

#[inline]
fn find_or_insert(frames: impl ExactSizeIterator<Item = usize> + Clone, tenant: Tenant) -> SiteId {
    let hash = hash(frames.clone(), tenant);
    // The upper half is the tag kept in the slot, the lower one the place to start looking.
    let tag = (hash >> 32) << 32;
    let mut slot = hash as usize;
    for _ in 0..PROBES_MAX {
        slot &= SLOTS - 1;
        let entry = INDEX[slot].load(Ordering::Acquire);
        if entry == 0 {
            return insert(slot, hash, frames, tenant);
        }
        let id = entry as u32;
        if entry & TAG_MASK == tag && SITES[id as usize % SITES_MAX].hash.load(Ordering::Relaxed) == hash {
            return SiteId(id);
        }
        slot += 1;
    }
    SiteId::TABLE_FULL
}

/// Publishes a new site in `slot`, or finds that another thread has just done so.
#[cold]
#[inline(never)]
fn insert(slot: usize, hash: u64, frames: impl ExactSizeIterator<Item = usize>, tenant: Tenant) -> SiteId {
    let Some(id) = take_number() else { return SiteId::TABLE_FULL };
    let site = &SITES[id as usize];
    site.depth.store(frames.len() as u32, Ordering::Relaxed);
    for (kept, frame) in site.frames.iter().zip(frames) {
        kept.store(frame, Ordering::Relaxed);
    }
    site.tenant.store(u32::from(tenant.id()), Ordering::Relaxed);
    let entry = (hash & TAG_MASK) | u64::from(id);
    for at in 0..PROBES_MAX {
        let index = &INDEX[(slot + at) & (SLOTS - 1)];
        // The slot is published only when the site is whole: hash first, then the entry.
        site.hash.store(hash, Ordering::Release);
        match index.compare_exchange(0, entry, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return SiteId(id),
            Err(theirs) if SITES[theirs as u32 as usize].hash.load(Ordering::Relaxed) == hash => {
                // Lost the race for the same stack: the number stays unused, and invisible.
                site.hash.store(0, Ordering::Release);
                return SiteId(theirs as u32);
            }
            Err(_) => {}
        }
    }
    SiteId::TABLE_FULL
}

/// The next free number, or `None` when all are given out.
fn take_number() -> Option<u32> {
    let next = |next: u32| ((next as usize) < SITES_MAX).then_some(next + 1);
    NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
}

/// Never 0: that marks an unpublished site. Two stacks with one hash would share a site; at 64 Ki sites the chance is
/// 2^31 pairs in 2^64.
#[inline]
fn hash(frames: impl Iterator<Item = usize>, tenant: Tenant) -> u64 {
    // Odd constant with well-spread bits (the golden ratio's), as in Fibonacci hashing.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(tenant.id()).wrapping_add(1).wrapping_mul(SPREAD);
    for frame in frames {
        hash = (hash.rotate_left(23) ^ frame as u64).wrapping_mul(SPREAD);
    }
    hash ^= hash >> 29;
    hash.max(1)
}

struct Site {
    /// 0 until the site is whole.
    hash: AtomicU64,
    tenant: AtomicU32,
    depth: AtomicU32,
    frames: [AtomicUsize; FRAMES_MAX],
}

impl Site {
    const fn new() -> Self {
        Self {
            hash: AtomicU64::new(0),
            tenant: AtomicU32::new(0),
            depth: AtomicU32::new(0),
            frames: [const { AtomicUsize::new(0) }; FRAMES_MAX],
        }
    }
}

/// Twice the sites, so that at most half of the slots are taken and a search stays short.
const SLOTS: usize = 2 * SITES_MAX;
/// Slots looked at before a site counts as not to be placed.
const PROBES_MAX: usize = 128;
const TAG_MASK: u64 = 0xffff_ffff_0000_0000;

// 64 Ki sites of 208 bytes and their index: 14 MiB of address space, of which only pages in use become resident.
static SITES: [Site; SITES_MAX] = [const { Site::new() }; SITES_MAX];
static INDEX: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static NEXT: AtomicU32 = AtomicU32::new(SiteId::FIRST);
