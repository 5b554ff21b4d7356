//! Writes what a run said to files. The verdicts are on the screen by then, so a full disk costs the files only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::report::seeds::SeedsReport;
use crate::report::terminal::Look;
use crate::report::{CaseReport, RunReport, html, json, junit, markdown, sarif, terminal};
use crate::runner::select::{file_stem, reported_name};

/// A form in which a whole report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Everything, for programs: `watertight schema --report` prints its schema.
    Json,
    /// A page that needs nothing else.
    Html,
    /// For comments and bug reports.
    Markdown,
    /// For code scanning.
    Sarif,
    /// For pipelines that show tests.
    Junit,
    /// As on the screen, without colour and without an end to its lines.
    Text,
}

impl Format {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 6] = [Self::Json, Self::Html, Self::Markdown, Self::Sarif, Self::Junit, Self::Text];

    /// The file's name in a folder of reports.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Json => "report.json",
            Self::Html => "report.html",
            Self::Markdown => "report.md",
            Self::Sarif => "report.sarif",
            Self::Junit => "junit.xml",
            Self::Text => "report.txt",
        }
    }

    /// `report` in this form.
    fn of(self, report: &RunReport) -> io::Result<String> {
        Ok(match self {
            Self::Json => json::pretty(report)?,
            Self::Html => html::text(report),
            Self::Markdown => markdown::text(report),
            Self::Sarif => sarif::text(report)?,
            Self::Junit => junit::xml(report).map_err(io::Error::other)?,
            Self::Text => terminal::text(report, Look::plain(TEXT_WIDTH)),
        })
    }
}

/// Where a report goes beside the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Single files; `-` is standard output.
    pub files: Vec<(Format, PathBuf)>,
    /// A folder for a file of every format and a timeline a case.
    pub folder: Option<PathBuf>,
    /// A file that the Markdown is added to: the summary of a job.
    pub summary: Option<PathBuf>,
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
    /// Whether a file takes standard output, so that nothing else may be printed there.
    pub fn takes_stdout(&self) -> bool {
        self.files.iter().any(|(_, path)| is_stdout(path))
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
        let single = self.files.iter().cloned();
        let folder = self.folder.iter();
        let in_folder = folder
            .clone()
            .flat_map(|folder| Format::ALL.map(|format| (format, folder.join(format.file_name()))));
        let files = single.chain(in_folder).map(|(format, path)| at(&path, write_one(format, &path, report)));
        let summary = self.summary.iter().map(|path| at(path, append(path, &markdown::text(report))));
        let timelines =
            folder.flat_map(|folder| report.cases.iter().map(|case| write_timeline(folder, case)));
        files.chain(summary).chain(timelines).filter_map(Result::err).collect()
    }

    /// Writes what many seeds say, where JSON is wanted.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_seeds(&self, report: &SeedsReport) -> Result<(), WriteError> {
        let json = self.files.iter().filter(|(format, _)| *format == Format::Json);
        for (_, path) in json {
            let text = at(path, serde_json::to_string_pretty(report).map_err(io::Error::from))?;
            at(path, put(path, &(text + "\n")))?;
        }
        Ok(())
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write_one(format: Format, path: &Path, report: &RunReport) -> io::Result<()> {
    put(path, &format.of(report)?)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if is_stdout(path) {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        return out.flush();
    }
    fs::write(path, text)
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
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
