//! What a test is played on: a runtime of its own, watched.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime, RuntimeFlavor};
use watertight_probe::Tenant;

use super::fds::{self, Claim};
use super::look::{Left, Look};
use super::plan::Plan;
use super::pool::Pool;
use super::settle;
use super::threads::{self, Whose};
use super::watchdog;

/// A runtime, and whom its work belongs to.
pub(super) struct Stage {
    runtime: Runtime,
    pool: Arc<Pool>,
    claim: Claim,
    workers: usize,
    pub(super) tenant: Tenant,
    /// Whether nobody else plays in this process.
    pub(super) is_alone: bool,
}

/// How one play of the body ended.
pub(super) enum Played<T> {
    Ended(T),
    Panicked(Box<dyn Any + Send>),
    Hung,
}

impl Stage {
    /// Builds the runtime that the test asks for.
    ///
    /// # Panics
    /// Where the system has no threads or descriptors left for it, as `#[tokio::test]` does.
    pub(super) fn build(mut builder: Builder, tenant: Tenant, is_alone: bool) -> Self {
        let _probe = Tenant::PROBE.enter();
        let pool = Pool::follow(&mut builder, tenant);
        if cfg!(tokio_unstable) {
            watertight_probe::tasks::install(&mut builder);
        }
        let (runtime, claim) =
            Claim::of(|| builder.enable_all().build().expect("the system lets a runtime be built"));
        let is_multi = runtime.handle().runtime_flavor() == RuntimeFlavor::MultiThread;
        let workers = if is_multi { runtime.metrics().num_workers() } else { 0 };
        pool.wait_for(workers);
        Self { runtime, pool, claim, workers, tenant, is_alone }
    }

    /// Plays `body` once, on behalf of the tenant.
    pub(super) fn play<F: Future>(&self, plan: &Plan, body: impl Fn() -> F) -> Played<F::Output> {
        let _test = self.tenant.enter();
        let played = catch_unwind(AssertUnwindSafe(|| match plan.timeout {
            None => Ok(self.runtime.block_on(body())),
            Some(within) => self.runtime.block_on(watchdog::within(within, plan.name, body())),
        }));
        match played {
            Ok(Ok(ending)) => Played::Ended(ending),
            Ok(Err(watchdog::TimedOut)) => Played::Hung,
            Err(panic) => Played::Panicked(panic),
        }
    }

    /// What is there now.
    pub(super) fn look(&self) -> Look {
        let _probe = Tenant::PROBE.enter();
        Look::with_tasks(self.tasks())
    }

    /// Waits until nothing of `before` is exceeded, for so long at most, and says what is.
    pub(super) fn settle(&self, plan: &Plan, before: &Look, within: Duration) -> Left {
        let _probe = Tenant::PROBE.enter();
        let mut left = self.left(before, 0);
        for (round, pause) in (0_u32..).zip(settle::pauses(within)) {
            // Who meets the pool may make its threads more: it is asked once all else rests, a busy one ever more rarely.
            let is_asked = match left.blocking {
                0 => !left.is_more_than(plan.tolerances),
                _ => round.is_power_of_two(),
            };
            if is_asked {
                left.blocking = self.blocking();
            }
            let is_ours = self.is_alone || left.is_surely_more_than(plan.tolerances);
            if !left.is_more_than(plan.tolerances) {
                return left;
            }
            if !is_ours && round >= ROUNDS_FOR_OTHERS {
                break;
            }
            self.give_turns(pause);
            left = self.left(before, left.blocking);
        }
        left.blocking = self.blocking();
        left
    }

    /// Ends it as tokio's own test does.
    pub(super) fn end(self) {
        let _probe = Tenant::PROBE.enter();
        // Before its descriptors are closed: their numbers are soon somebody else's.
        drop(self.claim);
        drop(self.runtime);
    }

    /// Ends it without waiting for what hangs in it.
    pub(super) fn abandon(self) {
        let _probe = Tenant::PROBE.enter();
        drop(self.claim);
        self.runtime.shutdown_background();
    }

    fn tasks(&self) -> u64 {
        self.runtime.metrics().num_alive_tasks() as u64
    }

    /// Calls of `spawn_blocking` that have not ended.
    fn blocking(&self) -> u64 {
        self.pool.busy(self.runtime.handle(), self.workers) as u64
    }

    /// What is there that was not at `before`, where the pool has been asked already: `blocking` is what it said.
    pub(super) fn left(&self, before: &Look, blocking: u64) -> Left {
        let _probe = Tenant::PROBE.enter();
        let now = Look::with_tasks(self.tasks());
        let mut left = Left {
            tasks: now.tasks.saturating_sub(before.tasks),
            blocking,
            fds: self.claim.without_others(fds::new_in(&now.fds, &before.fds)),
            ..Left::default()
        };
        for thread in now.threads.difference(&before.threads).filter(|thread| !self.pool.has(**thread)) {
            match threads::whose(*thread, self.tenant) {
                Whose::Ours => left.threads.push(*thread),
                Whose::Unknown => left.strangers.push(*thread),
                Whose::Others => {}
            }
        }
        left
    }

    /// Lets tasks run for `pause`, on the runtime's clock and on the wall clock.
    fn give_turns(&self, pause: Duration) {
        let _test = self.tenant.enter();
        let began = settle::now();
        self.runtime.block_on(async {
            tokio::task::yield_now().await;
            if pause > Duration::ZERO {
                tokio::time::sleep(pause).await;
            }
        });
        std::thread::sleep(pause.saturating_sub(began.elapsed()));
    }
}

/// Rounds in which a neighbour's descriptors and threads may vanish by themselves.
const ROUNDS_FOR_OTHERS: u32 = 4;
