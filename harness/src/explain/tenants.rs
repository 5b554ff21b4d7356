//! Which parts of the target a site's growth belongs to.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, SiteCount};
use crate::resource::Resource;

/// Tenants that a finding names; [`Finding::tenants_grown`] says how many there are.
pub const TENANTS_NAMED_MAX: usize = 20;

/// What one part of the target keeps at a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct TenantShare {
    /// The tenant's path below the target's own tenant: `plc-7`.
    pub name: String,
    /// Blocks or tasks that were not there at the end of warm-up.
    pub survivors: i64,
    /// Their bytes, for heap.
    pub survivor_bytes: i64,
    /// Their bytes by cycle, for heap.
    pub bytes_per_cycle: f64,
}

/// Growth of one tenant at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    name: String,
    count: i64,
    bytes: i64,
}

/// The tenants that hold more at `now` than at `before`, those with the most first.
pub(super) fn grown(before: Option<&SiteCount>, now: &SiteCount) -> Vec<Share> {
    let since = |now: u64, before: u64| now.saturating_sub(before) as i64 - before.saturating_sub(now) as i64;
    let share = |name: &String| {
        let now = now.tenants.get(name).copied().unwrap_or_default();
        let before = before.and_then(|site| site.tenants.get(name)).copied().unwrap_or_default();
        Share {
            name: name.clone(),
            count: since(now.count, before.count),
            bytes: since(now.bytes, before.bytes),
        }
    };
    let mut grown: Vec<Share> =
        now.tenants.keys().map(share).filter(|share| share.count > 0 || share.bytes > 0).collect();
    sort(&mut grown);
    grown
}

/// The growth of each tenant at several sites together.
pub(super) fn together<'a>(shares: impl Iterator<Item = &'a Share>) -> Vec<Share> {
    let mut by_name = BTreeMap::<&str, (i64, i64)>::new();
    for share in shares {
        let sum = by_name.entry(&share.name).or_default();
        *sum = (sum.0 + share.count, sum.1 + share.bytes);
    }
    let share = |(name, (count, bytes)): (&str, (i64, i64))| Share { name: name.to_owned(), count, bytes };
    let mut together: Vec<Share> = by_name.into_iter().map(share).collect();
    sort(&mut together);
    together
}

/// Those with the most first.
fn sort(shares: &mut [Share]) {
    shares
        .sort_by(|a, b| (Reverse((a.bytes, a.count)), &a.name).cmp(&(Reverse((b.bytes, b.count)), &b.name)));
}

/// The first of `grown` as a finding lists them.
pub(super) fn shown(grown: &[Share], cycles: usize) -> Vec<TenantShare> {
    grown
        .iter()
        .take(TENANTS_NAMED_MAX)
        .map(|share| TenantShare {
            name: share.name.clone(),
            survivors: share.count,
            survivor_bytes: share.bytes,
            bytes_per_cycle: share.bytes as f64 / cycles.max(1) as f64,
        })
        .collect()
}

impl Finding {
    /// Whose growth this is, in words: `all of it for plc-7`; `None`: it belongs to no part of the target.
    pub fn tenancy(&self) -> Option<String> {
        let first = self.tenants.first()?;
        let percent = (100.0 * self.share_of(first)).floor();
        Some(match self.tenants_grown {
            1 if percent >= 100.0 => format!("all of it for {}", first.name),
            _ if percent >= MOST_PERCENT => format!("{percent} % of it for {}", first.name),
            1 => format!("some of it for {}", first.name),
            2 => format!(
                "for {} and {}",
                first.name,
                self.tenants.get(1).map_or("another", |second| &second.name)
            ),
            many => format!("for {many} tenants: {}", self.first_names()),
        })
    }

    /// The part of the growth that one tenant holds: of bytes where heap grew by them, else of what is counted.
    fn share_of(&self, tenant: &TenantShare) -> f64 {
        match self.resource {
            Resource::Heap if self.survivor_bytes > 0 => {
                tenant.survivor_bytes as f64 / self.survivor_bytes as f64
            }
            _ => tenant.survivors as f64 / self.survivors.max(1) as f64,
        }
    }

    fn first_names(&self) -> String {
        // One more name takes no more room than the sign that there is one.
        let shown = if self.tenants_grown == NAMES_MAX + 1 { NAMES_MAX + 1 } else { NAMES_MAX };
        let names: Vec<&str> = self.tenants.iter().take(shown).map(|share| share.name.as_str()).collect();
        let more = if self.tenants_grown > names.len() { ", …" } else { "" };
        names.join(", ") + more
    }
}

/// From this share on one tenant is the news, and the others are not.
const MOST_PERCENT: f64 = 50.0;

/// Names in a line of text.
const NAMES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(resource: Resource, survivors: i64, bytes: i64, tenants: &[(&str, i64, i64)]) -> Finding {
        Finding {
            resource,
            site: "cache.rs:7".to_owned(),
            function: None,
            survivors,
            survivor_bytes: bytes,
            stack: vec![],
            task: None,
            victim_of: None,
            tenants: tenants
                .iter()
                .map(|(name, survivors, survivor_bytes)| TenantShare {
                    name: (*name).to_owned(),
                    survivors: *survivors,
                    survivor_bytes: *survivor_bytes,
                    bytes_per_cycle: 0.0,
                })
                .collect(),
            tenants_grown: tenants.len(),
            ignored: None,
        }
    }

    #[test]
    fn a_finding_says_whose_growth_it_is() {
        let heap = |tenants| finding(Resource::Heap, 100, 1_000, tenants).tenancy();
        assert_eq!(heap(&[]), None);
        assert_eq!(heap(&[("plc-7", 100, 1_000)]).as_deref(), Some("all of it for plc-7"));
        assert_eq!(heap(&[("plc-7", 10, 999), ("plc-1", 90, 1)]).as_deref(), Some("99 % of it for plc-7"));
        assert_eq!(heap(&[("plc-7", 10, 100)]).as_deref(), Some("some of it for plc-7"));
        assert_eq!(heap(&[("a", 10, 400), ("b", 10, 400)]).as_deref(), Some("for a and b"));
        let four = [("a", 9, 9), ("b", 8, 8), ("c", 7, 7), ("d", 6, 6)];
        assert_eq!(heap(&four).as_deref(), Some("for 4 tenants: a, b, c, d"));
        let five = [("a", 9, 9), ("b", 8, 8), ("c", 7, 7), ("d", 6, 6), ("e", 5, 5)];
        assert_eq!(heap(&five).as_deref(), Some("for 5 tenants: a, b, c, …"));
    }

    #[test]
    fn tasks_are_shared_by_count() {
        let tasks = finding(Resource::Tasks, 40, 0, &[("plc-7", 40, 0)]);
        assert_eq!(tasks.tenancy().as_deref(), Some("all of it for plc-7"));
    }

    #[test]
    fn only_the_first_tenants_are_listed() {
        let all: Vec<Share> =
            (0..1_000).map(|n| Share { name: format!("plc-{n}"), count: 1, bytes: 8 }).collect();
        let shown = shown(&all, 4);
        assert_eq!((shown.len(), shown[0].bytes_per_cycle), (TENANTS_NAMED_MAX, 2.0));
    }
}
