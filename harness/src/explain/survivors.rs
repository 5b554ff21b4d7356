//! Survivors: what a site holds at the end and did not hold after warm-up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Finding;
use super::tenants::{self, Share};
use crate::resource::Resource;

/// What one site holds at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteCount {
    /// The kind of thing.
    pub resource: Resource,
    /// The first frame in the user's own code, `path/file.rs:line`; for fds the kind and peer.
    pub site: String,
    /// The function there, where it is known.
    pub function: Option<String>,
    /// The whole stack, outermost last.
    pub stack: Vec<String>,
    /// The line that spawned the tasks which allocated it, for heap that was allocated inside of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Blocks, tasks or fds alive.
    pub count: u64,
    /// Their bytes; 0 where there are none to count.
    pub bytes: u64,
    /// Those of them that belong to a part of the target, by its name; the rest is the target's at large.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tenants: BTreeMap<String, TenantCount>,
}

/// What one tenant holds at a site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCount {
    /// Blocks or tasks alive.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl TenantCount {
    /// Adds what is counted beside it.
    pub fn add(&mut self, count: u64, bytes: u64) {
        self.count += count;
        self.bytes += bytes;
    }
}

/// Every site at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSnapshot {
    /// The cycle after which it was taken.
    pub cycle: usize,
    /// In any order; several entries of one site, stack and task are added up.
    pub sites: Vec<SiteCount>,
}

/// A site must hold, on all its stacks, at least this share of its resource's growth to be named: the rest is noise of the moment.
const SHARE_MIN: f64 = 0.05;

/// The same for a site that held nothing more half-way: a leak that began late, not work that was under way at the end.
const SHARE_MIN_OF_LATE: f64 = 0.2;

/// The sites whose holdings grew over the run, by resource, site and task: of several stacks that lead to one, that with the
/// most is shown.
///
/// `snapshots` are in the order of their cycles: the end of warm-up, any number between, the end. When some sites of a
/// resource still grow in the last interval at half of their average rate, those that do not (a pool that filled, a
/// step) are left out; when none does, all that grew are named, so that a step has its site too.
pub fn survivors(snapshots: &[SiteSnapshot]) -> Vec<Finding> {
    of_every_resource(snapshots, named)
}

/// Every site that still grows, however small its share: what must be known before a leak is put up with.
pub fn still_growing(snapshots: &[SiteSnapshot]) -> Vec<Finding> {
    of_every_resource(snapshots, |resource, grown, late_share, cycles| {
        let growing =
            grown.iter().filter(|grown| grown.site.resource == resource && grown.still_grows(late_share));
        by_place(growing.collect()).iter().map(|of_place| finding(of_place, cycles)).collect()
    })
}

/// Names the sites of one resource: of those that grew, by their share of the last interval and the run's cycles.
type Namer = fn(Resource, &[Grown], f64, usize) -> Vec<Finding>;

fn of_every_resource(snapshots: &[SiteSnapshot], name: Namer) -> Vec<Finding> {
    let [first, .., last] = snapshots else { return Vec::new() };
    let before = by_site(first);
    let middle = match snapshots {
        [_, .., middle, _] => Some((middle.cycle, by_site(middle))),
        _ => None,
    };
    let grown: Vec<Grown> = by_site(last)
        .into_iter()
        .filter_map(|(key, now)| {
            let (count, bytes) = now.growth_since(before.get(&key));
            let late = middle.as_ref().map(|(_, sites)| now.growth_since(sites.get(&key)));
            let tenants = tenants::grown(before.get(&key).map(|held| &held.site), &now.site);
            (count > 0 || bytes > 0).then_some(Grown { count, bytes, late, tenants, site: now.site })
        })
        .collect();
    let cycles = last.cycle.saturating_sub(first.cycle).max(1);
    let late_share =
        middle.as_ref().map_or(1.0, |(cycle, _)| (last.cycle.saturating_sub(*cycle)) as f64 / cycles as f64);
    Resource::ALL.iter().flat_map(|resource| name(*resource, &grown, late_share, cycles)).collect()
}

/// A site that holds more than it did.
struct Grown {
    site: SiteCount,
    count: i64,
    bytes: i64,
    /// Growth of count and bytes in the last interval, where there are several.
    late: Option<(i64, i64)>,
    /// Tenants that hold more, the most first.
    tenants: Vec<Share>,
}

impl Grown {
    fn still_grows(&self, late_share: f64) -> bool {
        let keeps_pace = |late: i64, all: i64| all > 0 && late as f64 >= 0.5 * late_share * all as f64;
        self.late.is_none_or(|(count, bytes)| keeps_pace(count, self.count) || keeps_pace(bytes, self.bytes))
    }

    /// Whether it held more half-way already.
    fn grew_early(&self) -> bool {
        self.late.is_none_or(|(count, bytes)| self.count > count || self.bytes > bytes)
    }
}

