//! Controls of the harness itself: does the census see things come and go, was it taken at rest, did the clock move.

use std::time::Duration;

use tokio::time::Instant;
use watertight_probe::Canary;

use super::cycle::Stage;
use crate::census::Census;
use crate::resource::Resource;
use crate::timeline::{Audit, Ended};

/// What the harness has found out about itself in one run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Canaries that were held, and for each resource of [`HELD`] how many of them the census saw come and go.
    canaries: u64,
    seen: [u64; HELD.len()],
    /// Resources that are not measured: nobody is to see them.
    blind: [bool; HELD.len()],
    /// Counted cycles whose target came to rest.
    settled: u64,
    /// Those of them whose census was taken at rest.
    at_rest: u64,
    /// Faults that were at work when a cycle was counted.
    faults_at_work: u64,
    /// Scenario time of the counted cycles, and what they take at least.
    time: Duration,
    least: Duration,
}

/// What a canary holds, and how much of it.
const HELD: [(Resource, usize); 3] =
    [(Resource::Tasks, Canary::TASKS), (Resource::Fds, Canary::FDS), (Resource::Heap, Canary::BLOCKS)];

/// A live process is looked at so often, and the floor counts: other things come and go meanwhile.
const LOOKS: usize = 6;

/// Between two of them.
const LOOK_PERIOD: Duration = Duration::from_millis(5);

/// A live process may hide a canary by what it does itself; a stuck sampler sees none however often it is asked.
const TRIES: usize = 3;

/// Of ten cycles that came to rest so many must have been at rest when they were counted: a target may stir once.
const AT_REST_OF_TEN: u64 = 9;

/// One counted cycle, as far as its census goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub settled: bool,
    pub at_rest: bool,
    pub faults_at_work: usize,
    pub time: Duration,
    pub least: Duration,
}

impl Checks {
    /// Takes in a counted cycle.
    pub(super) fn note(&mut self, cycle: Counted) {
        self.settled += u64::from(cycle.settled);
        self.at_rest += u64::from(cycle.settled && cycle.at_rest);
        self.faults_at_work += cycle.faults_at_work as u64;
        self.time += cycle.time;
        self.least += cycle.least;
    }

    /// Has the target's side hold a canary for a moment and looks whether the census moves by it.
    pub(super) async fn show_canary<S: Stage>(&mut self, stage: &mut S) -> Result<(), Ended> {
        let mut seen = [false; HELD.len()];
        for _ in 0..if S::EXACT { 1 } else { TRIES } {
            let before = look(stage).await?;
            if !stage.hold_canary().await? {
                return Ok(());
            }
            let held = look(stage).await?;
            stage.release_canary().await?;
            let after = look(stage).await?;
            for (at, (resource, amount)) in HELD.into_iter().enumerate() {
                let count = |census: &Census| census.count(resource);
                self.blind[at] |= count(&before).is_none();
                seen[at] |= is_seen(count(&before), count(&held), count(&after), amount, S::EXACT);
            }
            if (0..HELD.len()).all(|at| seen[at] || self.blind[at]) {
                break;
            }
        }
        self.canaries += 1;
        self.seen.iter_mut().zip(seen).for_each(|(count, seen)| *count += u64::from(seen));
        Ok(())
    }

    /// What was found out, as controls of the run.
    pub(super) fn audits(&self) -> Vec<Audit> {
        let mut audits = Vec::new();
        for (at, (resource, _)) in HELD.into_iter().enumerate() {
            if self.canaries > 0 && !self.blind[at] {
                let what = format!("sampler: times held {} were seen to come and go", resource.name());
                audits.push(Audit { what, found: self.seen[at], at_least: self.canaries, at_most: None });
            }
        }
        let at_least = (self.settled * AT_REST_OF_TEN).div_ceil(10);
        let what = "census: cycles counted at rest".to_owned();
        audits.push(Audit { what, found: self.at_rest, at_least, at_most: None });
        let (what, found) = ("census: faults at work when counted".to_owned(), self.faults_at_work);
        audits.push(Audit { what, found, at_least: 0, at_most: Some(0) });
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (what, found) = ("clock: milliseconds passed".to_owned(), millis(self.time));
        audits.push(Audit { what, found, at_least: millis(self.least), at_most: None });
        audits
    }
}

/// What is there, whatever else comes and goes.
async fn look<S: Stage>(stage: &mut S) -> Result<Census, Ended> {
    let mut floor = stage.census().await?;
    for _ in 1..if S::EXACT { 1 } else { LOOKS } {
        stage.wait_until(Instant::now() + LOOK_PERIOD).await;
        floor.floor(&stage.census().await?);
    }
    Ok(floor)
}

/// Whether a count moved with what was held: up by all of it where counts are exact, since nothing else runs meanwhile; by
/// most of it where they are not, and down, since that takes the runtime a moment.
fn is_seen(before: Option<u64>, held: Option<u64>, after: Option<u64>, amount: usize, exact: bool) -> bool {
    let (Some(before), Some(held), Some(after)) = (before, held, after) else { return false };
    let most = amount as u64 / 2;
    let least = if exact { amount as u64 } else { most };
    held >= before + least && held >= after + most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_must_come_and_go() {
        let seen = |before, held, after| is_seen(Some(before), Some(held), Some(after), 64, true);
        assert!(seen(10, 74, 10));
        assert!(!seen(10, 10, 10), "a sampler that repeats itself");
        assert!(!seen(10, 74, 74), "one that got stuck meanwhile");
        assert!(!seen(10, 73, 10), "one that loses some");
        assert!(!is_seen(None, None, None, 64, true));
        assert!(is_seen(Some(10), Some(50), Some(12), 64, false), "other tasks ended meanwhile");
    }

    #[test]
    fn a_cycle_that_never_came_to_rest_is_not_held_against_the_harness() {
        let (least, time) = (Duration::from_secs(1), Duration::from_secs(2));
        let counted = |settled, at_rest| Counted { settled, at_rest, faults_at_work: 0, time, least };
        let holds = |cycles: &[Counted]| {
            let mut checks = Checks::default();
            cycles.iter().for_each(|cycle| checks.note(*cycle));
            checks.audits().iter().all(Audit::holds)
        };
        assert!(holds(&[counted(false, false), counted(true, true)]));
        assert!(!holds(&[counted(true, false), counted(true, true)]));
        assert!(!holds(&[Counted { faults_at_work: 1, ..counted(true, true) }]));
        assert!(!holds(&[Counted { time: Duration::ZERO, ..counted(true, true) }]));
    }
}
