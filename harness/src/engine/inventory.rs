//! Lists what a target holds, by name, at a few moments of a run; the differences between them name what leaks.
//!
//! Taking an inventory copies numbers; names (functions, files, lines) are looked up at the end, and only for what grew.

use std::collections::{BTreeMap, BTreeSet};

use watertight_probe::fds::{self, Fd};
use watertight_probe::frames::{self, Frame};
use watertight_probe::heap;
use watertight_probe::tasks::{TaskDump, TaskInfo};

use crate::explain::{SiteCount, SiteSnapshot};
use crate::resource::Resource;

/// Frames of a stack that a finding keeps; the rest is the runtime's.
const STACK_FRAMES: usize = 16;

/// What a target held at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    /// The cycle after which it was taken.
    pub cycle: usize,
    /// Live heap by the number of its site.
    pub heap: Vec<heap::SiteCount>,
    /// Live tasks.
    pub tasks: Vec<TaskInfo>,
    /// Open descriptors.
    pub fds: Vec<NamedFd>,
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
        Self { what: describe_fd(fd), opened_at: fd.opened_at.clone() }
    }
}

/// The stacks of heap sites, by number: of this process, or of the one that a probe looks into.
pub(super) type Stacks = BTreeMap<u32, Vec<Frame>>;

/// Heap sites that hold more in the last inventory than in the first: those worth a name.
pub(super) fn grown_sites(inventories: &[Inventory]) -> BTreeSet<u32> {
    let [first, .., last] = inventories else { return BTreeSet::new() };
    heap::changes(&first.heap, &last.heap)
        .into_iter()
        .filter(|(_, blocks, bytes)| *blocks > 0 || *bytes > 0)
        .map(|(site, _, _)| site.id)
        .collect()
}

/// Whether the target holds more of anything at the end than it did at the end of warm-up.
pub(super) fn rose(inventories: &[Inventory]) -> bool {
    let [first, .., last] = inventories else { return false };
    last.tasks.len() > first.tasks.len()
        || last.fds.len() > first.fds.len()
        || !grown_sites(inventories).is_empty()
}

/// The inventories with names; heap sites without a stack in `stacks` are left out.
pub(super) fn named(inventories: &[Inventory], stacks: &Stacks) -> Vec<SiteSnapshot> {
    inventories.iter().map(|inventory| snapshot(inventory, stacks)).collect()
}

fn snapshot(inventory: &Inventory, stacks: &Stacks) -> SiteSnapshot {
    let heap = inventory.heap.iter().filter_map(|site| Some(heap_site(site, stacks.get(&site.id)?)));
    let tasks = inventory.tasks.iter().map(|task| one(Resource::Tasks, task.place()));
    let fds = inventory.fds.iter().map(fd_site);
    SiteSnapshot { cycle: inventory.cycle, sites: heap.chain(tasks).chain(fds).collect() }
}

fn one(resource: Resource, site: String) -> SiteCount {
    SiteCount { resource, site, function: None, stack: Vec::new(), count: 1, bytes: 0 }
}

/// Named by the line that opened it; without one, by what it is.
fn fd_site(fd: &NamedFd) -> SiteCount {
    match &fd.opened_at {
        Some(place) => SiteCount { stack: vec![fd.what.clone()], ..one(Resource::Fds, place.clone()) },
        None => one(Resource::Fds, fd.what.clone()),
    }
}

fn heap_site(site: &heap::SiteCount, stack: &[Frame]) -> SiteCount {
    let named = frames::first_own(stack).or(stack.first());
    SiteCount {
        resource: Resource::Heap,
        site: match named {
            Some(frame) => frame.place(),
            None if heap::is_table_full(site.id) => heap::TABLE_FULL.to_owned(),
            None => "?".to_owned(),
        },
        function: named.map(|frame| frame.function.clone()),
        stack: worth_reading(stack).iter().map(Frame::to_string).collect(),
        count: site.live_blocks,
        bytes: site.live_bytes,
    }
}

/// A stack from the last foreign frame before own code on: how a collection asked for memory is no news to anybody.
fn worth_reading(stack: &[Frame]) -> &[Frame] {
    let first = stack.iter().position(|frame| frame.own).unwrap_or(0).saturating_sub(1);
    &stack[first..stack.len().min(first + STACK_FRAMES)]
}

/// Ports from here on are handed out by the system and differ from connection to connection.
const EPHEMERAL_PORTS_FROM: u16 = 32_768;

/// A descriptor in words that are the same from cycle to cycle: an ephemeral port is a `*`.
fn describe_fd(fd: &Fd) -> String {
    let peer = fd.peer.as_deref().map(without_ephemeral_port);
    let local = fd.local.as_deref().map(without_ephemeral_port);
    let mut text = Fd { peer: None, tcp_state: None, ..fd.clone() }.describe();
    for (word, address) in [("at", local), ("to", peer)] {
        if let Some(address) = address {
            text.push_str(&format!(" {word} {address}"));
        }
    }
    if let Some(state) = &fd.tcp_state {
        text.push_str(&format!(" {state}"));
    }
    text
}

fn without_ephemeral_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse().is_ok_and(|port: u16| port >= EPHEMERAL_PORTS_FROM) => {
            format!("{host}:*")
        }
        _ => address.to_owned(),
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
        heap::SiteCount { id, tenant: 2, live_bytes: blocks * 8, live_blocks: blocks, total_blocks: blocks }
    }

    #[test]
    fn only_sites_that_grew_are_worth_a_name() {
        let inventory = |heap| Inventory { heap, ..Inventory::default() };
        let inventories =
            [inventory(vec![site(1, 5), site(2, 5)]), inventory(vec![site(1, 5), site(2, 6), site(3, 1)])];
        assert_eq!(grown_sites(&inventories), BTreeSet::from([2, 3]));
        assert!(grown_sites(&inventories[..1]).is_empty());
    }

    #[test]
    fn a_stack_begins_where_own_code_asked_for_memory() {
        let frame =
            |function: &str, own| Frame { function: function.to_owned(), file: None, line: None, own };
        let stack =
            [frame("alloc", false), frame("with_capacity", false), frame("open", true), frame("poll", false)];
        assert_eq!(worth_reading(&stack), &stack[1..]);
        assert_eq!(worth_reading(&stack[..2]), &stack[..2]);
    }

    #[test]
    fn a_socket_reads_the_same_from_cycle_to_cycle() {
        let socket = Fd {
            fd: 7,
            kind: fds::Kind::Socket,
            inode: Some(1),
            path: None,
            local: Some("127.0.0.1:49152".to_owned()),
            peer: Some("127.0.0.1:102".to_owned()),
            tcp_state: Some("ESTAB".to_owned()),
            opened_at: None,
        };
        assert_eq!(describe_fd(&socket), "socket at 127.0.0.1:* to 127.0.0.1:102 ESTAB");
    }
}
