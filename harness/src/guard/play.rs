//! One test from its body to its end: played here, and where something seems to stay behind, ruled on elsewhere.

use std::any::Any;
use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Builder;
use watertight_probe::heap;

use super::ending::Ending;
use super::lease::Lease;
use super::plan::Plan;
use super::report;
use super::ruling::Ruling;
use super::stage::{Played, Stage};
use super::{alone, cycles, once, settle};

/// Plays `body` as `plan` says, in a runtime of `builder`'s; what `#[watertight::test]` calls.
///
/// # Panics
/// As `body` does, and with a report where something stayed behind.
#[track_caller]
pub fn play<F>(plan: Plan, builder: Builder, body: fn() -> F) -> F::Output
where
    F: Future,
    F::Output: Ending,
{
    let plan = plan.in_cycles_if_asked();
    match attempt(&plan, builder, body) {
        End::Returned(ending) => ending,
        End::Panicked(panic) => resume_unwind(panic),
        End::Failed(report) => fail(&plan, &report),
    }
}

/// Fails the test. One that should panic fails by not panicking.
#[track_caller]
fn fail<T: Ending>(plan: &Plan, report: &str) -> T {
    if plan.should_panic
        && let Some(ending) = T::of_panic()
    {
        eprintln!("{report}");
        return ending;
    }
    panic!("{report}");
}

/// How a test ends.
enum End<T> {
    Returned(T),
    Panicked(Box<dyn Any + Send>),
    Failed(String),
}

impl<T> End<T> {
    fn of(plan: &Plan, played: Played<T>) -> Self {
        match played {
            Played::Ended(ending) => Self::Returned(ending),
            Played::Panicked(panic) => Self::Panicked(panic),
            Played::Hung => Self::Failed(report::hung(plan)),
        }
    }
}

/// What a test came to in the process that it runs in.
pub(super) struct Screened<T> {
    pub(super) played: Played<T>,
    /// What seems to have stayed behind.
    pub(super) suspicion: Option<Suspicion>,
}

/// Why a test is played once more, alone.
pub(super) struct Suspicion {
    /// What was seen, in words.
    pub(super) seen: String,
    /// Whether it can be nobody else's, and nothing made on first use.
    pub(super) is_sure: bool,
}

fn attempt<F>(plan: &Plan, builder: Builder, body: fn() -> F) -> End<F::Output>
where
    F: Future,
    F::Output: Ending,
{
    watertight_probe::threads::tell_apart();
    let lease = Lease::take();
    if plan.cycles.is_some() && heap::live_of_tenant(lease.tenant).is_none() {
        return End::Failed(report::no_probe(plan));
    }
    if let Some(ruling) = alone::asked_for(plan) {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        watertight_probe::fds::trace_opens();
        return give_ruling(plan, Stage::build(builder, lease.tenant, true), body, &ruling);
    }
    let stage = Stage::build(builder, lease.tenant, false);
    let began = settle::now();
    let screened = match plan.cycles {
        None => once::screen(&stage, plan, body),
        Some(cycles) => cycles::screen(&stage, plan, cycles, body),
    };
    match screened.suspicion {
        None => {
            leave(stage, &screened.played);
            lease.give_back();
            End::of(plan, screened.played)
        }
        Some(suspicion) => {
            stage.abandon();
            ask_alone(plan, screened.played, &suspicion, began.elapsed())
        }
    }
}

fn leave<T>(stage: Stage, played: &Played<T>) {
    match played {
        Played::Hung => stage.abandon(),
        Played::Ended(_) | Played::Panicked(_) => stage.end(),
    }
}

/// The end of a test under suspicion.
fn ask_alone<T>(plan: &Plan, played: Played<T>, suspicion: &Suspicion, took: Duration) -> End<T> {
    match alone::rule(plan, took) {
        Ruling::Clean if suspicion.is_sure => End::Failed(report::seen_here_only(plan, &suspicion.seen)),
        Ruling::Clean => End::of(plan, played),
        Ruling::Excused => End::of(plan, played),
        Ruling::Leaks(report) => End::Failed(report),
        Ruling::Failed(why) => End::Failed(report::undecided(plan, &suspicion.seen, &why)),
    }
}

/// Plays alone, and writes down what came of it.
fn give_ruling<F>(plan: &Plan, stage: Stage, body: fn() -> F, to: &Path) -> End<F::Output>
where
    F: Future,
    F::Output: Ending,
{
    let (played, ruling) = match plan.cycles {
        None => once::rule(&stage, plan, body),
        Some(cycles) => cycles::rule(&stage, plan, cycles, body),
    };
    if let Some(ruling) = ruling
        && let Err(error) = std::fs::write(to, ruling.written())
    {
        eprintln!("watertight: the ruling could not be written to {}: {error}", to.display());
    }
    stage.abandon();
    End::of(plan, played)
}
