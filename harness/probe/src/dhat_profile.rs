//! dhat's profiler, kept for the life of the process: the second witness. And what it says, beside what the probe says.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Tenant;
use crate::alloc::witnessed::{self, Turn};
use crate::frames::{self, Frame};
use crate::heap::{self, Live, Mode, mode};

/// Frames that dhat keeps of a stack: those that the allocator's path takes, and as many as are compared.
const DHAT_FRAMES: usize = COMPARED_FRAMES + 12;

/// Callers of the allocator that must be the same for two stacks to be the same site. The probe keeps some more.
const COMPARED_FRAMES: usize = 14;

/// Starts dhat if `WATERTIGHT_HEAP=dhat` chose it, and says whether it did. Call it first in `main`: what was
/// allocated before is not counted. [`finish_dhat`] writes the profile to `path`.
pub fn start_dhat(path: &Path) -> bool {
    if mode() != Mode::Dhat {
        return false;
    }
    let mut profiler = PROFILER.lock().unwrap_or_else(PoisonError::into_inner);
    if profiler.is_none() {
        let _turn = Turn::take();
        let builder = dhat::Profiler::builder().file_name(path).trim_backtraces(Some(DHAT_FRAMES));
        *profiler = Some((builder.build(), path.to_owned()));
        witnessed::show(true);
    }
    true
}

/// Hides from dhat what these tenants and those below them allocate from here on, so that its profile is that of the
/// rest. [`Tenant::NONE`], the root, stands for itself alone. The probe's own blocks are always hidden.
pub fn leave_out_of_dhat(tenants: &[Tenant]) {
    tenants.iter().copied().for_each(witnessed::leave_out);
}

/// Stops dhat and writes its profile; `false`: it was not running. It prints a summary to stderr.
pub fn finish_dhat() -> bool {
    finish().is_some()
}

/// Where the profile lies; `None`: dhat was not running.
fn finish() -> Option<PathBuf> {
    let (profiler, path) = PROFILER.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    witnessed::show(false);
    let _turn = Turn::take();
    drop(profiler);
    Some(path)
}

/// What dhat has counted; `None`: it is not running.
pub(crate) fn stats() -> Option<dhat::HeapStats> {
    let profiler = PROFILER.lock().unwrap_or_else(PoisonError::into_inner);
    let _turn = Turn::take();
    profiler.as_ref().map(|_| dhat::HeapStats::get())
}

/// And where its profile goes.
static PROFILER: Mutex<Option<(dhat::Profiler, PathBuf)>> = Mutex::new(None);

/// What two witnesses say of the heap that both were shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// What dhat says lives at each place, by the first line of the user's own code.
    pub dhat: BTreeMap<String, Live>,
    /// Call stacks that both know, with the same blocks and bytes.
    pub stacks_alike: usize,
    /// Where they differ: the place, what dhat counts there, what the probe counts.
    pub differences: Vec<(String, Live, Live)>,
    /// Blocks that dhat was not shown, since there were too many at once.
    pub hidden: u64,
}

/// Stops dhat as [`finish_dhat`] does, and compares its profile with the probe's count, stack by stack; `None`: it was
/// not running.
///
/// `sites` is the list of [`heap::sites`] taken right before: in between, nobody else may allocate. Stacks are the same if their innermost 14 callers are, or all that one of the two shows.
pub fn testify(sites: &[heap::SiteCount]) -> io::Result<Option<Testimony>> {
    let _probe = Tenant::PROBE.enter();
    let Some(path) = finish() else { return Ok(None) };
    let profile: Profile = serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::other)?;
    let mut by_dhat = profile.by_stack();
    let mut testimony = Testimony { hidden: witnessed::hidden(), ..Testimony::default() };
    for (stack, live) in &by_dhat {
        add(testimony.dhat.entry(place(stack)).or_default(), *live);
    }
    let mut by_probe = BTreeMap::<Vec<usize>, Live>::new();
    for site in sites.iter().filter(|site| site.live_blocks > 0) {
        let stack = compared(&crate::alloc::sites::frames_of(site.id));
        let shown = as_dhat_shows(&stack, &by_dhat);
        let live = Live { bytes: site.live_bytes, blocks: site.live_blocks };
        add(by_probe.entry(shown.unwrap_or(stack)).or_default(), live);
    }
    for (stack, probe) in by_probe {
        let dhat = by_dhat.remove(&stack).unwrap_or_default();
        match dhat == probe {
            true => testimony.stacks_alike += 1,
            false => testimony.differences.push((place(&stack), dhat, probe)),
        }
    }
    let unknown = by_dhat.into_iter().filter(|(_, dhat)| *dhat != Live::default());
    testimony.differences.extend(unknown.map(|(stack, dhat)| (place(&stack), dhat, Live::default())));
    Ok(Some(testimony))
}

