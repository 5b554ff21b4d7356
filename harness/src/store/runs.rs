//! Runs: what was played, of which commit, where, when, how it was asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::cycles::{from_micros, micros};
use super::{Store, StoreError, from_json, now};
use crate::report::CaseReport;
use crate::seed::Seed;

/// How a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// For a time.
    Soak,
    /// For a number of cycles.
    Run,
}

impl RunKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Soak => "soak",
            Self::Run => "run",
        }
    }
}

/// A run that is about to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// How it was asked for.
    pub kind: RunKind,
    /// The scenario's name.
    pub scenario: String,
    /// The matrix case; empty without a matrix.
    pub case: String,
    /// The engine's name.
    pub engine: String,
    /// The scenario's file, as the user named it.
    pub file: PathBuf,
    /// The seed.
    pub seed: Seed,
    /// The target and its defect.
    pub target: String,
    /// The commit that was built, where that is known.
    pub commit: Option<String>,
    /// The machine and the build: names and values.
    pub environment: BTreeMap<String, String>,
    /// What else was asked for, as JSON: two runs are alike where this is equal.
    pub options: serde_json::Value,
    /// For how long, for a soak.
    pub asked: Option<Duration>,
}

/// A run that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number in the store.
    pub id: i64,
    /// What it is.
    pub what: NewRun,
    /// When it began, in RFC 3339.
    pub began: String,
    /// When it ended; `None`: it goes on, or was cut off.
    pub ended: Option<String>,
}

/// Which Linux it is. Source: proc_sys_kernel(5).
fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// The machine and the build.
pub fn environment() -> BTreeMap<String, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    [
        ("watertight", env!("CARGO_PKG_VERSION").to_owned()),
        ("os", std::env::consts::OS.to_owned()),
        ("kernel", kernel()),
        ("machine", std::env::consts::ARCH.to_owned()),
        ("cores", cores.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

impl NewRun {
    /// An ordinary run that was reported.
    pub fn of(report: &CaseReport, commit: Option<String>) -> Self {
        Self {
            kind: RunKind::Run,
            scenario: report.scenario.clone(),
            case: report.case.clone(),
            engine: report.engine.name().to_owned(),
            file: report.file.clone(),
            seed: report.seed,
            target: report.target.clone(),
            commit,
            environment: environment(),
            options: serde_json::Value::Null,
            asked: None,
        }
    }
}

const COLUMNS: &str = "id, kind, scenario, case_name, engine, file, seed, target, commit_id, environment, options, \
                       asked_us, began, ended";

impl Store {
    /// Keeps a new run; its number.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn begin_run(&self, run: &NewRun) -> Result<i64, StoreError> {
        let (environment, options) = (self.json(&run.environment)?, self.json(&run.options)?);
        let file = run.file.to_string_lossy();
        let (kind, asked) = (run.kind.name(), run.asked.map(micros));
        self.execute(
            "INSERT INTO runs (kind, scenario, case_name, engine, file, seed, target, commit_id, environment, options, \
             asked_us, began) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                kind, run.scenario, run.case, run.engine, file, run.seed.to_string(), run.target, run.commit,
                environment, options, asked, now()
            ],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Notes that a run has ended.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn end_run(&self, run: i64) -> Result<(), StoreError> {
        self.execute("UPDATE runs SET ended = ?2 WHERE id = ?1", params![run, now()]).map(drop)
    }

    /// Every run, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM runs ORDER BY id"), (), read)
    }

    /// The latest soak of one case in one engine; `None`: there was none.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn latest_soak(&self, file: &str, case: &str, engine: &str) -> Result<Option<Run>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE kind = 'soak' AND file = ?1 AND case_name = ?2 AND engine = ?3 \
             ORDER BY id DESC LIMIT 1"
        );
        let found = self.db.query_row(&sql, params![file, case, engine], read).optional();
        found.map_err(|error| self.error(error))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let kind: String = row.get(1)?;
    Ok(Run {
        id: row.get(0)?,
        what: NewRun {
            kind: if kind == RunKind::Soak.name() { RunKind::Soak } else { RunKind::Run },
            scenario: row.get(2)?,
            case: row.get(3)?,
            engine: row.get(4)?,
            file: row.get::<_, String>(5)?.into(),
            seed: Seed(row.get::<_, String>(6)?.parse().unwrap_or_default()),
            target: row.get(7)?,
            commit: row.get(8)?,
            environment: from_json(row, 9)?.unwrap_or_default(),
            options: from_json(row, 10)?.unwrap_or_default(),
            asked: row.get::<_, Option<i64>>(11)?.map(from_micros),
        },
        began: row.get(12)?,
        ended: row.get(13)?,
    })
}
