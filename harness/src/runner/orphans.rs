//! What a run leaves behind that could not end in order, since it was killed or crashed: processes of its programs, found by a mark
//! that all of them carry in their environment.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

use crate::census::descendants;

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
        Self(format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Relaxed)))
    }

    /// The variable and its value, for the run's environment.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Ends every process below this one that carries the mark, but for `run` itself, which is reaped by whoever started it.
    pub(super) fn end_all(&self, run: Option<Pid>) {
        let pids = descendants(std::process::id()).into_iter().filter(|pid| self.is_carried_by(*pid));
        let pids = pids.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        for pid in pids.filter(|pid| Some(*pid) != run) {
            // It may have ended by itself since, or be the child of one that has not.
            let _gone = kill_process(pid, Signal::KILL);
            let _not_a_child = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    fn is_carried_by(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = format!("{VARIABLE}={}", self.0);
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_carries_the_mark_is_ended() {
        let (mark, other) = (Mark::new(), Mark::new());
        let sleep = |mark: &Mark| {
            let (name, value) = mark.variable();
            Command::new("sleep").arg("1000").env(name, value).spawn().expect("sleep is everywhere")
        };
        let (mut marked, mut kept) = (sleep(&mark), sleep(&other));
        while !mark.is_carried_by(marked.id()) {
            // It is this program still, which is about to become another.
            std::thread::yield_now();
        }
        mark.end_all(None);
        // Reaped here or there.
        let _ended = marked.wait();
        assert!(matches!(kept.try_wait(), Ok(None)), "another run's");
        kept.kill().and_then(|()| kept.wait()).expect("it is ours");
    }
}