/// The stack that is `stack` to dhat, which leaves out what lies below `main` and sees further than frame pointers reach at
/// the start of a thread: one begins with all of the other.
fn as_dhat_shows(stack: &[usize], by_dhat: &BTreeMap<Vec<usize>, Live>) -> Option<Vec<usize>> {
    let shorter = (0..=stack.len()).rev().map(|depth| &stack[..depth]).find(|of| by_dhat.contains_key(*of));
    let longer = || by_dhat.range(stack.to_vec()..).next().filter(|(known, _)| known.starts_with(stack));
    shorter.map(<[usize]>::to_vec).or_else(|| longer().map(|(known, _)| known.clone()))
}

fn add(sum: &mut Live, more: Live) {
    sum.blocks += more.blocks;
    sum.bytes += more.bytes;
}

/// The first line of the user's own code in a stack.
fn place(stack: &[usize]) -> String {
    let all: Vec<Frame> = stack.iter().copied().flat_map(frames::at).collect();
    frames::first_own(&all).or(all.first()).map_or_else(|| "?".to_owned(), Frame::place)
}

/// The callers of the allocator in a stack, as many as are compared.
fn compared(stack: &[usize]) -> Vec<usize> {
    let callers = stack.iter().copied().skip_while(|address| is_allocators_path(*address));
    callers.take(COMPARED_FRAMES).collect()
}

/// Whether an address lies in nothing but allocators: the probe's, dhat's, the standard library's.
fn is_allocators_path(address: usize) -> bool {
    let in_allocator = |frame: &Frame| {
        let file = frame.file.as_deref().unwrap_or_default();
        let of_std = ["std/alloc/src/alloc.rs", "std/core/src/alloc/global.rs"];
        file.starts_with("dhat-") || of_std.contains(&file)
    };
    frames::at(address).iter().all(in_allocator)
}

/// What is read of a profile. Source: "JSON" in Valgrind's `dhat/dh_main.c`, file version 2.
#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "pps")]
    points: Vec<Point>,
    /// `0x55d0c0ffee: function (file:line:column)`; the first is the root of all.
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

/// A program point: what is alive at the end, and the numbers of its frames, innermost first.
#[derive(Deserialize)]
struct Point {
    #[serde(rename = "eb")]
    end_bytes: u64,
    #[serde(rename = "ebk")]
    end_blocks: u64,
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

impl Profile {
    /// What lives at the end, by the return addresses of the callers compared.
    fn by_stack(&self) -> BTreeMap<Vec<usize>, Live> {
        let addresses: Vec<Option<usize>> = self.frames.iter().map(|frame| address_in(frame)).collect();
        let mut by_stack = BTreeMap::new();
        for point in self.points.iter().filter(|point| point.end_blocks > 0) {
            let known = |frame: &usize| addresses.get(*frame).copied().flatten();
            let functions: Vec<usize> = point.frames.iter().filter_map(known).collect();
            let stack = callers(&functions);
            let live = Live { bytes: point.end_bytes, blocks: point.end_blocks };
            add(by_stack.entry(compared(&stack)).or_default(), live);
        }
        by_stack
    }
}

/// The return addresses of a stack, from those of its functions: functions inlined into each other share one, and so do the
/// calls of a recursion.
fn callers(functions: &[usize]) -> Vec<usize> {
    let mut callers = Vec::new();
    for of_one in functions.chunk_by(|a, b| a == b) {
        // dhat leaves out some of the innermost functions.
        let calls = of_one.len().div_ceil(frames::functions_at(of_one[0]).max(1));
        callers.extend(std::iter::repeat_n(of_one[0], calls));
    }
    callers
}

fn address_in(frame: &str) -> Option<usize> {
    let (address, _) = frame.split_once(": ")?;
    usize::from_str_radix(address.strip_prefix("0x")?, 16).ok()
}
