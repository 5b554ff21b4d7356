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
    let (played, first) = Trace::of_play(stage, plan, body);
    let ruling = first.map(|first| match &first.left {
        left if !left.is_more_than(plan.tolerances) => Ruling::Clean,
        // They cannot be made on first use and shared with other tests.
        left if left.tasks > plan.tolerances.tasks || left.blocking > plan.tolerances.threads => {
            first.leaks(stage, plan, None)
        }
        _ => play_again(stage, plan, body, first),
    });
    (played, ruling)
}

/// Whether a body's end leaves anything to judge.
fn is_judged<T: Ending>(plan: &Plan, played: &Played<T>) -> bool {
    match played {
        Played::Ended(ending) => !ending.failed() && !plan.should_panic,
        Played::Panicked(_) => plan.should_panic,
        Played::Hung => false,
    }
}

/// One play alone, and what it left behind.
struct Trace {
    before: Look,
    sites_before: Sites,
    left: Left,
    after: Look,
    sites_after: Sites,
}

impl Trace {
    /// Plays `body`; no trace where its end leaves nothing to judge.
    fn of_play<F>(stage: &Stage, plan: &Plan, body: fn() -> F) -> (Played<F::Output>, Option<Self>)
    where
        F: Future,
        F::Output: Ending,
    {
        let (before, sites_before) = (stage.look(), Sites::of(stage.tenant));
        let played = stage.play(plan, body);
        if !is_judged(plan, &played) {
            return (played, None);
        }
        let left = stage.settle(plan, &before, plan.settle);
        let (after, sites_after) = (stage.look(), Sites::of(stage.tenant));
        (played, Some(Self { before, sites_before, left, after, sites_after }))
    }

    fn leaks(&self, stage: &Stage, plan: &Plan, note: Option<String>) -> Ruling {
        let grown = self.sites_after.since(&self.sites_before);
        let rows = rows(plan, &self.left);
        let mut findings = naming::of_tasks(&grown, stage.tenant);
        findings.extend(naming::of_threads(&grown, &self.left));
        findings.extend(naming::of_fds(&self.after, &self.before, &grown));
        known::excuse(plan, Report { plays: None, rows, findings, notes: note.into_iter().collect() })
    }
}

/// Rules by what further plays leave behind. What the last one did is told: the first may have made things on first use as well.
fn play_again<F>(stage: &Stage, plan: &Plan, body: fn() -> F, first: Trace) -> Ruling
where
    F: Future,
    F::Output: Ending,
{
    let mut last = first;
    for _ in 0..FURTHER_PLAYS {
        match Trace::of_play(stage, plan, body).1 {
            None => return last.leaks(stage, plan, Some(FAILS_AGAIN.to_owned())),
            Some(next) if !next.left.is_more_than(plan.tolerances) => return Ruling::Clean,
            Some(next) => last = next,
        }
    }
    let note = format!("each of {FURTHER_PLAYS} further plays, alone in a process, left as much behind");
    last.leaks(stage, plan, Some(note))
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
const FAILS_AGAIN: &str = "the test fails when it is played a second time in one process, so that what is made on first use could not be told from a leak";
