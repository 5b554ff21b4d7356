//! The heap census: exact live blocks and bytes, whole, by tenant, by site.
//!
//! Blocks of [`Tenant::PROBE`] are in no figure: the probe does not count itself. Bytes are bytes as requested, without
//! headers and the allocator's slack. Exact while no other thread allocates.

#[cfg(feature = "serve")]
use serde::{Deserialize, Serialize};

use crate::alloc::counts::{self, Tally};
use crate::alloc::mode;
use crate::alloc::sites::{self, SiteId};
#[cfg(doc)]
use crate::tasks;
use crate::{Tenant, tenant};

#[cfg(feature = "dhat")]
pub use crate::dhat_profile::{Testimony, finish_dhat, leave_out_of_dhat, start_dhat, testify};

/// What the allocator keeps of each block, chosen by the environment variable `WATERTIGHT_HEAP` at the first allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Mode {
    /// `sites`, the default: its call stack and tenant. `unwind` is the same where there are no frame pointers: the stack is
    /// unwound, which takes a hundred times as long.
    Sites,
    /// `tenants`: its tenant. Also where frame pointers or a known architecture are missing.
    Tenants,
    /// `count`: nothing; only totals are counted.
    Count,
    /// `dhat`: what dhat keeps (feature `dhat`), and call stack and tenant beside it; counted from `start_dhat` on.
    Dhat,
    /// `off`: nothing is counted.
    Off,
    /// The process has another global allocator.
    Absent,
}

/// Live heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
pub struct Live {
    /// Bytes as requested.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

/// Everything ever allocated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
pub struct Total {
    /// Bytes as requested; growth by realloc counts, what it shrinks does not.
    pub bytes: u64,
    /// Blocks; a realloc makes no new one.
    pub blocks: u64,
}

/// One site: a call stack that allocated, under one tenant, in tasks of one line's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
pub struct SiteCount {
    /// The site's number, stable for the life of the process.
    pub id: u32,
    /// The call stack's number: that of every site with this stack, whatever its tenant.
    pub stack: u32,
    /// [`Tenant::id`] of whom its blocks belong to.
    pub tenant: u16,
    /// The line that spawned the task which allocated, by its number ([`tasks::spawned_at`]); 0: no task did.
    #[cfg_attr(feature = "serve", serde(default))]
    pub spawner: u16,
    /// Bytes alive, as requested.
    pub live_bytes: u64,
    /// Blocks alive.
    pub live_blocks: u64,
    /// Blocks ever allocated.
    pub total_blocks: u64,
}

impl SiteCount {
    /// Whom its blocks belong to, if it was counted in this process.
    pub fn owner(&self) -> Tenant {
        Tenant::from_id(self.tenant)
    }
}

/// The mode in force.
pub fn mode() -> Mode {
    mode::public()
}

/// Why blocks have no call stacks, for the report; `None`: they have.
pub fn why_not_sites() -> Option<&'static str> {
    mode::why_not_sites()
}

/// Live heap of the whole process; `None`: this mode does not count. Allocates nothing.
pub fn live() -> Option<Live> {
    match mode() {
        Mode::Sites | Mode::Tenants => live_of(|_| true),
        Mode::Count => Some(live_in(counts::of_tenant(Tenant::NONE))),
        Mode::Dhat => dhat_live(),
        Mode::Off | Mode::Absent => None,
    }
}

/// Live heap of the tenants that `wanted` picks; `None`: this mode keeps no tenants.
///
/// Asks each tenant registered, not each site; allocates nothing.
pub fn live_of(wanted: impl Fn(Tenant) -> bool) -> Option<Live> {
    keeps_tenants().then(|| {
        counted_tenants().filter(|tenant| wanted(*tenant)).fold(Live::default(), |sum, tenant| {
            let more = live_in(counts::of_tenant(tenant));
            Live { bytes: sum.bytes + more.bytes, blocks: sum.blocks + more.blocks }
        })
    })
}

/// Live heap of one tenant, without its children; `None`: this mode keeps no tenants, or it is [`Tenant::PROBE`].
///
/// Allocates nothing. With its children: `live_of(|tenant| tenant.is_within(parent))`.
pub fn live_of_tenant(tenant: Tenant) -> Option<Live> {
    (keeps_tenants() && tenant != Tenant::PROBE).then(|| live_in(counts::of_tenant(tenant)))
}

/// Live heap tenant by tenant, in order of their ids, of those that ever allocated; empty when this mode keeps no tenants.
///
/// Each counts for itself, without its children. Asks each tenant registered, not each site. The list belongs to
/// [`Tenant::PROBE`].
pub fn live_by_tenant() -> Vec<(Tenant, Live)> {
    let _probe = Tenant::PROBE.enter();
    if !keeps_tenants() {
        return Vec::new();
    }
    let tallies = counted_tenants().map(|tenant| (tenant, counts::of_tenant(tenant)));
    tallies.filter(|(_, tally)| tally.total_blocks > 0).map(|(of, tally)| (of, live_in(tally))).collect()
}

