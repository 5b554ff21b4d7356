//! The task ledger: every live task of the process by id, with the line that spawned it, its tenant and its age.
//!
//! A task leaves the ledger just after whoever joins it is woken: on several threads, wait for it. Tasks of `LocalSet`
//! fire no hook and are not seen; blocking tasks are none of the ledger's. Without `--cfg tokio_unstable` there are no
//! hooks: [`why_not_tracked`] says so, and only [`count`] remains, by tokio's own count.

use std::time::Duration;

#[cfg(feature = "serve")]
use serde::{Deserialize, Serialize};

#[cfg(all(tokio_unstable, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod dump;
#[cfg(all(
    tokio_unstable,
    not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
))]
#[path = "no_dump.rs"]
mod dump;
#[cfg(tokio_unstable)]
mod ledger;
mod places;
#[cfg(tokio_unstable)]
mod tracked;
#[cfg(tokio_unstable)]
use tracked as backend;

#[cfg(not(tokio_unstable))]
mod untracked;
#[cfg(not(tokio_unstable))]
use untracked as backend;

use crate::Tenant;
use crate::tenant::{self, TENANTS_MAX};

pub use backend::{dump, dump_here};
#[cfg(feature = "serve")]
pub(crate) use backend::{want_handle, wanted_handle};
pub(crate) use places::PLACES_MAX;
pub use places::spawned_at;

/// One live task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
pub struct TaskInfo {
    /// tokio's task id, rising in order of spawning.
    pub id: u64,
    /// The file of the `spawn`, short.
    pub file: String,
    /// The line of the `spawn`.
    pub line: u32,
    /// [`Tenant::id`] of whom it belongs to.
    pub tenant: u16,
    /// Time since it was spawned, on tokio's clock.
    pub age: Duration,
}

impl TaskInfo {
    /// `path/file.rs:line` of the `spawn`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Whom it belongs to, if it lives in this process.
    pub fn owner(&self) -> Tenant {
        Tenant::from_id(self.tenant)
    }
}

/// Where one task waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct TaskDump {
    /// tokio's task id.
    pub id: u64,
    /// What it waits for, then the awaits around it in the user's own code, innermost first.
    pub trace: Vec<String>,
}

/// Why there is no dump.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpError {
    /// The runtime did not come to a stop: a worker is blocked, or nobody drives the runtime.
    TimedOut {
        /// The bound that was missed.
        within: Duration,
    },
    /// An earlier dump that timed out has still not ended; a second one would wait behind it.
    Busy,
    /// This multi-thread runtime was dumped before. tokio 1.54 loses count of its workers in a dump, so that a second
    /// one may block a worker for ever; a current-thread runtime can be dumped as often as one likes.
    Spent,
    /// The runtime has shut down.
    RuntimeGone,
    /// This build cannot.
    Unsupported(&'static str),
}

impl std::fmt::Display for DumpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut { within } => {
                write!(f, "no task dump within {within:?}: a worker is blocked, or nobody drives the runtime")
            }
            Self::Busy => f.write_str("an earlier task dump still waits for a blocked worker"),
            Self::Spent => f.write_str(
                "this multi-thread runtime was dumped before: a second dump may block a worker for ever (tokio 1.54)",
            ),
            Self::RuntimeGone => f.write_str("the runtime has shut down"),
            Self::Unsupported(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DumpError {}

/// Sets the hooks that feed the ledger on the runtime to be built, and starts counting panics.
///
/// One ledger serves all runtimes of the process. tokio keeps one hook of each kind: a later `on_task_spawn`,
/// `on_task_terminate`, `on_before_task_poll` or `on_after_task_poll` on the same builder replaces ours.
pub fn install(runtime: &mut tokio::runtime::Builder) {
    let _probe = Tenant::PROBE.enter();
    crate::panics::install();
    backend::install(runtime);
}

/// Why the ledger is empty, for the report; `None`: it is fed.
pub fn why_not_tracked() -> Option<&'static str> {
    backend::why_not_tracked()
}

/// Live tasks of the tenants that `wanted` picks; never those of [`Tenant::PROBE`]. Allocates nothing.
pub fn count(wanted: impl Fn(Tenant) -> bool) -> u64 {
    backend::count(&|tenant| tenant != Tenant::PROBE && wanted(tenant))
}

/// Live tasks tenant by tenant, in order of their ids, of those that have any; never of [`Tenant::PROBE`].
///
/// Each counts for itself, without its children. One pass over the ledger. The list belongs to [`Tenant::PROBE`].
pub fn alive_by_tenant() -> Vec<(Tenant, u64)> {
    let _probe = Tenant::PROBE.enter();
    let mut alive = vec![0_u64; TENANTS_MAX];
    backend::for_each_tenant(&mut |tenant, tasks| alive[usize::from(tenant.id())] += tasks);
    let counted = tenant::all().filter(|tenant| *tenant != Tenant::PROBE);
    counted.map(|tenant| (tenant, alive[usize::from(tenant.id())])).filter(|(_, tasks)| *tasks > 0).collect()
}

/// Every live task but the probe's own, by id. The list belongs to [`Tenant::PROBE`].
pub fn live() -> Vec<TaskInfo> {
    let _probe = Tenant::PROBE.enter();
    let mut live = backend::live();
    live.retain(|task| task.tenant != Tenant::PROBE.id());
    live.sort();
    live
}

/// Tasks that came when the ledger was full, and are not counted.
pub fn overflows() -> u64 {
    backend::overflows()
}
