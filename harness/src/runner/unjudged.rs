//! The report of a case that its child could not report itself: what was measured so far, and why there is no more.

use std::time::Duration;

use watertight_probe::heap::Testimony;

use crate::census::Census;
use crate::exit::Exit;
use crate::report::CaseReport;
use crate::runner::child::{Ending, How};
use crate::runner::{Job, RunRequest};
use crate::timeline::{CycleRecord, Ended, Timeline};
use crate::verdict::Outcome;

/// What the parent has heard from a child, the last word apart.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Cycles that were planned, warm-up included.
    pub planned: usize,
    /// Those that have settled.
    pub cycles: Vec<CycleRecord>,
    /// What dhat says.
    pub testimony: Option<Box<Testimony>>,
}

/// Turns an ending into the case's report; whatever was heard is kept.
pub(super) fn conclude(
    job: &Job,
    request: &RunRequest,
    heard: Heard,
    ending: Ending,
    wall_time: Duration,
) -> CaseReport {
    let (exit, why) = match ending.how {
        How::Done(mut report) => {
            if report.timeline.cycles.is_empty() {
                report.timeline.cycles = heard.cycles;
            }
            return *report;
        }
        How::Failed { exit, error } => (exit, error),
        How::Over => (Exit::Harness, "the child soaked, and was to run".to_owned()),
        How::Crashed(how) => (Exit::Harness, format!("the child run {how}")),
        How::Garbage(what) => (Exit::Harness, what),
        How::Hung(silence) => {
            let bound = humantime::format_duration(silence);
            (
                Exit::Inconclusive,
                format!("no cycle ended within {bound}, so the run was killed; `--timeout` sets the bound"),
            )
        }
        How::Interrupted => (Exit::Inconclusive, Ended::Interrupted.to_string()),
    };
    let ended = (why == Ended::Interrupted.to_string()).then_some(Ended::Interrupted);
    let headline = format!("{why}; {} of {} cycles measured", heard.cycles.len(), heard.planned);
    let mut report = unplayed(job, request, exit, headline);
    if !ending.stderr.is_empty() {
        report.notes.push(format!("its standard error ended with:\n{}", ending.stderr));
    }
    report.wall_time = wall_time;
    report.scenario_time = heard.cycles.last().map_or(Duration::ZERO, |last| last.at);
    report.timeline.planned = heard.planned;
    report.timeline.peak = heard.cycles.iter().fold(Census::default(), |mut peak, cycle| {
        peak.peak(&cycle.census);
        peak
    });
    report.timeline.cycles = heard.cycles;
    report.timeline.ended = ended;
    report
}

/// A report without any measurement.
pub(super) fn unplayed(job: &Job, request: &RunRequest, exit: Exit, headline: String) -> CaseReport {
    let case = &job.case;
    CaseReport {
        scenario: case.scenario.clone(),
        case: case.case.clone(),
        engine: job.engine,
        file: case.file.clone(),
        about: case.about.clone(),
        seed: request.seed.unwrap_or(case.seed),
        target: case.target.clone(),
        outcome: Outcome::Inconclusive,
        headline,
        expected: None,
        exit,
        resources: Vec::new(),
        findings: Vec::new(),
        audit: Vec::new(),
        notes: Vec::new(),
        replay: request.replay_with(None),
        scenario_time: Duration::ZERO,
        wall_time: Duration::ZERO,
        timeline: Timeline {
            exact: false,
            warm_up: 0,
            cycles: Vec::new(),
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            planned: 0,
            ended: None,
        },
        soak: None,
    }
}
