//! A test that is played once: whatever stays behind, except what is made on first use.

use super::ending::Ending;
use super::known;
use super::look::{Left, Look};
use super::naming::{self, Sites};
use super::plan::Plan;
use super::play::{Screened, Suspicion};
use super::report::{self, Report, Row};
use super::ruling::Ruling;
use super::stage::{Played, Stage};
use crate::resource::Resource;

/// Plays it where others play, too.
pub(super) fn screen<F>(stage: &Stage, plan: &Plan, body: fn() -> F) -> Screened<F::Output>
where
    F: Future,
    F::Output: Ending,
{
    let before = stage.look();
    let played = stage.play(plan, body);
    if !is_judged(plan, &played) {
        return Screened { played, suspicion: None };
    }
    let left = stage.settle(plan, &before, plan.settle);
    let suspicion = left.is_more_than(plan.tolerances).then(|| Suspicion {
        seen: report::seen(&left),
        // A thread may be a pool's that is made once and stays.
        is_sure: left.tasks > plan.tolerances.tasks || left.blocking > plan.tolerances.threads,
    });
    Screened { played, suspicion }
}

/// Plays it alone, and rules.
pub(super) fn rule<F>(stage: &Stage, plan: &Plan, body: fn() -> F) -> (Played<F::Output>, Option<Ruling>)
where
    F: Future,
    F::Output: Ending,
{
    let (before, sites) = (stage.look(), Sites::of(stage.tenant));
    let played = stage.play(plan, body);
    if !is_judged(plan, &played) {
        return (played, None);
    }
    let left = stage.settle(plan, &before, plan.settle);
    if !left.is_more_than(plan.tolerances) {
        return (played, Some(Ruling::Clean));
    }
    let is_of_the_runtime = left.tasks > plan.tolerances.tasks || left.blocking > plan.tolerances.threads;
    let again = if is_of_the_runtime { Again::NotAsked } else { play_again(stage, plan, body) };
    let ruling = match again {
        Again::NothingMore => Ruling::Clean,
        other => leaks(stage, plan, &before, &sites, &left, &other),
    };
    (played, Some(ruling))
}

/// Whether a body's end leaves anything to judge.
fn is_judged<T: Ending>(plan: &Plan, played: &Played<T>) -> bool {
    match played {
        Played::Ended(ending) => !ending.failed() && !plan.should_panic,
        Played::Panicked(_) => plan.should_panic,
        Played::Hung => false,
    }
}

/// What further plays leave behind.
enum Again {
    /// Tasks say enough: they cannot be made on first use and shared with other tests.
    NotAsked,
    /// Nothing: what the first one left was made on first use.
    NothingMore,
    /// Each of them as much.
    More,
    /// The body fails when it is played a second time.
    Fails,
}

fn play_again<F>(stage: &Stage, plan: &Plan, body: fn() -> F) -> Again
where
    F: Future,
    F::Output: Ending,
{
    for _ in 0..FURTHER_PLAYS {
        let before = stage.look();
        let played = stage.play(plan, body);
        if !is_judged(plan, &played) {
            return Again::Fails;
        }
        if !stage.settle(plan, &before, plan.settle).is_more_than(plan.tolerances) {
            return Again::NothingMore;
        }
    }
    Again::More
}

fn leaks(stage: &Stage, plan: &Plan, before: &Look, sites: &Sites, left: &Left, again: &Again) -> Ruling {
    let grown = Sites::of(stage.tenant).since(sites);
    let rows = rows(plan, left);
    let mut findings = naming::of_tasks(&grown, stage.tenant);
    findings.extend(naming::of_threads(&grown, left));
    findings.extend(naming::of_fds(&stage.look(), before, &grown));
    let note = match again {
        Again::NotAsked | Again::NothingMore => None,
        Again::More => Some(format!("each of {} further plays, alone in a process, left as much behind", FURTHER_PLAYS)),
        Again::Fails => Some(
            "the test fails when it is played a second time in one process, so that what is made on first use could not be told from a leak"
                .to_owned(),
        ),
    };
    known::excuse(plan, Report { plays: None, rows, findings, notes: note.into_iter().collect() })
}

fn rows(plan: &Plan, left: &Left) -> Vec<Row> {
    let threads = left.all_threads();
    let fds = left.fds.len() as u64;
    let counts = [(Resource::Tasks, left.tasks), (Resource::Fds, fds), (Resource::Threads, threads)];
    let too_many = counts.into_iter().filter(|(resource, count)| *count > plan.tolerances.of(*resource));
    too_many
        .map(|(resource, count)| Row { resource, said: report::left_behind(resource, count, plan.settle) })
        .collect()
}

/// What is made on first use is not made three times more.
const FURTHER_PLAYS: u32 = 3;
