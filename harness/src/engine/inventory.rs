//! Lists what a target holds, by name, at a few moments of a run; the differences between them name what leaks.
//!
//! Taking an inventory copies numbers; names (functions, files, lines) are looked up at the end, and only for what grew.

use std::collections::BTreeMap;

use watertight_probe::fds::{self, Fd};
use watertight_probe::frames::{self, Frame};
use watertight_probe::heap;
use watertight_probe::tasks::{TaskDump, TaskInfo};

use crate::explain::{SiteCount, SiteSnapshot};
use crate::resource::Resource;

/// What a target held at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    /// The cycle after which it was taken.
    pub cycle: usize,
    /// Live heap by the number of its site.
    pub heap: Vec<heap::SiteCount>,
    /// The parts of the target that own sites, by the number of their tenant.
    pub tenants: BTreeMap<u16, String>,
    /// The lines that spawned tasks which own sites, by the number of the line.
    pub spawners: BTreeMap<u16, String>,
    /// Live tasks.
    pub tasks: Vec<TaskInfo>,
    /// Open descriptors.
    pub fds: Vec<NamedFd>,
    /// What a view of others than the probe names by itself.
    pub named: Vec<SiteCount>,
}

impl Inventory {
    /// Things named by such a view.
    fn named_things(&self) -> u64 {
        self.named.iter().map(|site| site.count).sum()
    }
}

/// An open descriptor in words that are the same from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFd {
    /// What it is, and with whom.
    pub what: String,
    /// `file:line` of the code that opened it, where that is known.
    pub opened_at: Option<String>,
}

impl From<&Fd> for NamedFd {
    fn from(fd: &Fd) -> Self {
        Self { what: fd.describe(), opened_at: fd.opened_at.clone() }
    }
}

/// Call stacks that allocate, by their number: of this process, or of the one that a probe looks into.
pub(super) type Stacks = BTreeMap<u32, Vec<Frame>>;

/// A site of each call stack that holds more in the last inventory than in the first, by the stack: those worth a name.
///
/// All tenants together: what one part of the target hands to another has not grown.
pub(super) fn grown_stacks(inventories: &[Inventory]) -> BTreeMap<u32, u32> {
    let [first, .., last] = inventories else { return BTreeMap::new() };
    let mut sums = BTreeMap::<u32, (i64, i64, u32)>::new();
    for (sites, sign) in [(&first.heap, -1), (&last.heap, 1)] {
        for site in sites {
            let sum = sums.entry(site.stack).or_insert((0, 0, site.id));
            sum.0 += sign * site.live_blocks as i64;
            sum.1 += sign * site.live_bytes as i64;
        }
    }
    let grown = sums.into_iter().filter(|(_, (blocks, bytes, _))| *blocks > 0 || *bytes > 0);
    grown.map(|(stack, (_, _, site))| (stack, site)).collect()
}

/// The frames of grown stacks, from those of a site of each.
pub(super) fn by_stack(grown: &BTreeMap<u32, u32>, mut of_sites: BTreeMap<u32, Vec<Frame>>) -> Stacks {
    grown.iter().filter_map(|(stack, site)| Some((*stack, of_sites.remove(site)?))).collect()
}

/// Whether the target holds more of anything at the end than it did at the end of warm-up.
pub(super) fn rose(inventories: &[Inventory]) -> bool {
    let [first, .., last] = inventories else { return false };
    last.tasks.len() > first.tasks.len()
        || last.fds.len() > first.fds.len()
        || last.named_things() > first.named_things()
        || !grown_stacks(inventories).is_empty()
}

/// The inventories with names; heap whose stack is not in `stacks` is left out.
pub(super) fn named(inventories: &[Inventory], stacks: &Stacks) -> Vec<SiteSnapshot> {
    inventories.iter().map(|inventory| snapshot(inventory, stacks)).collect()
}

fn snapshot(inventory: &Inventory, stacks: &Stacks) -> SiteSnapshot {
    let heap = heap_by_stack(inventory, stacks).into_values();
    let tasks = tasks_by_place(inventory).into_values();
    let fds = inventory.fds.iter().map(fd_site);
    let named = inventory.named.iter().cloned();
    SiteSnapshot { cycle: inventory.cycle, sites: heap.chain(tasks).chain(fds).chain(named).collect() }
}

fn heap_by_stack(inventory: &Inventory, stacks: &Stacks) -> BTreeMap<(u32, u16), SiteCount> {
    let mut by_stack = BTreeMap::new();
    for site in &inventory.heap {
        let Some(stack) = stacks.get(&site.stack) else { continue };
        let task = inventory.spawners.get(&site.spawner).cloned();
        let named = || SiteCount { task, ..heap_site(site, stack) };
        let counted = by_stack.entry((site.stack, site.spawner)).or_insert_with(named);
        count(counted, inventory.tenants.get(&site.tenant), site.live_blocks, site.live_bytes);
    }
    by_stack
}

fn tasks_by_place(inventory: &Inventory) -> BTreeMap<String, SiteCount> {
    let mut by_place = BTreeMap::new();
    for task in &inventory.tasks {
        let place = task.place();
        let counted = by_place.entry(place.clone()).or_insert_with(|| none(Resource::Tasks, place));
        count(counted, inventory.tenants.get(&task.tenant), 1, 0);
    }
    by_place
}

