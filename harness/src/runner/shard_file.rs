//! What one of several machines leaves behind: NDJSON, one line a case, written as cases end.
//!
//! The first line says what the whole run is, the last one that the machine came to its end. A file that was cut short
//! at any byte still has every case that had ended.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::CaseReport;
use crate::runner::{Job, Options, Shard};
use crate::scenario::Ignore;
use crate::scenario::model::EngineKind;

/// The longest line that is read: of the longest scenario there can be, every cycle.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// The shape of the file; another number is another shape.
pub const VERSION: u32 = 1;

/// The first line: what all shards of one run have in common, and which of them this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The shape of the file: 1.
    pub version: u32,
    /// Which of how many.
    pub shard: Shard,
    /// What all of them have in common.
    pub whole: Whole,
}

/// The run that is shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// The commit that is played, where it is known.
    pub commit: Option<String>,
    /// The options that change what is measured or how it is judged, as on the command line.
    pub options: Vec<String>,
    /// Every job of the whole run, in its order.
    pub jobs: Vec<Planned>,
    /// Each job is played with every seed from 1 to this one; `None`: with one seed.
    pub seeds: Option<u64>,
    /// The file of leaks that the whole run puts up with, and what it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<(PathBuf, Vec<Ignore>)>,
}

impl Whole {
    /// What all shards of a run say of it.
    pub fn of(jobs: &[Job], options: &Options, seeds: Option<u64>, commit: Option<String>) -> Self {
        let ignore = options.ignore.as_ref().map(|(path, file)| (path.clone(), file.ignore.clone()));
        let jobs = jobs.iter().map(Planned::of).collect();
        Self { commit, options: options.words(), jobs, seeds, ignore }
    }
}

/// One case in one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The engine.
    pub engine: EngineKind,
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The matrix case; empty without a matrix.
    pub case: String,
    /// `engine::folder::scenario::case`, as problems name it.
    pub name: String,
}

impl Planned {
    fn of(job: &Job) -> Self {
        let (file, case) = (job.case.file.clone(), job.case.case.clone());
        Self { engine: job.engine, file, case, name: job.name() }
    }
}

/// The last line: the shard came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Wall-clock time of the shard.
    #[serde(rename = "wall_time_seconds", with = "crate::seconds")]
    pub wall_time: Duration,
    /// Whether it was stopped before all was played.
    pub interrupted: bool,
}

/// A line that is no case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The first.
    Begin(Begin),
    /// The last.
    End(End),
}

impl Mark {
    /// The line, newline included.
    pub fn line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|text| text + "\n")
    }
}

/// What was read from one file.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its first line.
    pub begin: Begin,
    /// Its cases, in the order in which they ended.
    pub cases: Vec<CaseReport>,
    /// Its last line, if it has one.
    pub end: Option<End>,
    /// Lines that are broken, each in words that begin with its place.
    pub broken: Vec<String>,
}

/// Why a file is none of a shard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Its first line does not say what it is.
    #[error("{path}:1: expected what `watertight run --ndjson` writes first, found {found}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
    /// Another version of this program wrote it.
    #[error(
        "{path}:1: expected version {VERSION} of the file, found {found}: merge with the watertight that played it",
        path = path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl ShardFile {
    /// Reads a file line by line; `None`: it is empty, so its shard ended before it began.
    ///
    /// # Errors
    /// One that cannot be read or is no shard's. Broken lines are told in [`ShardFile::broken`], and the others stand.
    pub fn read(path: PathBuf, from: impl BufRead) -> Result<Option<Self>, ShardFileError> {
        let mut lines = Lines { from, number: 0 };
        let first = match lines.next() {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(None),
            Err(source) => return Err(ShardFileError::Read { path, source }),
        };
        let begin = match first.begin() {
            Ok(begin) if begin.version == VERSION => begin,
            Ok(Begin { version: found, .. }) => return Err(ShardFileError::Version { path, found }),
            Err(_) if !first.is_whole => return Ok(None),
            Err(found) => return Err(ShardFileError::Foreign { path, found }),
        };
        let mut file = Self { path, begin, cases: Vec::new(), end: None, broken: Vec::new() };
        loop {
            match lines.next() {
                Ok(Some(line)) => file.take(&line),
                Ok(None) => return Ok(Some(file)),
                Err(source) => return Err(ShardFileError::Read { path: file.path, source }),
            }
        }
    }

    fn take(&mut self, line: &Line) {
        if line.text.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if let Ok(Mark::End(end)) = serde_json::from_slice(&line.text) {
            self.end = Some(end);
            return;
        }
        match serde_json::from_slice(&line.text) {
            Ok(case) => self.cases.push(case),
            Err(error) => {
                let place = format!("{}:{}", self.path.display(), line.number);
                let why = match line.is_whole {
                    true => format!("not a case report: {error}"),
                    false => {
                        "ends in the middle of a case: the shard was cut short while it wrote".to_owned()
                    }
                };
                self.broken.push(format!("{place}: {why}"));
            }
        }
    }
}

