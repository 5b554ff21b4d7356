//! The text of many runs a case, one for each seed: a row a case, and each seed that did not end well.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::terminal::{self, Look};
use super::{CaseReport, figures};
use crate::exit::Exit;
use crate::seconds;
use crate::seed::Seed;
use crate::verdict::Outcome;

/// What all seeds say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedsReport {
    /// One a case.
    pub rows: Vec<SeedsRow>,
    /// The worst exit of all runs.
    pub exit: Exit,
    /// Wall-clock time of everything.
    #[serde(rename = "wall_time_seconds", with = "seconds")]
    pub wall_time: Duration,
}

/// What the seeds of one case say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedsRow {
    /// `engine::scenario::case`.
    pub name: String,
    /// Seeds that were to be played.
    pub seeds: u64,
    /// Those that were.
    pub played: u64,
    /// Those that ended clean.
    pub clean: u64,
    /// Those that ended otherwise, as their scenario expects.
    pub as_expected: u64,
    /// The worst exit.
    pub exit: Exit,
    /// Wall-clock time of its runs together.
    #[serde(rename = "wall_time_seconds", with = "seconds")]
    pub wall_time: Duration,
    /// Seeds that did not end well; of thousands the first ones.
    pub failed: Vec<FailedSeed>,
    /// The whole report of the first of them, without its measurements.
    pub first: Option<Box<CaseReport>>,
}

/// A seed that did not end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSeed {
    /// The seed.
    pub seed: Seed,
    /// How it ended.
    pub outcome: Outcome,
    /// That in one sentence.
    pub headline: String,
    /// The command that repeats it.
    pub replay: String,
}

/// Failed seeds that are kept a case: who has more has one cause, most likely.
const FAILED_MAX: usize = 50;

impl SeedsRow {
    /// Nothing was played yet.
    pub fn of(name: &str, seeds: u64) -> Self {
        Self {
            name: name.to_owned(),
            seeds,
            played: 0,
            clean: 0,
            as_expected: 0,
            exit: Exit::Clean,
            wall_time: Duration::ZERO,
            failed: Vec::new(),
            first: None,
        }
    }

    /// Takes in one run. Its measurements are dropped: of a thousand runs nobody has room for them.
    pub fn add(&mut self, mut report: CaseReport) {
        self.played += 1;
        self.wall_time += report.wall_time;
        self.exit = self.exit.worse(report.exit);
        match report.exit {
            Exit::Clean if report.outcome == Outcome::Clean => self.clean += 1,
            Exit::Clean => self.as_expected += 1,
            _ => {
                if self.failed.len() < FAILED_MAX {
                    self.failed.push(FailedSeed {
                        seed: report.seed,
                        outcome: report.outcome,
                        headline: report.headline.clone(),
                        replay: report.replay.clone(),
                    });
                }
                report.timeline.cycles = Vec::new();
                self.first.get_or_insert_with(|| Box::new(report));
            }
        }
    }

    /// What the seeds say, in words.
    fn said(&self) -> String {
        let failed = self.played - self.clean - self.as_expected;
        let played = match self.played == self.seeds {
            true => format!("{} seeds", figures::grouped(self.seeds)),
            false => format!("{} of {} seeds", figures::grouped(self.played), figures::grouped(self.seeds)),
        };
        match (self.played, failed, self.as_expected) {
            (0, ..) => "not played".to_owned(),
            (_, 0, 0) => format!("{played}: all clean"),
            (_, 0, _) => format!("{played}: all as expected"),
            (_, failed, _) => format!("{played}: {} failed", figures::grouped(failed)),
        }
    }
}

/// The text of a whole run: the first failure of each case, every failed seed, the table, one line that sums up.
pub fn text(report: &SeedsReport, look: Look) -> String {
    let mut out = String::new();
    for row in &report.rows {
        if let Some(first) = &row.first {
            let _ = writeln!(out, "{}", terminal::block(first, look));
        }
        for failed in &row.failed {
            let outcome = figures::outcome(failed.outcome);
            let _ = writeln!(out, "{} seed {}: {outcome}: {}", row.name, failed.seed, failed.headline);
            let _ = writeln!(out, "  replay: {}", failed.replay);
        }
    }
    let mut rows = vec![["case", "seeds", "time"].map(str::to_owned).to_vec()];
    rows.extend(
        report.rows.iter().map(|row| vec![row.name.clone(), row.said(), figures::time(row.wall_time)]),
    );
    out += &terminal::lay_out(&rows, &[], look, |row, column| match (row, column) {
        (0, _) => terminal::faint(),
        (row, 1) => terminal::style(report.rows[row - 1].exit),
        _ => anstyle::Style::new(),
    });
    let (played, failed) = report.rows.iter().fold((0, 0), |(played, failed), row| {
        (played + row.played, failed + row.played - row.clean - row.as_expected)
    });
    let (played, failed) = (figures::grouped(played), figures::grouped(failed));
    let time = figures::time(report.wall_time);
    let _ = writeln!(out, "\n{played} runs, {failed} failed in {time} (exit {})", report.exit as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn failing_seeds_are_listed_and_clean_ones_are_counted() {
        let mut rows = [SeedsRow::of("sim::flapping-network", 3), SeedsRow::of("sim::other", 1_000)];
        for _ in 0..2 {
            rows[0].add(fixtures::clean("flapping-network"));
        }
        rows[0].add(fixtures::task_leak());
        for _ in 0..1_000 {
            rows[1].add(fixtures::clean("other"));
        }
        let exit = rows[0].exit;
        let report = SeedsReport { rows: rows.to_vec(), exit, wall_time: Duration::from_secs(7) };
        let text = text(&report, Look::plain(110));
        assert!(text.contains("sim::other             1,000 seeds: all clean"), "{text}");
        assert!(text.contains("sim::flapping-network  3 seeds: 1 failed"), "{text}");
        assert_eq!(text.matches("watertight run ").count(), 2, "{text}");
        assert!(text.ends_with("1,003 runs, 1 failed in 7 s (exit 1)\n"), "{text}");
        assert!(report.rows[0].first.as_ref().is_some_and(|first| first.timeline.cycles.is_empty()));
    }
}
