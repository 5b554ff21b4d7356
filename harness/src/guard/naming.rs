//! Which lines made what stayed behind.
//!
//! A task lives in a block that `tokio::spawn` allocates, a thread has one that `thread::spawn` does, a socket one of its
//! registration: their call stacks name the line, on stable Rust and without any flag.

use std::collections::BTreeMap;

use watertight_probe::frames::{self, Frame};
use watertight_probe::heap::{self, SiteCount};
use watertight_probe::{Tenant, fds, tasks};

use super::look::{Left, Look};
use super::threads;
use crate::explain::{Finding, rank};
use crate::resource::Resource;

/// The sites of a test at one moment.
pub(super) struct Sites(Vec<SiteCount>);

impl Sites {
    pub(super) fn of(tenant: Tenant) -> Self {
        let _probe = Tenant::PROBE.enter();
        let mut sites = heap::sites();
        sites.retain(|site| site.owner().is_within(tenant));
        Self(sites)
    }

    /// What is alive at each call stack that was not alive at `before`.
    pub(super) fn since(&self, before: &Self) -> Vec<Grown> {
        let _probe = Tenant::PROBE.enter();
        let grown: Vec<_> = heap::changes(&before.0, &self.0)
            .into_iter()
            .filter(|(_, blocks, bytes)| *blocks > 0 || *bytes > 0)
            .collect();
        let mut stacks = frames::resolve(grown.iter().map(|(site, ..)| site.id));
        let with_stack = |(site, blocks, bytes): (SiteCount, i64, i64)| Grown {
            blocks,
            bytes,
            stack: stacks.remove(&site.id).unwrap_or_default(),
        };
        grown.into_iter().map(with_stack).collect()
    }
}

/// What grew at one call stack.
pub(super) struct Grown {
    blocks: i64,
    bytes: i64,
    /// Innermost first.
    stack: Vec<Frame>,
}

/// What a block is for, by the code between the allocator and the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Task,
    Blocking,
    Thread,
    Socket,
    Other,
}

impl Grown {
    fn maker(&self) -> Maker {
        let inner = || self.stack.iter().take_while(|frame| !frame.own);
        let in_file =
            |part: &str| inner().any(|frame| frame.file.as_ref().is_some_and(|file| file.contains(part)));
        let is_cell =
            |frame: &Frame| frame.function.contains("task::core::Cell") && frame.function.ends_with("::new");
        if inner().any(is_cell) {
            return if in_file("/runtime/blocking/") { Maker::Blocking } else { Maker::Task };
        }
        let spawns =
            inner().any(|frame| frame.function.contains("thread") && frame.function.contains("spawn"));
        if spawns && !in_file("/runtime/") {
            return Maker::Thread;
        }
        if in_file("/runtime/io/") { Maker::Socket } else { Maker::Other }
    }

    /// The line to be named: the first of the user's own, or the first outside of runtime and standard library.
    fn frame(&self) -> Option<&Frame> {
        let is_plumbing = |frame: &&Frame| {
            frame.file.as_ref().is_none_or(|file| file.starts_with("std/") || file.starts_with("tokio-"))
        };
        frames::first_own(&self.stack).or_else(|| self.stack.iter().find(|frame| !is_plumbing(frame)))
    }

    fn finding(&self, resource: Resource) -> Finding {
        let frame = self.frame();
        let site = frame.or(self.stack.first()).map_or_else(|| NO_LINE.to_owned(), Frame::place);
        let stack = self.stack.iter().map(ToString::to_string).collect();
        let function = frame.map(|frame| frame.function.clone());
        Finding {
            function,
            survivors: self.blocks,
            survivor_bytes: self.bytes,
            stack,
            ..bare(resource, site)
        }
    }
}

/// One thing that is left, without a stack.
pub(super) fn one(resource: Resource, site: String) -> Finding {
    Finding { survivors: 1, ..bare(resource, site) }
}

fn bare(resource: Resource, site: String) -> Finding {
    Finding {
        resource,
        site,
        function: None,
        survivors: 0,
        survivor_bytes: 0,
        stack: Vec::new(),
        task: None,
        victim_of: None,
        tenants: Vec::new(),
        tenants_grown: 0,
        ignored: None,
    }
}

