//! How many blocks and bytes each site has allocated and freed, ever. What is live is the difference.
//!
//! A thread counts in a shard of its own, without locked instructions; threads beyond [`OWN_SHARDS`] share one, with
//! them. A block freed on another thread than its own is counted in two shards, and right in their sum. The sum is
//! exact while no other thread allocates, and never torn within one counter.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::sites::{SITES_MAX, SiteId};
use super::thread::{self, Shard};

/// Threads that count without locked instructions.
pub(super) const OWN_SHARDS: usize = 15;

/// The shard of all further threads, and of threads that are ending.
const COMMON_SHARD: usize = OWN_SHARDS;

/// What one site has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
    pub(crate) total_blocks: u64,
    pub(crate) total_bytes: u64,
}

/// Counts a new block.
#[inline]
pub(super) fn allocated(site: SiteId, bytes: usize) {
    add(site, |count| (&count.allocated_blocks, &count.allocated_bytes), 1, bytes as u64);
}

/// Counts a freed block.
#[inline]
pub(super) fn freed(site: SiteId, bytes: usize) {
    add(site, |count| (&count.freed_blocks, &count.freed_bytes), 1, bytes as u64);
}

/// Counts a block that stays a block of its site and changes its size.
#[inline]
pub(super) fn resized(site: SiteId, from: usize, to: usize) {
    if to >= from {
        add(site, |count| (&count.allocated_blocks, &count.allocated_bytes), 0, (to - from) as u64);
    } else {
        add(site, |count| (&count.freed_blocks, &count.freed_bytes), 0, (from - to) as u64);
    }
}

/// The sum of a site's counts over all shards.
pub(crate) fn tally(site: SiteId) -> Tally {
    let mut sum = Tally::default();
    let (mut freed_blocks, mut freed_bytes) = (0_u64, 0_u64);
    let used = SHARDS_USED.load(Ordering::Acquire);
    for shard in COUNTS[..used.min(OWN_SHARDS)].iter().chain([&COUNTS[COMMON_SHARD]]) {
        let Some(count) = shard.get(site.index()) else { continue };
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
fn add(site: SiteId, pick: impl Fn(&Count) -> (&AtomicU64, &AtomicU64), blocks: u64, bytes: u64) {
    match thread::shard() {
        Shard::Own(index) => {
            let Some((block_count, byte_count)) = count(index, site).map(pick) else { return };
            // This thread is the only writer of this shard, so reading and writing apart loses nothing.
            block_count.store(block_count.load(Ordering::Relaxed) + blocks, Ordering::Release);
            byte_count.store(byte_count.load(Ordering::Relaxed) + bytes, Ordering::Release);
        }
        Shard::Common => {
            let Some((block_count, byte_count)) = count(COMMON_SHARD, site).map(pick) else { return };
            block_count.fetch_add(blocks, Ordering::AcqRel);
            byte_count.fetch_add(bytes, Ordering::AcqRel);
        }
    }
}

#[inline]
fn count(shard: usize, site: SiteId) -> Option<&'static Count> {
    COUNTS.get(shard)?.get(site.index())
}

/// Ever-growing counters: a wrap would take 2^64 bytes.
struct Count {
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

// 16 shards of 64 Ki sites of 32 bytes: 32 MiB of address space, of which only pages in use become resident.
static COUNTS: [[Count; SITES_MAX]; OWN_SHARDS + 1] =
    [const { [const { Count::new() }; SITES_MAX] }; OWN_SHARDS + 1];
static SHARDS_USED: AtomicUsize = AtomicUsize::new(0);
