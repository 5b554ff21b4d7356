//! What a run leaves behind that could not end in order, since it was killed or crashed: processes of its programs, found by a mark
//! that all of them carry in their environment.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::{Pid, getpid, set_child_subreaper};

use crate::census::pids;
use crate::ending;

/// How often what carries the mark is looked for: each time something may just be starting one more.
const SWEEPS: usize = 10;

/// The variable that carries the mark.
const VARIABLE: &str = "WATERTIGHT_RUN";

/// Runs that this process has started.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// The mark of one run.
#[derive(Debug)]
pub(super) struct Mark(String);

impl Mark {
    /// A mark that no other run has. From now on orphans are left to this process, instead of to the machine's first one.
    pub(super) fn new() -> Self {
        // Where that is refused, what a killed run leaves behind is not found; a run that ends in order cleans up itself.
        let _refused = set_child_subreaper(Some(getpid()));
        let number = RUNS.fetch_add(1, Relaxed);
        // A process of another container may have the same number, and its runs are seen from here.
        let word = RandomState::new().hash_one(number);
        Self(format!("{}-{number}-{word:016x}", std::process::id()))
    }

    /// The variable and its value, for the run's environment.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Ends every process that carries the mark, but for `run` itself, which is reaped by whoever started it.
    ///
    /// Not only what stands below this process now: the tree is read process by process, and what loses its parent
    /// meanwhile hangs in the air.
    pub(super) fn end_all(&self, run: Option<Pid>) {
        let mut ended = HashSet::new();
        for _ in 0..SWEEPS {
            let left: Vec<Pid> = self.carriers().filter(|pid| Some(*pid) != run).collect();
            if left.is_empty() {
                break;
            }
            for pid in left {
                ending::end(pid);
                ended.insert(pid);
            }
        }
        // One that ended before its parent did has come to this process only since.
        ended.into_iter().for_each(ending::reap);
    }

    fn carriers(&self) -> impl Iterator<Item = Pid> {
        pids()
            .filter(|pid| self.is_carried_by(*pid))
            .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
    }

    fn is_carried_by(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = format!("{VARIABLE}={}", self.0);
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleep(mark: &Mark) -> Child {
        let (name, value) = mark.variable();
        let sleeping =
            Command::new("sleep").arg("1000").env(name, value).spawn().expect("sleep is everywhere");
        while !mark.is_carried_by(sleeping.id()) {
            // It is this program still, which is about to become another.
            std::thread::yield_now();
        }
        sleeping
    }

    #[test]
    fn only_what_carries_the_mark_is_ended() {
        let (mark, other) = (Mark::new(), Mark::new());
        let (_marked, mut kept) = (sleep(&mark), sleep(&other));
        mark.end_all(None);
        assert!(matches!(kept.try_wait(), Ok(None)), "another run's");
        kept.kill().and_then(|()| kept.wait()).expect("it is ours");
    }

    #[test]
    fn when_it_returns_what_was_ended_is_gone_and_reaped() {
        for _ in 0..20 {
            let mark = Mark::new();
            let sleeping = [sleep(&mark), sleep(&mark)];
            mark.end_all(None);
            for gone in sleeping {
                let stat = fs::read_to_string(format!("/proc/{}/stat", gone.id()));
                assert!(stat.is_err(), "neither alive nor a zombie: {stat:?}");
            }
        }
    }
}
