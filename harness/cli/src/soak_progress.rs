//! How a soak goes on: one line on a terminal, a line now and then where there is none.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use watertight::report::soak::Capture;
use watertight::report::{CaseReport, figures};
use watertight::runner::Job;
use watertight::runner::soak::{Listener, SoFar};
use watertight::timeline::CycleRecord;
use watertight::verdict::Evidence;

use crate::screen;

/// Where there is no terminal, a line comes after this part of the soak.
const LINES: u32 = 50;

/// What goes on once the time is over.
pub(crate) const CONTROLLED: &str =
    "its time is over; leaks that it would have seen are planted now, to see whether that is true";

/// Tells on standard error how far each soak is.
pub struct SoakProgress {
    bar: ProgressBar,
    is_terminal: bool,
    jobs: Vec<String>,
    /// By job: how far it was when that was told last, and what the judge says of it.
    told: RefCell<Vec<(Duration, String)>>,
}

impl SoakProgress {
    /// For these jobs.
    pub fn new(jobs: &[Job]) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24} {wide_msg}") {
            bar.set_style(style);
        }
        let jobs: Vec<String> = jobs.iter().map(Job::short_name).collect();
        let told = RefCell::new(vec![(Duration::ZERO, "nothing grows so far".to_owned()); jobs.len()]);
        Self { bar, is_terminal: std::io::stderr().is_terminal(), jobs, told }
    }

    fn line(&self, job: usize, so_far: &SoFar) -> String {
        let (lasted, asked) = (figures::time(so_far.lasted), figures::time(so_far.asked));
        let cycles = figures::grouped(so_far.cycles as u64);
        format!("{}: {lasted} of {asked}, {cycles} cycles, {}", self.jobs[job], self.told.borrow()[job].1)
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| screen::err(text));
    }
}

impl Listener for SoakProgress {
    fn began(&self, job: usize, so_far: &SoFar) {
        let asked = figures::time(so_far.asked);
        let on = match so_far.segment {
            0 => String::new(),
            segment => format!(", segment {} after {}", segment + 1, figures::time(so_far.lasted)),
        };
        self.say(&format!("{}: run {} for {asked}{on}", self.jobs[job], so_far.run));
    }

    fn cycle(&self, job: usize, _record: &CycleRecord, so_far: &SoFar) {
        if self.is_terminal {
            self.bar.set_length(so_far.asked.as_millis() as u64);
            self.bar.set_position(so_far.lasted.as_millis() as u64);
            self.bar.set_message(self.line(job, so_far));
            return;
        }
        let due = self.told.borrow()[job].0 + so_far.asked / LINES;
        if so_far.lasted >= due {
            self.told.borrow_mut()[job].0 = so_far.lasted;
            screen::err(&self.line(job, so_far));
        }
    }

    fn judged(&self, job: usize, evidence: Option<&Evidence>) {
        self.told.borrow_mut()[job].1 = match evidence {
            None => "nothing grows so far".to_owned(),
            Some(found) => format!("{}: {}: {}", figures::outcome(found.outcome), found.resource, found.why),
        };
    }

    fn captured(&self, job: usize, capture: &Capture) {
        self.say(&format!("{}: {}", self.jobs[job], capture.line()));
    }

    fn controlled(&self, job: usize) {
        self.say(&format!("{}: {CONTROLLED}", self.jobs[job]));
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.say(&format!("{}: {}", self.jobs[job], report.headline));
    }
}

impl Drop for SoakProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
