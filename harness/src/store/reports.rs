//! Finished reports, for what is asked over many runs: how figures at rest and sensitivities went from commit to commit.

use rusqlite::params;

use super::runs::Run;
use super::{Store, StoreError, from_json, now};
use crate::report::CaseReport;
use crate::verdict::Resting;

/// A report, its run, and what the case held.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReport {
    /// What was played, when, of which commit.
    pub run: Run,
    /// When it was reported, in RFC 3339.
    pub at: String,
    /// What it held at rest, and at most.
    pub resting: Resting,
    /// The report; its timeline without cycles: those of a soak are in the store, those of other runs in their files.
    pub report: CaseReport,
}

impl Store {
    /// Keeps the report of a run, in the place of one that it had.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn set_report(&self, run: i64, report: &CaseReport) -> Result<(), StoreError> {
        let resting = self.json(&Resting::of(&report.timeline))?;
        let mut kept = report.clone();
        kept.timeline.cycles = Vec::new();
        let values = params![run, now(), resting, self.json(&kept)?];
        self.execute(
            "INSERT OR REPLACE INTO reports (run, at, resting, report) VALUES (?1, ?2, ?3, ?4)",
            values,
        )
        .map(drop)
    }

    /// Every report, oldest run first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn reports(&self) -> Result<Vec<StoredReport>, StoreError> {
        let runs = self.runs()?;
        let sql = "SELECT run, at, resting, report FROM reports ORDER BY run";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, from_json(row, 2)?, from_json(row, 3)?))
        };
        let with_run = |(id, at, resting, report): (i64, String, Option<Resting>, Option<CaseReport>)| {
            let run = runs.iter().find(|run| run.id == id)?.clone();
            Some(StoredReport { run, at, resting: resting?, report: report? })
        };
        Ok(self.rows(sql, (), read)?.into_iter().filter_map(with_run).collect())
    }
}
