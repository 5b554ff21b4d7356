//! How many blocks and bytes each site and each tenant has allocated and freed, ever. What is live is the difference.
//!
//! Both are counted for each block: a tenant's figures need no walk over its sites, and are right when the table of
//! sites is full. A thread counts in a shard of its own, without locked instructions; threads beyond [`OWN_SHARDS`] share one, with
//! them. A block freed on another thread than its own is counted in two shards, and right in their sum. The sum is
//! exact while no other thread allocates, and never torn within one counter.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::chunks::Chunks;
use super::sites::SiteId;
use super::thread::{self, Shard};
use crate::Tenant;
use crate::tenant::TENANTS_MAX;

/// Threads that count without locked instructions.
pub(super) const OWN_SHARDS: usize = 15;

/// The shard of all further threads, and of threads that are ending.
const COMMON_SHARD: usize = OWN_SHARDS;

/// Whose a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) site: SiteId,
    pub(super) tenant: Tenant,
}

impl Owner {
    /// Of each block when only totals are counted.
    pub(super) const ALL: Self = Self { site: SiteId::ALL, tenant: Tenant::NONE };

    /// In one word, to be kept beside a block.
    #[inline]
    pub(super) fn to_word(self) -> u64 {
        u64::from(self.tenant.id()) << u32::BITS | u64::from(self.site.raw())
    }

    #[inline]
    pub(super) fn from_word(word: u64) -> Self {
        Self { site: SiteId::from_raw(word as u32), tenant: Tenant::from_id((word >> u32::BITS) as u16) }
    }
}

/// What one site, or one tenant, has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
    pub(crate) total_blocks: u64,
    pub(crate) total_bytes: u64,
}

/// Counts a new block.
#[inline]
pub(super) fn allocated(owner: Owner, bytes: usize) {
    add(owner, |count| (&count.allocated_blocks, &count.allocated_bytes), 1, bytes as u64);
}

/// Counts a freed block.
#[inline]
pub(super) fn freed(owner: Owner, bytes: usize) {
    add(owner, |count| (&count.freed_blocks, &count.freed_bytes), 1, bytes as u64);
}

/// Counts a block that stays a block of its owner and changes its size.
#[inline]
pub(super) fn resized(owner: Owner, from: usize, to: usize) {
    if to >= from {
        add(owner, |count| (&count.allocated_blocks, &count.allocated_bytes), 0, (to - from) as u64);
    } else {
        add(owner, |count| (&count.freed_blocks, &count.freed_bytes), 0, (from - to) as u64);
    }
}

/// The sum of a site's counts over all shards.
pub(crate) fn of_site(site: SiteId) -> Tally {
    sum(used_shards().filter_map(|shard| SITES[shard].get(site)))
}

/// The sum of a tenant's counts over all shards.
pub(crate) fn of_tenant(tenant: Tenant) -> Tally {
    sum(used_shards().filter_map(|shard| TENANTS[shard].get(usize::from(tenant.id()))))
}

fn used_shards() -> impl Iterator<Item = usize> {
    (0..SHARDS_USED.load(Ordering::Acquire).min(OWN_SHARDS)).chain([COMMON_SHARD])
}

fn sum(counts: impl Iterator<Item = &'static Count>) -> Tally {
    let mut sum = Tally::default();
    let (mut freed_blocks, mut freed_bytes) = (0_u64, 0_u64);
    for count in counts {
        // Freed before allocated: a thread at work between the two reads makes the site look fuller, never negative.
        freed_blocks += count.freed_blocks.load(Ordering::Acquire);
        freed_bytes += count.freed_bytes.load(Ordering::Acquire);
        sum.total_blocks += count.allocated_blocks.load(Ordering::Acquire);
        sum.total_bytes += count.allocated_bytes.load(Ordering::Acquire);
    }
    sum.live_blocks = sum.total_blocks.saturating_sub(freed_blocks);
    sum.live_bytes = sum.total_bytes.saturating_sub(freed_bytes);
    sum
}

/// Notes that the shards up to `index` may hold counts.
pub(super) fn shard_taken(index: usize) {
    SHARDS_USED.fetch_max(index + 1, Ordering::AcqRel);
}

#[inline]
fn add(owner: Owner, pick: impl Fn(&Count) -> (&AtomicU64, &AtomicU64), blocks: u64, bytes: u64) {
    match thread::shard() {
        Shard::Own(shard) => counts(shard, owner).map(pick).for_each(|(block_count, byte_count)| {
            // This thread is the only writer of this shard, so reading and writing apart loses nothing.
            block_count.store(block_count.load(Ordering::Relaxed) + blocks, Ordering::Release);
            byte_count.store(byte_count.load(Ordering::Relaxed) + bytes, Ordering::Release);
        }),
        Shard::Common => counts(COMMON_SHARD, owner).map(pick).for_each(|(block_count, byte_count)| {
            block_count.fetch_add(blocks, Ordering::AcqRel);
            byte_count.fetch_add(bytes, Ordering::AcqRel);
        }),
    }
}

/// Where a block of `owner` is counted: under its tenant, and under its site.
#[inline]
fn counts(shard: usize, owner: Owner) -> impl Iterator<Item = &'static Count> {
    let of_tenant = TENANTS.get(shard).and_then(|of| of.get(usize::from(owner.tenant.id())));
    let of_site = SITES.get(shard).and_then(|of| of.get_or_map(owner.site));
    of_tenant.into_iter().chain(of_site)
}

/// Ever-growing counters: a wrap would take 2^64 bytes.
pub(super) struct Count {
    allocated_blocks: AtomicU64,
    allocated_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    freed_bytes: AtomicU64,
}

impl Count {
    const fn new() -> Self {
        Self {
            allocated_blocks: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
        }
    }
}

static SITES: [Chunks; OWN_SHARDS + 1] = [const { Chunks::new() }; OWN_SHARDS + 1];
// 16 shards of 4 Ki tenants of 32 bytes: 2 MiB of address space, of which only pages in use become resident.
static TENANTS: [[Count; TENANTS_MAX]; OWN_SHARDS + 1] =
    [const { [const { Count::new() }; TENANTS_MAX] }; OWN_SHARDS + 1];
static SHARDS_USED: AtomicUsize = AtomicUsize::new(0);
