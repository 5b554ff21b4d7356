//! Which processes come from which.

use std::collections::BTreeMap;
use std::fs;

use super::stat::Stat;

/// Processes of the machine that are looked at.
const PROCESSES_MAX: usize = 1 << 15;

/// Every process that `pid` has started and that lives, and theirs, by number.
///
/// A process whose parent has ended belongs to whoever inherited it.
pub fn descendants(pid: u32) -> Vec<u32> {
    below(pid, &living())
}

/// The descendants of `pid`, and of those that its process group left to this process, each with its own.
pub(super) fn members(pid: u32) -> Vec<u32> {
    let living = living();
    let own = std::process::id();
    let is_orphan = |stat: &Stat| stat.parent == own && stat.group == pid;
    let orphans = living.iter().filter(|(orphan, stat)| **orphan != pid && is_orphan(stat));
    let mut members = below(pid, &living);
    for (orphan, _) in orphans {
        members.push(*orphan);
        members.extend(below(*orphan, &living));
    }
    members.sort_unstable();
    members.dedup();
    members
}

fn below(pid: u32, living: &BTreeMap<u32, Stat>) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = living.iter().filter(|(_, stat)| stat.parent == parent).map(|(child, _)| *child);
        // Numbers are used again: what was found once is not looked at twice.
        let new: Vec<u32> = children.filter(|child| !found.contains(child)).collect();
        found.extend(new);
        next += 1;
    }
    found.remove(0);
    found.sort_unstable();
    found
}

/// Every process of the machine, by number, in no order.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten().take(PROCESSES_MAX);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
}

fn living() -> BTreeMap<u32, Stat> {
    pids().filter_map(|pid| Some((pid, Stat::read(pid).ok()?))).filter(|(_, stat)| stat.is_alive()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_at_any_depth_and_only_once() {
        let stat = |parent| Stat { state: 'S', parent, group: 1, started: 0, threads: 1, rss_bytes: 0 };
        let living = [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1), (9, 8), (8, 9)];
        let living: BTreeMap<u32, Stat> =
            living.into_iter().map(|(pid, parent)| (pid, stat(parent))).collect();
        assert_eq!(below(2, &living), [3, 4]);
        assert_eq!(below(1, &living), [2, 3, 4, 5]);
        assert_eq!(below(8, &living), [9]);
        assert!(below(3, &living).is_empty());
    }
}