/// Tasks by the line that spawned them: from their blocks, or from the ledger where a build has no call stacks but that.
pub(super) fn of_tasks(grown: &[Grown], tenant: Tenant) -> Vec<Finding> {
    let by_block = merged(grown, Resource::Tasks, |maker| maker == Maker::Task);
    if !by_block.is_empty() || tasks::why_not_tracked().is_some() {
        return by_block;
    }
    let mut by_line: BTreeMap<String, i64> = BTreeMap::new();
    for task in tasks::live().iter().filter(|task| task.owner().is_within(tenant)) {
        *by_line.entry(task.place()).or_default() += 1;
    }
    by_line
        .into_iter()
        .map(|(site, survivors)| Finding { survivors, ..bare(Resource::Tasks, site) })
        .collect()
}

/// Threads by the line that spawned them; those without one by what they call themselves.
pub(super) fn of_threads(grown: &[Grown], left: &Left) -> Vec<Finding> {
    if left.all_threads() == 0 {
        return Vec::new();
    }
    let mut found =
        merged(grown, Resource::Threads, |maker| matches!(maker, Maker::Thread | Maker::Blocking));
    // A thread has several blocks: how many there are is known, and which line each is from where there is one line.
    if let [one] = found.as_mut_slice() {
        one.survivors = i64::try_from(left.all_threads()).unwrap_or(i64::MAX);
    }
    if !found.is_empty() {
        found.iter_mut().for_each(|finding| finding.survivor_bytes = 0);
        return found;
    }
    let numbers = left.threads.iter().chain(&left.strangers);
    let named = |number: &u32| one(Resource::Threads, format!("thread `{}`", threads::name(*number)));
    numbers.map(named).collect()
}

/// Descriptors by what they refer to, and by the line that opened them where that is known.
pub(super) fn of_fds(now: &Look, before: &Look, grown: &[Grown]) -> Vec<Finding> {
    let left = super::fds::new_in(&now.fds, &before.fds);
    if left.is_empty() {
        return Vec::new();
    }
    let open = fds::census(None).unwrap_or_default();
    let mut by_words: BTreeMap<(String, String), i64> = BTreeMap::new();
    for fd in open.iter().filter(|fd| left.contains_key(&fd.fd)) {
        let what = fd.describe();
        let site = fd.opened_at.clone().unwrap_or_else(|| what.clone());
        *by_words.entry((site, what)).or_default() += 1;
    }
    let registered = merged(grown, Resource::Fds, |maker| maker == Maker::Socket);
    let named = |((site, what), survivors): ((String, String), i64)| {
        let line = registered.iter().find(|finding| finding.survivors == survivors && site == what);
        match line {
            Some(line) => Finding { survivors, function: Some(what), survivor_bytes: 0, ..line.clone() },
            None => Finding {
                survivors,
                function: Some(what).filter(|what| *what != site),
                ..bare(Resource::Fds, site)
            },
        }
    };
    by_words.into_iter().map(named).collect()
}

/// Heap by the line that allocated it, those with the most bytes first; what `cycles` have not repeated is left out where
/// anything else is there.
pub(super) fn of_heap(grown: &[Grown], cycles: usize) -> Vec<Finding> {
    let all = merged(grown, Resource::Heap, |_| true);
    let repeats = |finding: &&Finding| finding.survivors * 2 >= cycles as i64;
    let repeated: Vec<Finding> = all.iter().filter(repeats).cloned().collect();
    if repeated.is_empty() { all } else { repeated }
}

/// One finding a line, culprits first.
fn merged(grown: &[Grown], resource: Resource, wanted: impl Fn(Maker) -> bool) -> Vec<Finding> {
    let mut by_site: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in grown.iter().filter(|grown| wanted(grown.maker())).map(|grown| grown.finding(resource)) {
        match by_site.get_mut(&finding.site) {
            Some(known) => {
                known.survivors += finding.survivors;
                known.survivor_bytes += finding.survivor_bytes;
            }
            None => {
                by_site.insert(finding.site.clone(), finding);
            }
        }
    }
    rank(
        by_site.into_values().filter(|finding| finding.survivors > 0 || finding.survivor_bytes > 0).collect(),
    )
}

/// Where a build has no line tables.
const NO_LINE: &str = "a line that this build does not know";
