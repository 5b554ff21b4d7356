//! The threads of a test's runtime: workers, and the pool that runs `spawn_blocking`.
//!
//! An idle thread of the pool is no leak: tokio ends it after a while. Which are idle, tokio tells on unstable builds only. So
//! they are asked to meet: a busy thread does not come.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use watertight_probe::{Tenant, threads};

/// The threads of one runtime by number.
#[derive(Debug, Default)]
pub(super) struct Pool {
    alive: Mutex<BTreeSet<u32>>,
    joined: Condvar,
}

impl Pool {
    /// Follows the threads of the runtime to be built, which all run for `tenant`.
    pub(super) fn follow(builder: &mut Builder, tenant: Tenant) -> Arc<Self> {
        let pool = Arc::new(Self::default());
        let (joins, leaves) = (Arc::clone(&pool), Arc::clone(&pool));
        builder.on_thread_start(move || {
            // watertight: allow(forgotten-value): it is in force for as long as the thread lives, and holds nothing
            std::mem::forget(tenant.enter());
            let _probe = Tenant::PROBE.enter();
            joins.alive().insert(threads::current());
            joins.joined.notify_all();
        });
        builder.on_thread_stop(move || {
            let _probe = Tenant::PROBE.enter();
            leaves.alive().remove(&threads::current());
        });
        pool
    }

    /// Waits until the workers are there: a thread that begins is told from one that stays.
    pub(super) fn wait_for(&self, workers: usize) {
        let alive = self.alive();
        let waited = self.joined.wait_timeout_while(alive, MEETING_MAX, |alive| alive.len() < workers);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether `thread` is one of them.
    pub(super) fn has(&self, thread: u32) -> bool {
        self.alive().contains(&thread)
    }

    /// Threads beside the workers that are at work.
    pub(super) fn busy(&self, runtime: &Handle, workers: usize) -> usize {
        let known = self.alive().clone();
        let beside_workers = known.len().saturating_sub(workers);
        if beside_workers == 0 {
            return 0;
        }
        let came = Meeting::hold(runtime, beside_workers);
        beside_workers.saturating_sub(came.intersection(&known).count())
    }

    fn alive(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocking calls that wait for each other, so that each takes a thread of its own.
#[derive(Default)]
struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    came: BTreeSet<u32>,
    /// Calls that wait in the meeting.
    inside: usize,
    is_over: bool,
}

impl Meeting {
    /// The threads that so many calls ran on. tokio makes new ones where too few are idle: so nobody goes on before all who came
    /// have left, or the next meeting would find none of them idle and double the pool.
    fn hold(runtime: &Handle, calls: usize) -> BTreeSet<u32> {
        let meeting = Arc::new(Self::default());
        for _ in 0..calls {
            let meeting = Arc::clone(&meeting);
            runtime.spawn_blocking(move || meeting.attend());
        }
        let state = meeting.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            meeting.changed.wait_timeout_while(state, MEETING_MAX, |state| state.came.len() < calls);
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.is_over = true;
        meeting.changed.notify_all();
        let leaving = meeting.changed.wait_timeout_while(state, MEETING_MAX, |state| state.inside > 0);
        let (state, _) = leaving.unwrap_or_else(PoisonError::into_inner);
        state.came.clone()
    }

    fn attend(&self) {
        let _probe = Tenant::PROBE.enter();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.came.insert(threads::current());
        state.inside += 1;
        self.changed.notify_all();
        let waiting = self.changed.wait_while(state, |state| !state.is_over);
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        state.inside -= 1;
        self.changed.notify_all();
    }
}

/// Where the pool is as large as it may be and busy, calls queue: nobody waits longer for them.
const MEETING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meetings_do_not_multiply_the_pool() {
        let mut builder = Builder::new_current_thread();
        let pool = Pool::follow(&mut builder, Tenant::NONE);
        let runtime = builder.build().unwrap();
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        for _ in 0..MEETINGS {
            pool.busy(runtime.handle(), 0);
        }
        // One that has left and is not idle yet adds a thread, now and then; doubled by them, the pool is soon at tokio's 512.
        let threads = pool.alive().len();
        assert!(threads < MEETINGS, "{threads} threads after {MEETINGS} meetings");
    }

    const MEETINGS: usize = 100;
}
