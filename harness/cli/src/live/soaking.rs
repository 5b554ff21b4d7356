//! What a soak shows on a terminal: a page for each case.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use watertight::report::soak::Capture;
use watertight::report::{CaseReport, figures};
use watertight::resource::Resource;
use watertight::runner::soak::{Listener, SoFar};
use watertight::runner::{Job, PhaseBegun, Stop};
use watertight::timeline::CycleRecord;
use watertight::verdict::{Evidence, Outcome};

use super::state::{Phase, Row, State, Tone};
use super::{Live, lock};
use crate::soak_progress::CONTROLLED;

/// A simulated cycle takes milliseconds: words are put together no more often than they are read.
const WORDS_PERIOD: Duration = Duration::from_millis(250);

/// The children may finish their cycle, and name what is held.
const FAREWELL: &str = "ending in order; Ctrl-C ends at once";

/// Shows how soaks go on.
#[derive(Debug)]
pub struct Soaking {
    live: Live,
    /// By job.
    heard: Mutex<Vec<Heard>>,
}

/// What the words are put together from.
#[derive(Debug, Clone, Default)]
struct Heard {
    evidence: Option<Evidence>,
    /// When that was done last.
    worded: Option<Instant>,
}

impl Soaking {
    /// Takes the terminal, to show these jobs.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn show(jobs: &[Job], stop: &Stop) -> std::io::Result<Self> {
        let caution = "figures at rest; the verdict follows";
        let page = |job: &Job| State::of("soak", job.short_name(), caution);
        let live = Live::show(jobs.iter().map(page).collect(), stop, FAREWELL)?;
        Ok(Self { live, heard: Mutex::new(vec![Heard::default(); jobs.len()]) })
    }

    fn heard<T>(&self, job: usize, change: impl FnOnce(&mut Heard) -> T) -> Option<T> {
        lock(&self.heard).get_mut(job).map(change)
    }
}

impl Listener for Soaking {
    fn began(&self, job: usize, so_far: &SoFar) {
        self.live.change(job, |state| {
            state.lasts = Some(so_far.asked);
            state.elapsed = so_far.lasted;
            state.rows.clear();
            state.note(format!("run {}, segment {}", so_far.run, so_far.segment + 1));
        });
    }

    fn phase(&self, job: usize, phase: &PhaseBegun) {
        let now = Phase { name: phase.name.clone(), faults: phase.faults.clone() };
        self.live.change(job, |state| state.phase = Some(now));
    }

    fn cycle(&self, job: usize, record: &CycleRecord, so_far: &SoFar) {
        let due = self.heard(job, |heard| {
            let is_due = heard.worded.is_none_or(|worded| worded.elapsed() >= WORDS_PERIOD);
            if is_due {
                heard.worded = Some(Instant::now());
            }
            is_due.then(|| heard.evidence.clone())
        });
        self.live.change(job, |state| {
            (state.elapsed, state.progress) = (so_far.lasted, progress(so_far));
            for resource in Resource::ALL {
                record.census.count(resource).into_iter().for_each(|figure| state.row(resource).note(figure));
            }
            if let Some(evidence) = due.flatten() {
                state.rows.iter_mut().for_each(|row| word(row, evidence.as_ref(), so_far));
            }
        });
    }

    fn judged(&self, job: usize, evidence: Option<&Evidence>) {
        self.heard(job, |heard| *heard = Heard { evidence: evidence.cloned(), worded: None });
    }

    fn captured(&self, job: usize, capture: &Capture) {
        self.live.change(job, |state| state.note(capture.line()));
    }

    fn controlled(&self, job: usize) {
        self.live.change(job, |state| {
            state.phase = None;
            state.note(CONTROLLED.to_owned());
        });
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.live.change(job, |state| {
            state.phase = None;
            state.note(format!("{}: {}", figures::outcome(report.outcome), report.headline));
            for row in &report.resources {
                let (word, tone) = (figures::outcome(row.outcome).to_owned(), tone(row.outcome));
                let shown = state.row(row.resource);
                (shown.word, shown.tone) = (word, tone);
            }
        });
    }
}

fn progress(so_far: &SoFar) -> String {
    let cycles = figures::grouped(so_far.cycles as u64);
    let segment = match so_far.segment {
        0 => String::new(),
        segment => format!(", segment {}", segment + 1),
    };
    format!("{cycles} cycles{segment}")
}

fn word(row: &mut Row, evidence: Option<&Evidence>, so_far: &SoFar) {
    row.floor = row.curve.floor();
    let growth = row.curve.growth_per_look();
    row.growth = match row.resource {
        _ if growth.abs() < 5e-5 => String::new(),
        Resource::Rss => format!("{}/cycle", figures::signed_bytes(growth)),
        _ => format!("{}/cycle", figures::signed(growth)),
    };
    (row.word, row.tone) = match evidence.filter(|found| found.resource == row.resource) {
        Some(found) => (format!("{}: {}", figures::outcome(found.outcome), found.why), tone(found.outcome)),
        None if so_far.cycles <= so_far.warm_up => ("warming up".to_owned(), Tone::Quiet),
        // It never decides, so nothing is to be said of it before the end.
        None if row.resource == Resource::Rss => (row.curve.trend().word().to_owned(), Tone::Quiet),
        None => ("nothing grows so far".to_owned(), Tone::Good),
    };
}

const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Clean | Outcome::Retained => Tone::Good,
        Outcome::Leak | Outcome::OverBudget => Tone::Bad,
        Outcome::Saturating | Outcome::Suspect | Outcome::Inconclusive | Outcome::Invalid => Tone::Wary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SO_FAR: SoFar = SoFar {
        run: 1,
        segment: 0,
        cycles: 50,
        warm_up: 5,
        lasted: Duration::from_secs(50),
        asked: Duration::from_secs(100),
    };

    fn worded(evidence: Option<&Evidence>, so_far: &SoFar) -> Row {
        let mut row = Row::of(Resource::Tasks);
        (0..50).for_each(|cycle| row.note(4 + cycle));
        word(&mut row, evidence, so_far);
        row
    }

    #[test]
    fn a_row_says_what_the_judge_has_said_of_its_resource() {
        let found = Evidence { resource: Resource::Tasks, outcome: Outcome::Leak, why: "rises".to_owned() };
        let row = worded(Some(&found), &SO_FAR);
        assert_eq!(
            (row.word.as_str(), row.tone, row.growth.as_str()),
            ("leak: rises", Tone::Bad, "+1.00/cycle")
        );
        let other = Evidence { resource: Resource::Fds, ..found };
        assert_eq!(worded(Some(&other), &SO_FAR).tone, Tone::Good);
    }

    #[test]
    fn nothing_is_said_of_warm_up() {
        assert_eq!(worded(None, &SoFar { cycles: 3, ..SO_FAR }).word, "warming up");
    }
}
