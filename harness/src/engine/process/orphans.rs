//! What programs of a run leave behind: processes that they started and did not end. None outlives the run.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::time::Duration;

use rustix::process::{Pid, getpid, set_child_subreaper};
use tokio::time::sleep;

use crate::census::descendants;
use crate::ending;

/// How often what is left is killed: each time something may just be starting one more.
const SWEEPS: usize = 100;

/// Between two of them: the kernel needs a moment to end a process.
const SWEEP_PERIOD: Duration = Duration::from_millis(20);

/// Inherits every process whose parent ends while this is held, so that it can be found and ended.
#[derive(Debug)]
pub(super) struct Heir {
    /// What was there before the run is not the run's.
    before: BTreeSet<u32>,
}

impl Heir {
    /// Has the system leave orphans to this process, instead of to the machine's first one.
    pub(super) fn begin() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self { before: descendants(std::process::id()).into_iter().collect() })
    }

    /// Ends what is left, once every program of the run has been ended; says how many there were.
    ///
    /// # Errors
    /// So many could not be ended.
    pub(super) async fn sweep(self) -> Result<usize, usize> {
        let mut found = HashSet::new();
        for _ in 0..SWEEPS {
            let left = self.left();
            if left.is_empty() {
                // One that ended before its parent did has come to this process only since.
                found.iter().copied().for_each(ending::reap);
                return Ok(found.len());
            }
            left.iter().copied().for_each(ending::end);
            found.extend(left);
            sleep(SWEEP_PERIOD).await;
        }
        Err(self.left().len())
    }

    fn left(&self) -> Vec<Pid> {
        let all = descendants(std::process::id()).into_iter();
        let left = all.filter(|pid| !self.before.contains(pid));
        left.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
    }
}
