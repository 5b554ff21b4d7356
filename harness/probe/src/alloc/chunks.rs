//! Room for the counts of all sites of one shard, mapped piece by piece when it is first needed.
//!
//! Sixteen shards of a million sites would be half a gibibyte if they were static: few threads ever count, and few sites.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::counts::Count;
use super::sites::{SITES_MAX, SiteId};

/// Sites whose counts lie in one piece of a mebibyte.
const CHUNK_SITES: usize = 1 << 15;

type Chunk = [Count; CHUNK_SITES];

/// The counts of one shard by site.
pub(super) struct Chunks([AtomicPtr<Chunk>; SITES_MAX / CHUNK_SITES]);

impl Chunks {
    pub(super) const fn new() -> Self {
        Self([const { AtomicPtr::new(std::ptr::null_mut()) }; SITES_MAX / CHUNK_SITES])
    }

    /// The counts of `site`; `None`: nothing was ever counted there.
    #[inline]
    pub(super) fn get(&self, site: SiteId) -> Option<&'static Count> {
        let chunk = self.0.get(site.index() / CHUNK_SITES)?.load(Ordering::Acquire);
        #[expect(unsafe_code, reason = "counts lie in memory asked for when it is needed")]
        // SAFETY: null, or a chunk that `map` made: zeroed, which a `Count` of zeros is, and never unmapped.
        let chunk = unsafe { chunk.as_ref() }?;
        Some(&chunk[site.index() % CHUNK_SITES])
    }

    /// The counts of `site`, in new memory if need be; `None`: the system has none left.
    #[inline]
    pub(super) fn get_or_map(&self, site: SiteId) -> Option<&'static Count> {
        match self.get(site) {
            Some(count) => Some(count),
            None => self.map(site),
        }
    }

    #[cold]
    #[inline(never)]
    fn map(&self, site: SiteId) -> Option<&'static Count> {
        let place = self.0.get(site.index() / CHUNK_SITES)?;
        let chunk = zeroed_chunk()?;
        if place.compare_exchange(std::ptr::null_mut(), chunk, Ordering::AcqRel, Ordering::Acquire).is_err() {
            #[expect(unsafe_code, reason = "the loser of a race gives its memory back")]
            // SAFETY: mapped by `zeroed_chunk` with this length, and seen by nobody.
            unsafe {
                libc::munmap(chunk.cast(), size_of::<Chunk>());
            }
        }
        self.get(site)
    }
}

/// Asks the system itself: this runs inside an allocation.
fn zeroed_chunk() -> Option<*mut Chunk> {
    #[expect(unsafe_code, reason = "memory that no allocator counts")]
    // SAFETY: a new mapping, at an address that the system chooses, touches none of ours.
    let mapped = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size_of::<Chunk>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    (mapped != libc::MAP_FAILED).then(|| mapped.cast())
}
