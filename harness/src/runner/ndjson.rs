//! Writes what a run says while it runs: one line a case, on the disk before the next case is told of.

use std::cell::RefCell;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::report::{CaseReport, json};
use crate::runner::shard_file::{Begin, End, Mark, VERSION, Whole};
use crate::runner::{Observer, PhaseBegun, Shard, WriteError};
use crate::timeline::{CycleRecord, Timeline};

/// Writes a shard's file, case by case. After the first write that fails nothing more is written: the end tells of it.
#[derive(Debug)]
pub struct ShardLines {
    path: PathBuf,
    /// With many seeds a run's measurements are dropped, as in memory.
    keeps_cycles: bool,
    to: RefCell<io::Result<File>>,
}

impl ShardLines {
    /// Begins the file; what an earlier run left there is gone.
    ///
    /// # Errors
    /// A path that cannot be written, or that another run is writing.
    pub fn begin(path: &Path, shard: Shard, whole: Whole) -> Result<Self, WriteError> {
        let keeps_cycles = whole.seeds.is_none();
        let begin = Mark::Begin(Begin { version: VERSION, shard, whole });
        let begun = open(path).and_then(|file| append(file, &begin.line()?));
        let to = begun.map_err(|source| WriteError::new(path, source))?;
        Ok(Self { path: path.to_owned(), keeps_cycles, to: RefCell::new(Ok(to)) })
    }

    /// Ends the file: what is not ended was cut short.
    ///
    /// # Errors
    /// The first write that failed, whenever that was.
    pub fn end(self, wall_time: Duration, interrupted: bool) -> Result<(), WriteError> {
        let end = Mark::End(End { wall_time, interrupted });
        let ended = self.to.into_inner().and_then(|file| append(file, &end.line()?));
        ended.map(|_| ()).map_err(|source| WriteError::new(&self.path, source))
    }

    fn line(&self, report: &CaseReport) -> io::Result<String> {
        if self.keeps_cycles {
            return Ok(json::line(report)?);
        }
        let timeline = Timeline { cycles: Vec::new(), ..report.timeline.clone() };
        Ok(json::line(&CaseReport { timeline, ..report.clone() })?)
    }
}

impl Observer for ShardLines {
    fn finished(&self, _job: usize, report: &CaseReport) {
        let line = self.line(report);
        let mut to = self.to.borrow_mut();
        let taken = std::mem::replace(&mut *to, Err(io::Error::other("a line was left half-way")));
        *to = taken.and_then(|file| append(file, &line?));
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        // Shared folders of a cluster may know no locks.
        Ok(()) => {}
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::WouldBlock) => return Err(io::Error::other("another run is writing it")),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    Ok(file)
}

/// One write, and on the disk: a machine that dies costs the line that is being written.
fn append(mut file: File, line: &str) -> io::Result<File> {
    file.write_all(line.as_bytes())?;
    file.sync_data()?;
    Ok(file)
}

/// Tells two observers, the first one first.
#[derive(Clone, Copy)]
pub struct Both<'a>(pub &'a dyn Observer, pub &'a dyn Observer);

impl Observer for Both<'_> {
    fn started(&self, job: usize) {
        self.0.started(job);
        self.1.started(job);
    }

    fn phase(&self, job: usize, phase: &PhaseBegun) {
        self.0.phase(job, phase);
        self.1.phase(job, phase);
    }

    fn cycle(&self, job: usize, record: &CycleRecord, planned: usize) {
        self.0.cycle(job, record, planned);
        self.1.cycle(job, record, planned);
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.0.finished(job, report);
        self.1.finished(job, report);
    }
}
