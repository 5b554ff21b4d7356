//! The progress line: on a terminal only, and never in the way of what is printed after it.

use std::cell::RefCell;

use indicatif::{ProgressBar, ProgressStyle};
use watertight::report::CaseReport;
use watertight::runner::{Job, Observer};
use watertight::timeline::CycleRecord;

/// Draws one line on standard error; nothing where that is no terminal.
pub struct Progress {
    bar: ProgressBar,
    jobs: Vec<String>,
    /// How many runs there are in all.
    runs: u64,
    finished: RefCell<usize>,
}

impl Progress {
    /// A line for these jobs.
    pub fn new(jobs: &[Job]) -> Self {
        Self::with_seeds(jobs, 1)
    }

    /// A line for these jobs, each of which is played with so many seeds.
    pub fn with_seeds(jobs: &[Job], seeds: u64) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix} {bar:24} {pos}/{len} cycles  {wide_msg}")
        {
            bar.set_style(style);
        }
        let runs = jobs.len() as u64 * seeds;
        let jobs = jobs.iter().map(Job::short_name).collect();
        let progress = Self { bar, jobs, runs, finished: RefCell::new(0) };
        progress.show_finished();
        progress
    }

    /// Takes the line away while `print` prints.
    pub fn suspended(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    fn show_finished(&self) {
        self.bar.set_prefix(format!("[{}/{}]", self.finished.borrow(), self.runs));
    }
}

impl Observer for Progress {
    fn started(&self, job: usize) {
        self.bar.set_message(self.jobs[job].clone());
    }

    fn cycle(&self, job: usize, record: &CycleRecord, planned: usize) {
        self.bar.set_message(self.jobs[job].clone());
        self.bar.set_length(planned as u64);
        self.bar.set_position(record.cycle as u64 + 1);
    }

    fn finished(&self, _job: usize, _report: &CaseReport) {
        *self.finished.borrow_mut() += 1;
        self.show_finished();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