fn count(site: &mut SiteCount, tenant: Option<&String>, things: u64, bytes: u64) {
    site.count += things;
    site.bytes += bytes;
    if let Some(tenant) = tenant {
        site.tenants.entry(tenant.clone()).or_default().add(things, bytes);
    }
}

fn none(resource: Resource, site: String) -> SiteCount {
    SiteCount {
        resource,
        site,
        function: None,
        stack: Vec::new(),
        task: None,
        count: 0,
        bytes: 0,
        tenants: BTreeMap::new(),
    }
}

/// Named by the line that opened it; without one, by what it is.
fn fd_site(fd: &NamedFd) -> SiteCount {
    let one = |site: &String| SiteCount { count: 1, ..none(Resource::Fds, site.clone()) };
    match &fd.opened_at {
        Some(place) => SiteCount { stack: vec![fd.what.clone()], ..one(place) },
        None => one(&fd.what),
    }
}

/// The name of a heap site, with nothing counted yet.
fn heap_site(site: &heap::SiteCount, stack: &[Frame]) -> SiteCount {
    let named = frames::first_own(stack).or(stack.first());
    let place = match named {
        Some(frame) => frame.place(),
        None if heap::is_table_full(site.id) => heap::TABLE_FULL.to_owned(),
        None => "?".to_owned(),
    };
    SiteCount {
        function: named.map(|frame| frame.function.clone()),
        stack: stack.iter().map(Frame::to_string).collect(),
        ..none(Resource::Heap, place)
    }
}

/// The descriptors of `pid`, or of this process; none where the system does not tell.
pub(super) fn fds_of(pid: Option<u32>) -> Vec<Fd> {
    fds::census(pid).unwrap_or_default()
}

/// Where one task of each spawning place waits, by `file:line` of the spawn.
pub(super) fn awaits(tasks: &[TaskInfo], dump: Vec<TaskDump>) -> Vec<(String, Vec<String>)> {
    let places: BTreeMap<u64, String> = tasks.iter().map(|task| (task.id, task.place())).collect();
    let mut awaits = BTreeMap::new();
    for task in dump {
        if let Some(place) = places.get(&task.id) {
            awaits.entry(place.clone()).or_insert(task.trace);
        }
    }
    awaits.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(id: u32, blocks: u64) -> heap::SiteCount {
        of_tenant(id, id, 2, blocks)
    }

    fn of_tenant(id: u32, stack: u32, tenant: u16, blocks: u64) -> heap::SiteCount {
        let live_bytes = blocks * 8;
        heap::SiteCount {
            id,
            stack,
            tenant,
            spawner: 0,
            live_bytes,
            live_blocks: blocks,
            total_blocks: blocks,
        }
    }

    #[test]
    fn only_sites_that_grew_are_worth_a_name() {
        let inventory = |heap| Inventory { heap, ..Inventory::default() };
        let inventories =
            [inventory(vec![site(1, 5), site(2, 5)]), inventory(vec![site(1, 5), site(2, 6), site(3, 1)])];
        assert_eq!(grown_stacks(&inventories), BTreeMap::from([(2, 2), (3, 3)]));
        assert!(grown_stacks(&inventories[..1]).is_empty());
    }

    #[test]
    fn what_one_tenant_hands_to_another_has_not_grown() {
        let inventory = |heap| Inventory { heap, ..Inventory::default() };
        let before = inventory(vec![of_tenant(10, 1, 2, 5), of_tenant(11, 2, 2, 5)]);
        let after = inventory(vec![of_tenant(11, 2, 2, 5), of_tenant(12, 1, 3, 5), of_tenant(13, 2, 3, 1)]);
        assert_eq!(grown_stacks(&[before, after]), BTreeMap::from([(2, 11)]));
    }

    #[test]
    fn a_stack_is_one_site_with_a_count_for_each_tenant() {
        let inventory = Inventory {
            heap: vec![of_tenant(10, 1, 2, 5), of_tenant(11, 1, 3, 1), of_tenant(12, 1, 4, 1)],
            tenants: BTreeMap::from([(3, "plc-3".to_owned()), (4, "plc-4".to_owned())]),
            ..Inventory::default()
        };
        let named = &named(&[inventory], &BTreeMap::from([(1, Vec::new())]))[0].sites;
        assert_eq!((named.len(), named[0].count, named[0].bytes), (1, 7, 56));
        let one = crate::explain::TenantCount { count: 1, bytes: 8 };
        let expected = BTreeMap::from([("plc-3".to_owned(), one), ("plc-4".to_owned(), one)]);
        assert_eq!(named[0].tenants, expected, "tenant 2 is the target at large");
    }

    #[test]
    fn what_one_stack_allocates_in_different_tasks_is_told_apart() {
        let in_tasks = |id, spawner, blocks| heap::SiteCount { spawner, ..of_tenant(id, 1, 2, blocks) };
        let inventory = Inventory {
            heap: vec![in_tasks(10, 0, 1), in_tasks(11, 5, 2)],
            spawners: BTreeMap::from([(5, "hub.rs:7".to_owned())]),
            ..Inventory::default()
        };
        let named = &named(&[inventory], &BTreeMap::from([(1, Vec::new())]))[0].sites;
        let tasks: Vec<_> = named.iter().map(|site| (site.task.as_deref(), site.count)).collect();
        assert_eq!(tasks, [(None, 1), (Some("hub.rs:7"), 2)]);
    }
}
