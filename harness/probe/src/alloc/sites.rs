//! The table of sites: a call stack under a tenant, in a task of some line's → a small number. Static, lock-free, filled
//! once, never emptied.
//!
//! A stack's frames are kept once ([`super::stacks`]), however many tenants and tasks allocate from it: a site is 16 bytes, so that
//! a thousand tenants with hundreds of stacks each can be told apart.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::stack::{self, Stack};
use super::stacks::{self, STACKS_MAX, StackId};
use crate::Tenant;
use crate::actor::Actor;
use crate::tasks::PLACES_MAX;
use crate::tenant::TENANTS_MAX;

/// Sites that can be told apart; blocks of further ones are counted under [`SiteId::TABLE_FULL`], and still under their
/// tenant.
pub(crate) const SITES_MAX: usize = 1 << SITE_BITS;

/// The number of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SiteId(u32);

impl SiteId {
    /// Where blocks are counted whose site is not asked for.
    pub(crate) const ALL: Self = Self(0);
    /// Where blocks are counted that came when the table was full.
    pub(crate) const TABLE_FULL: Self = Self(1);
    /// The first number that stands for a stack under a tenant.
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

/// The site of the code that called the allocator, which runs for `actor`.
#[inline(always)]
pub(super) fn of_caller(actor: Actor) -> SiteId {
    match stack::innermost() {
        Some(innermost) => of_stack(innermost, actor),
        None => without_stack(actor),
    }
}

#[inline]
fn of_stack(innermost: usize, actor: Actor) -> SiteId {
    let slot = stack::fingerprint::<WALKED_BITS>(innermost);
    WALKED.with(|walked| {
        let walked = &walked[slot];
        // Taken for the time being: a signal handler that allocates meanwhile walks by itself.
        let Some(mut last) = walked.try_borrow_mut().ok() else { return without_stack(actor) };
        if !last.stack.stands(innermost) {
            last.stack.walk(innermost);
            last.id = stacks::find_or_insert(last.stack.returns());
        } else if last.actor == actor {
            return last.site;
        }
        last.actor = actor;
        last.site = last.id.map_or(SiteId::TABLE_FULL, |stack| find_or_insert(stack, actor));
        last.site
    })
}

/// A stack that this thread has walked, its number, and the site it came to for one actor.
struct Walked {
    actor: Actor,
    site: SiteId,
    /// `None`: the table of stacks was full.
    id: Option<StackId>,
    stack: Stack,
}

impl Walked {
    const NONE: Self = Self { actor: Actor::NONE, site: SiteId::TABLE_FULL, id: None, stack: Stack::EMPTY };
}

/// Stacks kept per thread: 2^5 of some 420 bytes, of which only those in use become resident.
const WALKED_BITS: u32 = 5;

thread_local! {
    // Const and without a destructor, so that it can be used inside any allocation.
    static WALKED: [RefCell<Walked>; 1 << WALKED_BITS] =
        const { [const { RefCell::new(Walked::NONE) }; 1 << WALKED_BITS] };
}

/// The site of an actor, whatever the stack.
#[inline]
pub(super) fn without_stack(actor: Actor) -> SiteId {
    find_or_insert(StackId::EMPTY, actor)
}

/// The site of a stack that was found in another way.
pub(super) fn of_frames(frames: &[usize], actor: Actor) -> SiteId {
    stacks::find_or_insert(frames.iter().copied())
        .map_or(SiteId::TABLE_FULL, |stack| find_or_insert(stack, actor))
}

/// The number of a stack that was found in another way; `None`: the table is full.
#[cfg(feature = "opens")]
pub(crate) fn stack_of_frames(frames: &[usize]) -> Option<u32> {
    stacks::find_or_insert(frames.iter().copied()).map(StackId::raw)
}

/// The return addresses of the stack with this number, innermost first.
#[cfg(feature = "opens")]
pub(crate) fn frames_of_stack(stack: u32) -> Vec<usize> {
    stacks::frames(StackId::from_raw(stack))
}

/// A site that has been seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) id: SiteId,
    pub(crate) tenant: Tenant,
    /// The line that spawned the task which allocated; 0: no task did.
    pub(crate) spawner: u16,
    /// The same for every tenant that allocates from it.
    pub(crate) stack: u32,
}

impl Seen {
    const fn special(id: SiteId) -> Self {
        Self { id, tenant: Tenant::NONE, spawner: 0, stack: u32::MAX - id.0 }
    }
}

/// Every site seen so far, in order of first sight.
pub(crate) fn all() -> impl Iterator<Item = Seen> {
    let used = NEXT.load(Ordering::Acquire).min(SITES_MAX as u32);
    let seen =
        |id, key: Key| Seen { id, tenant: key.tenant(), spawner: key.spawner(), stack: key.stack().raw() };
    let known = (SiteId::FIRST..used).map(SiteId).filter_map(move |id| Some(seen(id, key(id)?)));
    [SiteId::ALL, SiteId::TABLE_FULL].map(Seen::special).into_iter().chain(known)
}