fn named(resource: Resource, grown: &[Grown], late_share: f64, cycles: usize) -> Vec<Finding> {
    let mine: Vec<&Grown> = grown.iter().filter(|grown| grown.site.resource == resource).collect();
    let growing: Vec<&Grown> = mine.iter().copied().filter(|grown| grown.still_grows(late_share)).collect();
    let kept = if growing.is_empty() { mine } else { growing };
    let counts: i64 = kept.iter().map(|grown| grown.count.max(0)).sum();
    let bytes: i64 = kept.iter().map(|grown| grown.bytes.max(0)).sum();
    let weighs = |part: i64, all: i64, share: f64| all > 0 && part as f64 >= share * all as f64;
    by_place(kept)
        .iter()
        .map(|of_place| {
            let is_late = !of_place.iter().any(|grown| grown.grew_early());
            (finding(of_place, cycles), if is_late { SHARE_MIN_OF_LATE } else { SHARE_MIN })
        })
        .filter(|(found, share)| {
            weighs(found.survivors, counts, *share) || weighs(found.survivor_bytes, bytes, *share)
        })
        .map(|(found, _)| found)
        .collect()
}

/// Those of one site and task together, in the order of sites.
fn by_place(kept: Vec<&Grown>) -> Vec<Vec<&Grown>> {
    let mut by_place = BTreeMap::<_, Vec<&Grown>>::new();
    for grown in kept {
        by_place.entry((&grown.site.site, &grown.site.task)).or_default().push(grown);
    }
    by_place.into_values().collect()
}

/// What grew at one site, on all its stacks; named by that with the most.
fn finding(of_place: &[&Grown], cycles: usize) -> Finding {
    let most = of_place.iter().max_by_key(|grown| (grown.bytes, grown.count)).expect("a place has a stack");
    let tenants = tenants::together(of_place.iter().flat_map(|grown| &grown.tenants));
    Finding {
        resource: most.site.resource,
        site: most.site.site.clone(),
        function: most.site.function.clone(),
        survivors: of_place.iter().map(|grown| grown.count).sum(),
        survivor_bytes: of_place.iter().map(|grown| grown.bytes).sum(),
        stack: most.site.stack.clone(),
        task: most.site.task.clone(),
        victim_of: None,
        tenants: tenants::shown(&tenants, cycles),
        tenants_grown: tenants.len(),
        ignored: None,
    }
}

/// What makes two entries the same place.
type Key = (Resource, String, Vec<String>, Option<String>);

struct Held {
    site: SiteCount,
}

impl Held {
    fn growth_since(&self, before: Option<&Self>) -> (i64, i64) {
        let (count, bytes) = before.map_or((0, 0), |before| (before.site.count, before.site.bytes));
        (difference(self.site.count, count), difference(self.site.bytes, bytes))
    }
}

fn difference(now: u64, before: u64) -> i64 {
    i64::try_from(i128::from(now) - i128::from(before)).unwrap_or(i64::MAX)
}

