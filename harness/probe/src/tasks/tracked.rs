//! The ledger behind tokio's hooks, for builds with `tokio_unstable`.
//!
//! Traps this is written around (tokio 1.54): `spawn_blocking` fires the terminate hook without the spawn hook; a runtime
//! that shuts down fires terminate twice for some tasks, and before spawn for a task that comes too late. So the ledger
//! is keyed by id, and never counts one kind of event minus another.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, TaskMeta};
use tokio::time::Instant;

use super::ledger::{Entry, Inserted, Ledger};
use super::{DumpError, TaskDump, TaskInfo, places};
use crate::actor::Actor;
use crate::{Tenant, frames};

pub(super) fn install(runtime: &mut Builder) {
    runtime
        .on_task_spawn(spawned)
        .on_task_terminate(terminated)
        .on_before_task_poll(before_poll)
        .on_after_task_poll(after_poll);
    INSTALLED.store(true, Ordering::Relaxed);
}

pub(super) fn why_not_tracked() -> Option<&'static str> {
    (!INSTALLED.load(Ordering::Relaxed)).then_some("watertight_probe::tasks::install was not called")
}

pub(super) fn count(wanted: &dyn Fn(Tenant) -> bool) -> u64 {
    let in_shard = |shard: &Mutex<Ledger>| locked(shard).iter().filter(|task| wanted(task.tenant)).count();
    SHARDS.iter().map(in_shard).sum::<usize>() as u64
}

pub(super) fn for_each_tenant(tell: &mut dyn FnMut(Tenant, u64)) {
    for shard in &SHARDS {
        locked(shard).iter().for_each(|task| tell(task.tenant, 1));
    }
}

pub(super) fn live() -> Vec<TaskInfo> {
    let now = Instant::now();
    let mut live = Vec::new();
    for shard in &SHARDS {
        live.extend(locked(shard).iter().map(|task| TaskInfo {
            id: task.id,
            file: frames::short_path(task.spawned_at.file()),
            line: task.spawned_at.line(),
            tenant: task.tenant.id(),
            age: now.saturating_duration_since(task.since),
        }));
    }
    live
}

pub(super) fn overflows() -> u64 {
    OVERFLOWS.load(Ordering::Relaxed)
}

/// Dumps the tasks of the runtime behind `handle`, from a thread outside of it; blocks up to `within`.
pub fn dump(handle: &Handle, within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    super::dump::from_outside(handle, within)
}

/// Dumps the tasks of the runtime this is awaited in, but for the caller's own. The bound runs on tokio's clock.
pub async fn dump_here(within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    super::dump::from_inside(within).await
}

/// The runtime that polled a task first after [`want_handle`].
#[cfg(feature = "serve")]
pub(crate) fn wanted_handle() -> Option<Handle> {
    HANDLE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Asks for the handle of the next runtime that polls a task. Not held unasked: it keeps the runtime's epoll open.
#[cfg(feature = "serve")]
pub(crate) fn want_handle() {
    HANDLE_WANTED.store(true, Ordering::Relaxed);
}

pub(super) fn number(id: tokio::task::Id) -> u64 {
    /// Catches the number that an id hashes: tokio shows it in no other way but as text.
    struct Catch(u64);
    impl Hasher for Catch {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            // Not what tokio 1.54 does; any injective use of the bytes would do.
            for byte in bytes {
                self.0 = (self.0 << 8) | u64::from(*byte);
            }
        }
        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }
    }
    let mut catch = Catch(0);
    id.hash(&mut catch);
    catch.0
}

fn spawned(task: &TaskMeta<'_>) {
    let id = number(task.id());
    // A task spawned while its runtime shuts down ends inside `spawn`, before this hook.
    if UNKNOWN_ENDED.replace(0) == id {
        return;
    }
    let tenant = Tenant::current();
    let _probe = Tenant::PROBE.enter();
    let spawned_at = task.spawned_at();
    let spawner = places::number(spawned_at);
    let entry = Entry { id, spawned_at, spawner, since: Instant::now(), tenant };
    if shard(id).insert(entry) == Inserted::Full {
        OVERFLOWS.fetch_add(1, Ordering::Relaxed);
    }
}

fn terminated(task: &TaskMeta<'_>) {
    let id = number(task.id());
    if shard(id).remove(id).is_none() {
        UNKNOWN_ENDED.set(id);
    }
}

fn before_poll(task: &TaskMeta<'_>) {
    let id = number(task.id());
    let actor = shard(id).get(id).map_or(Actor::NONE, |task| Actor::new(task.tenant, task.spawner));
    OUTER.set(actor.swap_in());
    if HANDLE_WANTED.load(Ordering::Relaxed) && HANDLE_WANTED.swap(false, Ordering::Relaxed) {
        let _probe = Tenant::PROBE.enter();
        *HANDLE.lock().unwrap_or_else(PoisonError::into_inner) = Handle::try_current().ok();
    }
}

fn after_poll(_task: &TaskMeta<'_>) {
    OUTER.get().swap_in();
}

fn shard(id: u64) -> MutexGuard<'static, Ledger> {
    locked(&SHARDS[id as usize % SHARDS.len()])
}

fn locked(shard: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Workers rarely meet in one of 16; with 2^16 tasks each, a million tasks are tracked.
const SHARD_BITS: u32 = 4;

static SHARDS: [Mutex<Ledger>; 1 << SHARD_BITS] =
    [const { Mutex::new(Ledger::new(SHARD_BITS)) }; 1 << SHARD_BITS];
static INSTALLED: AtomicBool = AtomicBool::new(false);
static OVERFLOWS: AtomicU64 = AtomicU64::new(0);
static HANDLE_WANTED: AtomicBool = AtomicBool::new(false);
static HANDLE: Mutex<Option<Handle>> = Mutex::new(None);

thread_local! {
    /// Whom code ran for before the poll under way.
    static OUTER: Cell<Actor> = const { Cell::new(Actor::NONE) };
    /// The task that ended last on this thread without having been spawned, as far as the ledger knows. Ids start at 1.
    static UNKNOWN_ENDED: Cell<u64> = const { Cell::new(0) };
}
