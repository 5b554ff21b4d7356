//! The table of sites: a call stack under a tenant → a small number. Static, lock-free, filled once, never emptied.
//!
//! A stack's frames are kept once ([`super::stacks`]), however many tenants allocate from it: a site is 16 bytes, so that
//! a thousand tenants with hundreds of stacks each can be told apart.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::stack::{self, Stack};
use super::stacks::{self, STACKS_MAX, StackId};
use crate::Tenant;

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

/// The site of the code that called the allocator, which runs for `tenant`.
#[inline(always)]
pub(super) fn of_caller(tenant: Tenant) -> SiteId {
    match stack::innermost() {
        Some(innermost) => of_stack(innermost, tenant),
        None => without_stack(tenant),
    }
}

#[inline]
fn of_stack(innermost: usize, tenant: Tenant) -> SiteId {
    let slot = stack::fingerprint::<WALKED_BITS>(innermost);
    WALKED.with(|walked| {
        let walked = &walked[slot];
        // Taken for the time being: a signal handler that allocates meanwhile walks by itself.
        let Some(mut last) = walked.try_borrow_mut().ok() else { return without_stack(tenant) };
        if !last.stack.stands(innermost) {
            last.stack.walk(innermost);
            last.id = stacks::find_or_insert(last.stack.returns());
        } else if last.tenant == tenant {
            return last.site;
        }
        last.tenant = tenant;
        last.site = last.id.map_or(SiteId::TABLE_FULL, |stack| find_or_insert(stack, tenant));
        last.site
    })
}

/// A stack that this thread has walked, its number, and the site it came to for one tenant.
struct Walked {
    tenant: Tenant,
    site: SiteId,
    /// `None`: the table of stacks was full.
    id: Option<StackId>,
    stack: Stack,
}

impl Walked {
    const NONE: Self = Self { tenant: Tenant::NONE, site: SiteId::TABLE_FULL, id: None, stack: Stack::EMPTY };
}

/// Stacks kept per thread: 2^5 of some 420 bytes, of which only those in use become resident.
const WALKED_BITS: u32 = 5;

thread_local! {
    // Const and without a destructor, so that it can be used inside any allocation.
    static WALKED: [RefCell<Walked>; 1 << WALKED_BITS] =
        const { [const { RefCell::new(Walked::NONE) }; 1 << WALKED_BITS] };
}

/// The site of a tenant, whatever the stack.
#[inline]
pub(super) fn without_stack(tenant: Tenant) -> SiteId {
    find_or_insert(StackId::EMPTY, tenant)
}

/// Every site seen so far, in order of first sight.
pub(crate) fn all() -> impl Iterator<Item = (SiteId, Tenant)> {
    let used = NEXT.load(Ordering::Acquire).min(SITES_MAX as u32);
    let special = [(SiteId::ALL, Tenant::NONE), (SiteId::TABLE_FULL, Tenant::NONE)];
    let pairs = (SiteId::FIRST..used).map(SiteId).filter_map(|site| Some((site, pair(site)?.tenant())));
    special.into_iter().chain(pairs)
}

/// The return addresses of a site's stack, innermost first.
pub(crate) fn frames(site: SiteId) -> Vec<usize> {
    pair(site).map(|pair| stacks::frames(pair.stack())).unwrap_or_default()
}

/// A stack and a tenant, in 33 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair(u64);

impl Pair {
    #[inline]
    fn new(stack: StackId, tenant: Tenant) -> Self {
        Self(u64::from(stack.raw()) << TENANT_BITS | u64::from(tenant.id()))
    }

    fn stack(self) -> StackId {
        StackId::from_raw((self.0 >> TENANT_BITS) as u32)
    }

    fn tenant(self) -> Tenant {
        Tenant::from_id(self.0 as u16)
    }

    /// As an entry of the index: the pair itself, so that finding one asks no other memory; never 0, as no number is.
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
fn pair(site: SiteId) -> Option<Pair> {
    match PAIRS.get(site.index())?.load(Ordering::Acquire) {
        0 => None,
        known => Some(Pair(known - 1)),
    }
}

#[inline]
fn find_or_insert(stack: StackId, tenant: Tenant) -> SiteId {
    let pair = Pair::new(stack, tenant);
    let mut slot = pair.slot();
    for _ in 0..PROBES_MAX {
        let entry = INDEX[slot].load(Ordering::Acquire);
        if entry == 0 {
            return insert(slot, pair);
        }
        if entry >> SITE_BITS == pair.0 {
            return SiteId((entry & SITE_MASK) as u32);
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
    SiteId::TABLE_FULL
}

/// Publishes a new site in `slot` or after it, or finds that another thread has just done so.
#[cold]
#[inline(never)]
fn insert(slot: usize, pair: Pair) -> SiteId {
    let Some(id) = take_number() else { return SiteId::TABLE_FULL };
    let site = SiteId(id);
    // Known by its number before anybody can find that.
    PAIRS[site.index()].store(pair.0 + 1, Ordering::Release);
    for at in 0..PROBES_MAX {
        let index = &INDEX[(slot + at) & (SLOTS - 1)];
        match index.compare_exchange(0, pair.entry(site), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return site,
            Err(theirs) if theirs >> SITE_BITS == pair.0 => {
                // Lost the race for the same site: the number stays unused, and invisible.
                PAIRS[site.index()].store(0, Ordering::Release);
                return SiteId((theirs & SITE_MASK) as u32);
            }
            Err(_) => {}
        }
    }
    PAIRS[site.index()].store(0, Ordering::Release);
    SiteId::TABLE_FULL
}

/// The next free number, or `None` when all are given out.
fn take_number() -> Option<u32> {
    let next = |next: u32| ((next as usize) < SITES_MAX).then_some(next + 1);
    NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
}

const SITE_BITS: u32 = 20;
const SITE_MASK: u64 = (1 << SITE_BITS) - 1;
const TENANT_BITS: u32 = u16::BITS;
// A stack, a tenant and a site's number fit in one word.
const _: () = assert!((STACKS_MAX as u64) << TENANT_BITS << SITE_BITS <= 1 << 52);

/// Twice the sites, so that at most half of the slots are taken and a search stays short.
const SLOT_BITS: u32 = SITE_BITS + 1;
const SLOTS: usize = 1 << SLOT_BITS;
/// Slots looked at before a site counts as not to be placed.
const PROBES_MAX: usize = 128;

// A million sites of 8 bytes and their index: 24 MiB of address space, of which only pages in use become resident.
/// One more than the pair, so that 0 is none.
static PAIRS: [AtomicU64; SITES_MAX] = [const { AtomicU64::new(0) }; SITES_MAX];
static INDEX: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static NEXT: AtomicU32 = AtomicU32::new(SiteId::FIRST);