/// The return addresses of the stack of the site with the number `raw`, innermost first.
#[cfg(feature = "dhat")]
pub(crate) fn frames_of(raw: u32) -> Vec<usize> {
    frames(SiteId(raw))
}

/// The return addresses of a site's stack, innermost first.
pub(crate) fn frames(site: SiteId) -> Vec<usize> {
    key(site).map(|key| stacks::frames(key.stack())).unwrap_or_default()
}

/// A stack, a spawning line and a tenant, in 40 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(u64);

impl Key {
    #[inline]
    fn new(stack: StackId, actor: Actor) -> Self {
        let spawned = u64::from(stack.raw()) << SPAWNER_BITS | u64::from(actor.spawner());
        Self(spawned << TENANT_BITS | u64::from(actor.tenant().id()))
    }

    fn stack(self) -> StackId {
        StackId::from_raw((self.0 >> TENANT_BITS >> SPAWNER_BITS) as u32)
    }

    fn spawner(self) -> u16 {
        (self.0 >> TENANT_BITS) as u16 & ((1 << SPAWNER_BITS) - 1)
    }

    fn tenant(self) -> Tenant {
        Tenant::from_id(self.0 as u16 & ((1 << TENANT_BITS) - 1))
    }

    /// As an entry of the index: the key itself, so that finding one asks no other memory; never 0, as no number is.
    #[inline]
    fn entry(self, site: SiteId) -> u64 {
        self.0 << SITE_BITS | u64::from(site.0)
    }

    /// The place to start looking.
    #[inline]
    fn slot(self) -> usize {
        // The golden ratio's bits, as in Fibonacci hashing, whose upper bits are the well-mixed ones.
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOT_BITS)) as usize
    }
}

/// What a number stands for; `None`: for nothing.
fn key(site: SiteId) -> Option<Key> {
    match KEYS.get(site.index())?.load(Ordering::Acquire) {
        0 => None,
        known => Some(Key(known - 1)),
    }
}

#[inline]
fn find_or_insert(stack: StackId, actor: Actor) -> SiteId {
    let key = Key::new(stack, actor);
    let mut slot = key.slot();
    for _ in 0..PROBES_MAX {
        let entry = INDEX[slot].load(Ordering::Acquire);
        if entry == 0 {
            return insert(slot, key);
        }
        if entry >> SITE_BITS == key.0 {
            return SiteId((entry & SITE_MASK) as u32);
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
    SiteId::TABLE_FULL
}

/// Publishes a new site in `slot` or after it, or finds that another thread has just done so.
#[cold]
#[inline(never)]
fn insert(slot: usize, key: Key) -> SiteId {
    let Some(id) = take_number() else { return SiteId::TABLE_FULL };
    let site = SiteId(id);
    // Known by its number before anybody can find that.
    KEYS[site.index()].store(key.0 + 1, Ordering::Release);
    for at in 0..PROBES_MAX {
        let index = &INDEX[(slot + at) & (SLOTS - 1)];
        match index.compare_exchange(0, key.entry(site), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return site,
            Err(theirs) if theirs >> SITE_BITS == key.0 => {
                // Lost the race for the same site: the number stays unused, and invisible.
                KEYS[site.index()].store(0, Ordering::Release);
                return SiteId((theirs & SITE_MASK) as u32);
            }
            Err(_) => {}
        }
    }
    KEYS[site.index()].store(0, Ordering::Release);
    SiteId::TABLE_FULL
}

/// The next free number, or `None` when all are given out.
fn take_number() -> Option<u32> {
    let next = |next: u32| ((next as usize) < SITES_MAX).then_some(next + 1);
    NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
}

const SITE_BITS: u32 = 20;
const SITE_MASK: u64 = (1 << SITE_BITS) - 1;
const TENANT_BITS: u32 = TENANTS_MAX.ilog2();
const SPAWNER_BITS: u32 = PLACES_MAX.ilog2();
// A stack, a spawning line, a tenant and a site's number fit in one word.
const _: () = assert!(STACKS_MAX.ilog2() + SPAWNER_BITS + TENANT_BITS + SITE_BITS <= u64::BITS);

/// Twice the sites, so that at most half of the slots are taken and a search stays short.
const SLOT_BITS: u32 = SITE_BITS + 1;
const SLOTS: usize = 1 << SLOT_BITS;
/// Slots looked at before a site counts as not to be placed.
const PROBES_MAX: usize = 128;

// A million sites of 8 bytes and their index: 24 MiB of address space, of which only pages in use become resident.
/// One more than the key, so that 0 is none.
static KEYS: [AtomicU64; SITES_MAX] = [const { AtomicU64::new(0) }; SITES_MAX];
static INDEX: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static NEXT: AtomicU32 = AtomicU32::new(SiteId::FIRST);