/// One line, without its newline.
struct Line {
    number: usize,
    text: Vec<u8>,
    /// Whether it ended with a newline.
    is_whole: bool,
}

impl Line {
    /// What the first line says; the error is what stands there instead.
    fn begin(&self) -> Result<Begin, String> {
        match serde_json::from_slice(&self.text) {
            Ok(Mark::Begin(begin)) => Ok(begin),
            Ok(Mark::End(_)) => Err("a shard's last line".to_owned()),
            Err(error) => {
                let beginning: String =
                    String::from_utf8_lossy(&self.text).chars().take(BEGINNING_CHARS).collect();
                Err(format!("`{beginning}` ({error})"))
            }
        }
    }
}

/// How much of a line that is none of ours is shown.
const BEGINNING_CHARS: usize = 60;

struct Lines<R> {
    from: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let is_whole = text.ends_with(b"\n");
        Ok(Some(Line { number: self.number, text, is_whole }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::{fixtures, json};

    pub fn planned(report: &CaseReport) -> Planned {
        Planned {
            engine: report.engine,
            file: report.file.clone(),
            case: report.case.clone(),
            name: report.test_name(),
        }
    }

    pub fn begin(shard: &str, jobs: &[CaseReport], seeds: Option<u64>) -> Begin {
        let jobs = jobs.iter().map(planned).collect();
        let whole = Whole { commit: Some("1234abc".to_owned()), options: vec![], jobs, seeds, ignore: None };
        Begin { version: VERSION, shard: shard.parse().expect("a shard"), whole }
    }

    pub fn end() -> End {
        End { wall_time: Duration::from_secs(3), interrupted: false }
    }

    fn text() -> String {
        let cases = [fixtures::clean("flapping-network"), fixtures::heap_leak()];
        let lines = cases.iter().map(|case| json::line(case).expect("a case is JSON"));
        let begin = Mark::Begin(begin("2/4", &cases, None)).line().expect("JSON");
        let end = Mark::End(end()).line().expect("JSON");
        [begin, lines.collect(), end].concat()
    }

    fn read(text: &[u8]) -> Result<Option<ShardFile>, ShardFileError> {
        ShardFile::read("a.ndjson".into(), text)
    }

    #[test]
    fn a_shard_is_read_back_as_it_was_written() {
        let file = read(text().as_bytes()).expect("it is one").expect("it has lines");
        assert_eq!(file.begin.shard.to_string(), "2/4");
        assert_eq!(file.cases, [fixtures::clean("flapping-network"), fixtures::heap_leak()]);
        assert_eq!((file.end, file.broken), (Some(end()), vec![]));
    }

    #[test]
    fn a_file_cut_at_any_byte_keeps_the_cases_before_the_cut() {
        let text = text();
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        // Every byte of the marks and of the lines' ends; inside a case a few thousand bytes are all alike.
        let cuts =
            (0..text.len()).filter(|cut| ends.iter().any(|end| cut.abs_diff(*end) < 40) || cut % 97 == 0);
        for cut in cuts {
            let read = read(&text.as_bytes()[..cut]).expect("a cut is no error");
            let Some(file) = read else {
                assert!(cut < ends[0], "cut at {cut}");
                continue;
            };
            // A line that lacks its newline alone is whole.
            assert_eq!(
                file.cases.len(),
                ends[1..3].iter().filter(|end| **end <= cut).count(),
                "cut at {cut}"
            );
            let is_at_an_end = ends.iter().any(|end| cut == *end || cut == *end + 1);
            assert_eq!(file.broken.is_empty(), is_at_an_end, "cut at {cut}: {:?}", file.broken);
            assert_eq!(file.end.is_some(), cut >= ends[3], "cut at {cut}");
        }
    }

    #[test]
    fn broken_lines_are_named_and_the_others_stand() {
        let text = text().replacen("\n{\"scenario\":\"flap", "\n\n{\"scenaro\":\"flap", 1);
        let file = read(text.as_bytes()).expect("it is one").expect("it has lines");
        assert_eq!((file.cases.len(), file.broken.len()), (1, 1));
        assert!(file.broken[0].starts_with("a.ndjson:3: not a case report: "), "{:?}", file.broken);
    }

    #[test]
    fn what_is_no_shard_is_named_with_what_stands_there() {
        let error = read(b"{\"cases\": []}\n").unwrap_err().to_string();
        let begins =
            "a.ndjson:1: expected what `watertight run --ndjson` writes first, found `{\"cases\": []}";
        assert!(error.starts_with(begins), "{error}");
        let newer = text().replacen("\"version\":1", "\"version\":9", 1);
        let error = read(newer.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("expected version 1 of the file, found 9"), "{error}");
        assert_eq!(read(b"").expect("empty is no error"), None);
    }
}
