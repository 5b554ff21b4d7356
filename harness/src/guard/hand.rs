//! A guard that is held by hand: around a block of a test that has a runtime already.

use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;
use watertight_probe::{Tenant, heap};

use super::fds;
use super::look::Look;
use super::plan::CYCLES_MIN;
use super::report::counted;
use super::settle;
use super::threads::{self, Whose};
use crate::units::Size;
use crate::verdict::rule::{Shape, trend};

/// What is there now is not what is looked for: begins to guard.
///
/// Tasks are those of the runtime that this is called in. Descriptors and new threads are the process's: a test that is not alone
/// there belongs to [`test`](macro@crate::test), which tells neighbours apart.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), watertight::guard::Leaked> {
/// let guard = watertight::guard();
/// tokio::spawn(async {}).await.unwrap();
/// guard.check().await?;
/// # Ok(()) }
/// ```
///
/// # Panics
/// Outside of a tokio runtime.
#[track_caller]
pub fn guard() -> Guard {
    let runtime = Handle::current();
    Guard { before: look(&runtime), runtime, settle: SETTLE, is_checked: false }
}

/// Knows what was there when it was made. [`check`](Guard::check) it; dropped unchecked, it panics if something stayed behind.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct Guard {
    runtime: Handle,
    before: Look,
    settle: Duration,
    is_checked: bool,
}

/// What stayed behind, in words.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("stayed behind: {0}")]
pub struct Leaked(String);

/// As it reads: `unwrap`, and a `main` or a test that returns it, show this.
impl fmt::Debug for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watertight: {self}")
    }
}

impl Guard {
    /// How long what is about to end may take.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Waits for what is about to end, and says what did not.
    ///
    /// # Errors
    /// What stayed behind.
    pub async fn check(mut self) -> Result<(), Leaked> {
        self.is_checked = true;
        let mut left = self.left();
        for pause in settle::pauses(self.settle) {
            if left.is_none() {
                break;
            }
            tokio::task::yield_now().await;
            if pause > Duration::ZERO {
                tokio::time::sleep(pause).await;
            }
            left = self.left();
        }
        left.map_or(Ok(()), |left| Err(Leaked(left)))
    }

    /// Plays a block again and again: what grows is a leak, of the heap, too.
    pub fn cycles(mut self, cycles: u32) -> Cycles {
        self.is_checked = true;
        Cycles { cycles: cycles.max(CYCLES_MIN), warm_up: 3 }
    }

    fn left(&self) -> Option<String> {
        let now = look(&self.runtime);
        let threads =
            now.threads.difference(&self.before.threads).filter(|thread| is_our_thread(**thread)).count();
        let fds = fds::new_in(&now.fds, &self.before.fds);
        let mut left = Vec::new();
        let tasks = now.tasks.saturating_sub(self.before.tasks);
        if tasks > 0 {
            left.push(counted(tasks, "task"));
        }
        if threads > 0 {
            left.push(counted(threads as u64, "thread"));
        }
        left.extend(fds.values().map(|target| format!("fd of {target}")));
        (!left.is_empty()).then(|| left.join(", "))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.is_checked || std::thread::panicking() {
            return;
        }
        if let Some(left) = self.left() {
            panic!(
                "watertight: stayed behind: {left}\n  note: the guard was dropped and did not wait; `guard.check().await` does"
            );
        }
    }
}

/// A block to be played in cycles: [`Guard::cycles`].
#[derive(Debug, Clone, Copy)]
pub struct Cycles {
    cycles: u32,
    warm_up: u32,
}

impl Cycles {
    /// Plays before counting begins; 3 unless said.
    #[must_use]
    pub fn warm_up(self, warm_up: u32) -> Self {
        Self { warm_up, ..self }
    }

    /// Plays `block`, and judges what grows: tasks and descriptors, and heap as far as the block's own future
    /// allocates it, tasks that it spawns only where the runtime's threads have its tenant (in `#[watertight::test]`).
    ///
    /// # Errors
    /// What grows.
    pub async fn run<F: Future>(self, mut block: impl FnMut() -> F) -> Result<(), Leaked> {
        let tenant = match Tenant::current() {
            Tenant::NONE => Tenant::named("watertight guard"),
            current => current,
        };
        let (mut tasks, mut open, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.warm_up + self.cycles {
            let before = look(&Handle::current());
            tenant.scope(block()).await;
            rest(&before).await;
            let now = look(&Handle::current());
            let _probe = Tenant::PROBE.enter();
            tasks.push(now.tasks as i64);
            open.push(now.fds.len() as i64);
            bytes.extend(heap::live_of(|of| of.is_within(tenant)).map(|live| live.bytes as i64));
        }
        let series = [("tasks", tasks), ("fds", open), ("heap bytes", bytes)];
        let grown =
            series.iter().filter_map(|(name, series)| growth(name, series.get(self.warm_up as usize..)?));
        grown.reduce(|all, one| all + "; " + &one).map_or(Ok(()), |grown| Err(Leaked(grown)))
    }
}

fn growth(name: &str, series: &[i64]) -> Option<String> {
    let trend = trend(series, true);
    let is_bad = matches!(trend.shape, Shape::Growing | Shape::Unclear);
    let rise = match name {
        "heap bytes" => Size(trend.rise.unsigned_abs()).to_string(),
        _ => trend.rise.to_string(),
    };
    is_bad.then(|| format!("{name} grow by {rise} in {} cycles: {}", series.len(), trend.why))
}

/// Gives tasks that are about to end their turns.
async fn rest(before: &Look) {
    for pause in settle::pauses(REST) {
        if look(&Handle::current()).tasks <= before.tasks {
            break;
        }
        tokio::task::yield_now().await;
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
    }
}

fn look(runtime: &Handle) -> Look {
    let _probe = Tenant::PROBE.enter();
    Look::with_tasks(runtime.metrics().num_alive_tasks() as u64)
}

/// Only those that a test's tenant has spawned: tokio's own come and go.
fn is_our_thread(thread: u32) -> bool {
    let tenant = Tenant::current();
    tenant != Tenant::NONE && threads::whose(thread, tenant) == Whose::Ours
}

const SETTLE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(100);
