//! Writes what a run said to files. The verdicts are on the screen by then, so a full disk costs the files only.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::report::seeds::SeedsReport;
use crate::report::terminal::Look;
use crate::report::{CaseReport, RunReport, json, junit, terminal};
use crate::runner::select::{file_stem, reported_name};

/// Where a report goes beside the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The whole report as JSON; `-` is standard output.
    pub json: Option<PathBuf>,
    /// A folder for `report.json`, `junit.xml`, `report.txt` and a timeline a case.
    pub folder: Option<PathBuf>,
}

/// Columns of `report.txt`.
const TEXT_WIDTH: usize = usize::MAX;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; the verdicts above stand, but this file is missing or cut short", path = path.display())]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    source: io::Error,
}

impl WriteError {
    pub(super) fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

impl Outputs {
    /// Whether the JSON takes standard output, so that nothing else may be printed there.
    pub fn takes_stdout(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Makes the folder, so that a path that cannot be written is known before hours are spent.
    pub fn prepare(&self) -> Result<(), WriteError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        at(folder, fs::create_dir_all(folder))
    }

    /// Writes every file that can be written; the errors of the others.
    pub fn write(&self, report: &RunReport) -> Vec<WriteError> {
        let mut errors = Vec::new();
        let mut note = |written: Result<(), WriteError>| errors.extend(written.err());
        if let Some(path) = &self.json {
            note(write_json(path, report));
        }
        if let Some(folder) = &self.folder {
            note(write_json(&folder.join("report.json"), report));
            note(write_text(&folder.join("junit.xml"), || junit::xml(report).map_err(io::Error::other)));
            note(write_text(&folder.join("report.txt"), || {
                Ok(terminal::text(report, Look::plain(TEXT_WIDTH)))
            }));
            for case in &report.cases {
                note(write_timeline(folder, case));
            }
        }
        errors
    }
}

impl Outputs {
    /// Writes what many seeds say, where JSON is wanted.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_seeds(&self, report: &SeedsReport) -> Result<(), WriteError> {
        let Some(path) = &self.json else { return Ok(()) };
        let mut text = at(path, serde_json::to_string_pretty(report).map_err(io::Error::from))?;
        text.push('\n');
        match self.takes_stdout() {
            true => at(path, io::stdout().lock().write_all(text.as_bytes())),
            false => at(path, fs::write(path, text)),
        }
    }
}

fn write_text(path: &Path, text: impl FnOnce() -> io::Result<String>) -> Result<(), WriteError> {
    at(path, text().and_then(|text| fs::write(path, text)))
}

fn write_json(path: &Path, report: &RunReport) -> Result<(), WriteError> {
    if path == Path::new("-") {
        return at(path, pretty(io::stdout().lock(), report));
    }
    at(path, File::create(path).and_then(|file| pretty(file, report)))
}

fn pretty(mut to: impl Write, report: &RunReport) -> io::Result<()> {
    to.write_all(json::pretty(report)?.as_bytes())?;
    to.flush()
}

/// One line a cycle: what plots and diffs are made from.
fn write_timeline(folder: &Path, case: &CaseReport) -> Result<(), WriteError> {
    let path = folder.join(format!("timeline-{}.ndjson", file_stem(&reported_name(case))));
    at(&path, File::create(&path).and_then(|file| lines(file, case)))
}

fn lines(to: impl Write, case: &CaseReport) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    for cycle in &case.timeline.cycles {
        serde_json::to_writer(&mut to, cycle)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, WriteError> {
    result.map_err(|source| WriteError { path: path.to_owned(), source })
}