fn by_site(snapshot: &SiteSnapshot) -> BTreeMap<Key, Held> {
    let mut sites: BTreeMap<Key, Held> = BTreeMap::new();
    for site in &snapshot.sites {
        let key = (site.resource, site.site.clone(), site.stack.clone(), site.task.clone());
        match sites.get_mut(&key) {
            Some(held) => {
                held.site.count += site.count;
                held.site.bytes += site.bytes;
                for (name, more) in &site.tenants {
                    held.site.tenants.entry(name.clone()).or_default().add(more.count, more.bytes);
                }
            }
            None => drop(sites.insert(key, Held { site: site.clone() })),
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(site: &str, count: u64, bytes: u64) -> SiteCount {
        SiteCount {
            resource: Resource::Heap,
            site: site.to_owned(),
            function: None,
            stack: vec![],
            task: None,
            count,
            bytes,
            tenants: BTreeMap::new(),
        }
    }

    fn snapshot(cycle: usize, sites: &[SiteCount]) -> SiteSnapshot {
        SiteSnapshot { cycle, sites: sites.to_vec() }
    }

    fn sites(findings: &[Finding]) -> Vec<(&str, i64, i64)> {
        findings.iter().map(|f| (f.site.as_str(), f.survivors, f.survivor_bytes)).collect()
    }

    #[test]
    fn a_site_that_grew_is_named_and_a_level_one_is_not() {
        let first = snapshot(5, &[blocks("cache.rs:1", 10, 100), blocks("pool.rs:2", 4, 40)]);
        let last = snapshot(105, &[blocks("cache.rs:1", 110, 1_100), blocks("pool.rs:2", 4, 40)]);
        assert_eq!(sites(&survivors(&[first, last])), [("cache.rs:1", 100, 1_000)]);
    }

    #[test]
    fn a_pool_that_filled_before_the_middle_is_left_out() {
        let first = snapshot(0, &[]);
        let middle = snapshot(50, &[blocks("cache.rs:1", 50, 500), blocks("pool.rs:2", 60, 600)]);
        let last = snapshot(100, &[blocks("cache.rs:1", 100, 1_000), blocks("pool.rs:2", 60, 600)]);
        assert_eq!(sites(&survivors(&[first, middle, last])), [("cache.rs:1", 100, 1_000)]);
    }

    #[test]
    fn a_lone_step_has_its_site() {
        let first = snapshot(0, &[blocks("plant.rs:1", 0, 0)]);
        let middle = snapshot(50, &[blocks("plant.rs:1", 1, 1)]);
        let last = snapshot(100, &[blocks("plant.rs:1", 1, 1)]);
        assert_eq!(sites(&survivors(&[first, middle, last])), [("plant.rs:1", 1, 1)]);
    }

    #[test]
    fn a_vec_that_grows_in_place_is_named_by_its_bytes() {
        let first = snapshot(0, &[blocks("log.rs:1", 1, 64)]);
        let last = snapshot(100, &[blocks("log.rs:1", 1, 4_096)]);
        assert_eq!(sites(&survivors(&[first, last])), [("log.rs:1", 0, 4_032)]);
    }

    #[test]
    fn a_stray_block_beside_a_leak_is_not_named() {
        let last = snapshot(100, &[blocks("cache.rs:1", 100, 1_000), blocks("stray.rs:2", 1, 8)]);
        assert_eq!(sites(&survivors(&[snapshot(0, &[]), last])), [("cache.rs:1", 100, 1_000)]);
    }

    #[test]
    fn what_was_under_way_at_the_end_is_not_named_beside_a_leak_and_a_late_leak_is() {
        let first = snapshot(0, &[]);
        let middle = snapshot(12, &[blocks("cache.rs:1", 24, 240)]);
        let with = |under_way| {
            let last = snapshot(24, &[blocks("cache.rs:1", 48, 480), blocks("writer.rs:2", under_way, 90)]);
            survivors(&[first.clone(), middle.clone(), last])
        };
        assert_eq!(sites(&with(3)), [("cache.rs:1", 48, 480)]);
        assert_eq!(sites(&with(24)), [("cache.rs:1", 48, 480), ("writer.rs:2", 24, 90)]);
    }

    #[test]
    fn a_site_that_many_stacks_lead_to_is_one_finding_with_the_stack_of_the_most() {
        let on_stack = |n: u64, count| {
            let stack = vec!["push at cache.rs:1".to_owned(), format!("caller at hub.rs:{n}")];
            SiteCount { stack, ..blocks("cache.rs:1", count, 8 * count) }
        };
        // None of the thirty alone has a twentieth of the growth.
        let stacks: Vec<SiteCount> = (0..30).map(|n| on_stack(n, 3 + u64::from(n == 7))).collect();
        let found = survivors(&[snapshot(0, &[]), snapshot(50, &stacks)]);
        assert_eq!(sites(&found), [("cache.rs:1", 91, 728)]);
        assert_eq!(found[0].stack[1], "caller at hub.rs:7");
    }

    #[test]
    fn what_different_tasks_allocate_at_one_site_is_told_apart() {
        let of = |task: &str, count| SiteCount {
            task: Some(task.to_owned()),
            ..blocks("codec.rs:1", count, count)
        };
        let last = snapshot(50, &[of("heartbeat.rs:41", 60), of("session.rs:9", 40)]);
        let found = survivors(&[snapshot(0, &[]), last]);
        let tasks: Vec<_> = found.iter().map(|found| (found.task.as_deref(), found.survivors)).collect();
        assert_eq!(tasks, [(Some("heartbeat.rs:41"), 60), (Some("session.rs:9"), 40)]);
    }

    #[test]
    fn a_finding_names_the_tenant_that_grew_and_not_those_that_stayed() {
        let held = |site, of: &[(&str, u64)]| {
            let tenants =
                of.iter().map(|(name, n)| ((*name).to_owned(), TenantCount { count: *n, bytes: 8 * n }));
            let count = of.iter().map(|(_, n)| n).sum();
            SiteCount { tenants: tenants.collect(), ..blocks(site, count, 8 * count) }
        };
        let first = snapshot(0, &[held("cache.rs:1", &[("plc-3", 5), ("plc-7", 5)])]);
        let last = snapshot(
            50,
            &[held("cache.rs:1", &[("plc-3", 5), ("plc-7", 55)]), held("cache.rs:1", &[("plc-7", 50)])],
        );
        let found = survivors(&[first, last]);
        assert_eq!((found[0].survivors, found[0].tenants_grown, found[0].tenants.len()), (100, 1, 1));
        let plc_7 = &found[0].tenants[0];
        assert_eq!((plc_7.name.as_str(), plc_7.survivors, plc_7.survivor_bytes), ("plc-7", 100, 800));
        assert_eq!(plc_7.bytes_per_cycle, 16.0);
    }

    #[test]
    fn one_snapshot_has_no_survivors() {
        assert_eq!(survivors(&[snapshot(0, &[blocks("a.rs:1", 1, 1)])]), []);
    }
}