/// Everything the process has ever allocated; `None`: this mode does not count.
pub fn total() -> Option<Total> {
    let of = |tally: Tally| Total { bytes: tally.total_bytes, blocks: tally.total_blocks };
    match mode() {
        Mode::Sites | Mode::Tenants => Some(counted_tenants().fold(Total::default(), |sum, tenant| {
            let more = of(counts::of_tenant(tenant));
            Total { bytes: sum.bytes + more.bytes, blocks: sum.blocks + more.blocks }
        })),
        Mode::Count => Some(of(counts::of_tenant(Tenant::NONE))),
        Mode::Dhat => dhat_total(),
        Mode::Off | Mode::Absent => None,
    }
}

/// Every site with blocks ever allocated, by number. The list itself belongs to [`Tenant::PROBE`].
pub fn sites() -> Vec<SiteCount> {
    let mut into = Vec::new();
    sites_into(&mut into);
    into
}

/// As [`sites`], into a buffer that is used again; what it needs to grow belongs to [`Tenant::PROBE`].
pub fn sites_into(into: &mut Vec<SiteCount>) {
    let _probe = Tenant::PROBE.enter();
    into.clear();
    into.extend(counted_sites().filter_map(|site| {
        let tally = counts::of_site(site.id);
        (tally.total_blocks > 0).then(|| SiteCount {
            id: site.id.raw(),
            stack: site.stack,
            tenant: site.tenant.id(),
            spawner: site.spawner,
            live_bytes: tally.live_bytes,
            live_blocks: tally.live_blocks,
            total_blocks: tally.total_blocks,
        })
    }));
}

/// Sites that gained or lost live blocks or bytes between two lists of [`sites`], biggest gain of blocks first.
///
/// The counts are those of `after`; the changes follow as (blocks, bytes).
pub fn changes(before: &[SiteCount], after: &[SiteCount]) -> Vec<(SiteCount, i64, i64)> {
    let _probe = Tenant::PROBE.enter();
    let then = |id: u32| before.binary_search_by_key(&id, |site| site.id).ok().map(|at| before[at]);
    let mut changes: Vec<_> = after
        .iter()
        .map(|site| {
            let was = then(site.id);
            let blocks = site.live_blocks as i64 - was.map_or(0, |was| was.live_blocks as i64);
            let bytes = site.live_bytes as i64 - was.map_or(0, |was| was.live_bytes as i64);
            (*site, blocks, bytes)
        })
        .filter(|(_, blocks, bytes)| (*blocks, *bytes) != (0, 0))
        .collect();
    changes.sort_by_key(|(site, blocks, bytes)| (-blocks, -bytes, site.id));
    changes
}

/// The name of the site that stands for all stacks beyond the table's bound.
pub const TABLE_FULL: &str = "site table full: further call stacks are counted together";

/// Whether a site stands for a stack, or for everything that found the table full.
pub fn is_table_full(id: u32) -> bool {
    id == SiteId::TABLE_FULL.raw()
}

/// Asks the system's allocator to give free memory back; `false`: it cannot be asked here, or had nothing to give.
pub fn trim() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "glibc only offers it to C")]
        // SAFETY: malloc_trim takes malloc's own locks and may be called at any time.
        let released = unsafe { libc::malloc_trim(0) };
        released == 1
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

fn keeps_tenants() -> bool {
    matches!(mode(), Mode::Sites | Mode::Tenants | Mode::Dhat)
}

/// Every tenant but the probe itself.
fn counted_tenants() -> impl Iterator<Item = Tenant> {
    tenant::all().filter(|tenant| *tenant != Tenant::PROBE)
}

/// Every site but the probe's own.
fn counted_sites() -> impl Iterator<Item = sites::Seen> {
    sites::all().filter(|site| site.tenant != Tenant::PROBE)
}

fn live_in(tally: Tally) -> Live {
    Live { bytes: tally.live_bytes, blocks: tally.live_blocks }
}

#[cfg(feature = "dhat")]
fn dhat_live() -> Option<Live> {
    crate::dhat_profile::stats()
        .map(|stats| Live { bytes: stats.curr_bytes as u64, blocks: stats.curr_blocks as u64 })
}

#[cfg(feature = "dhat")]
fn dhat_total() -> Option<Total> {
    crate::dhat_profile::stats().map(|stats| Total { bytes: stats.total_bytes, blocks: stats.total_blocks })
}

#[cfg(not(feature = "dhat"))]
fn dhat_live() -> Option<Live> {
    None
}

#[cfg(not(feature = "dhat"))]
fn dhat_total() -> Option<Total> {
    None
}
