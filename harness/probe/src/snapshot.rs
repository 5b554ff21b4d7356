//! One census as a value: what the endpoint hands out and the harness reads.

use std::collections::BTreeMap;

#[cfg(feature = "serve")]
use serde::{Deserialize, Serialize};

use crate::heap::{self, Live, Mode, SiteCount, Total};
use crate::{Tenant, fds, gauges, panics, process, tasks, tenant};

/// What the process holds now. `None`: not measured here, and `not_measured` says why.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// What the allocator keeps.
    pub heap_mode: Mode,
    /// Live heap without the probe's own.
    pub heap: Option<Live>,
    /// Everything ever allocated.
    pub heap_total: Option<Total>,
    /// Live tasks without the probe's own.
    pub tasks: Option<u64>,
    /// Open file descriptors without the probe's own.
    pub fds: Option<u64>,
    /// Threads without the probe's own.
    pub threads: Option<u64>,
    /// Resident set size.
    pub rss_bytes: Option<u64>,
    /// Figures the service keeps of itself.
    pub gauges: BTreeMap<String, f64>,
    /// Panics since the task ledger was installed.
    pub panics: u64,
    /// What is missing or coarser than usual, and why, for the report.
    pub not_measured: Vec<String>,
}

/// A resolved call stack, by site.
pub type Stacks = BTreeMap<u32, Vec<crate::frames::Frame>>;

/// Every site's counts, and the names of tenants and spawning lines by number.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Sites {
    /// By number.
    pub sites: Vec<SiteCount>,
    /// Paths of the tenants in `sites`, as [`Tenant::path`] gives them.
    pub tenants: BTreeMap<u16, String>,
    /// The spawning lines in `sites`, as [`tasks::spawned_at`] gives them.
    #[cfg_attr(feature = "serve", serde(default))]
    pub spawners: BTreeMap<u16, String>,
}

/// Takes the census of this process.
pub fn take() -> Snapshot {
    let _probe = Tenant::PROBE.enter();
    Snapshot {
        heap_mode: heap::mode(),
        heap: heap::live(),
        heap_total: heap::total(),
        tasks: tasks::why_not_tracked().is_none().then(|| tasks::count(|_| true)),
        fds: fds::count(None).ok(),
        threads: process::threads().ok(),
        rss_bytes: process::rss_bytes().ok(),
        gauges: gauges::read(),
        panics: panics::count(|_| true),
        not_measured: not_measured(),
    }
}

/// The sites with at least `min_blocks` live blocks, and among `ids` where some are named.
pub fn sites(min_blocks: u64, ids: &[u32]) -> Sites {
    let _probe = Tenant::PROBE.enter();
    let mut sites = heap::sites();
    sites.retain(|site| site.live_blocks >= min_blocks && (ids.is_empty() || ids.contains(&site.id)));
    let tenants = sites.iter().map(|site| (site.tenant, Tenant::from_id(site.tenant).path())).collect();
    let spawners =
        sites.iter().filter_map(|site| Some((site.spawner, tasks::spawned_at(site.spawner)?))).collect();
    Sites { sites, tenants, spawners }
}

fn not_measured() -> Vec<String> {
    let reasons =
        [("call stacks of the heap", heap::why_not_sites()), ("tasks one by one", tasks::why_not_tracked())];
    let mut notes: Vec<String> = reasons
        .into_iter()
        .filter_map(|(what, why)| Some(format!("{what}: not measured: {}", why?)))
        .collect();
    let tables = [("tasks", tasks::overflows()), ("tenants", tenant::overflows())];
    notes.extend(
        tables
            .into_iter()
            .filter(|(_, missed)| *missed > 0)
            .map(|(what, missed)| format!("{what}: table full, {missed} not told apart")),
    );
    notes
}
