//! The report of a soak: every segment judged by the same rules, and the worst of them told.
//!
//! A segment has a target of its own, and what one process held says nothing of what another holds: their figures are never
//! put into one series. A segment that was cut off before anything could be said of it is told of, and left out.

use std::time::Duration;

use super::SoakOptions;
use super::keeper::Keeper;
use crate::exit::Exit;
use crate::explain::Finding;
use crate::report::soak::{Capture, Checkpoint, Ground, SegmentReport, Soak};
use crate::report::{CaseReport, Expected, figures};
use crate::runner::{Job, RunRequest};
use crate::scenario::model::Expect;
use crate::store::{Segment, StoreError, Tally};
use crate::timeline::{Ended, Timeline};
use crate::verdict::{self, Entries, Judged, Judgement, Outcome, fewest_cycles};

/// Entries that a segment is judged over at the end: a longer one is thinned to the floors of as many parts.
const JUDGED_MAX: usize = 2_000;

/// The same while it goes on, where the judge is asked often.
pub(super) const JUDGED_ALONG_MAX: usize = 500;

/// Of so many counted cycles one may miss its rest and is left out; of more that do, nothing can be said.
const RESTLESS_ONE_OF: usize = 100;

/// A segment as a timeline.
pub(super) struct Thinned {
    pub timeline: Timeline,
    /// Cycles that each counted entry stands for.
    pub each: usize,
    pub tally: Tally,
}

/// The counted cycles of a segment in at most `most` entries; what was said beside them comes from `checkpoint`.
pub(super) fn timeline(
    keeper: &Keeper<'_>,
    segment: usize,
    ground: &Ground,
    checkpoint: Option<&Checkpoint>,
    most: usize,
) -> Result<Thinned, StoreError> {
    let tally = keeper.store.tally(keeper.run, segment, ground.warm_up)?;
    let counted = tally.cycles.saturating_sub(ground.warm_up);
    let each = counted.div_ceil(most.max(1)).next_power_of_two().max(tally.each_max);
    let restless = tally.restless * RESTLESS_ONE_OF > counted;
    let cycles = keeper.store.floors(keeper.run, segment, ground.warm_up, each, restless)?;
    let said = checkpoint.cloned().unwrap_or_default();
    let mut peak = said.peak;
    cycles.iter().for_each(|record| peak.peak(&record.census));
    let timeline = Timeline {
        exact: ground.exact,
        warm_up: ground.warm_up.min(cycles.len()),
        planned: cycles.len(),
        cycles,
        peak,
        trimmed: said.trimmed,
        audit: said.audit,
        // What was measured before the run was told to end is judged.
        ended: said.ended.filter(|ended| *ended != Ended::Interrupted),
    };
    Ok(Thinned { timeline, each, tally })
}

/// A segment that was judged.
struct Verdict {
    number: usize,
    counted: usize,
    each: usize,
    ground: Ground,
    timeline: Timeline,
    judged: Judged,
    notes: Vec<String>,
}

/// The report over all segments; `None`: no child ever said what it is to be judged by.
pub(super) fn report(
    keeper: &Keeper<'_>,
    job: &Job,
    request: &RunRequest,
    options: &SoakOptions,
) -> Result<Option<CaseReport>, StoreError> {
    let segments = keeper.store.segments(keeper.run)?;
    let captures = keeper.store.captures(keeper.run)?;
    let (mut told, mut others, mut rows) = (None::<Verdict>, Vec::new(), Vec::new());
    let mut lasted = Duration::ZERO;
    for segment in &segments {
        let Some(ground) = &segment.ground else { continue };
        let thinned = timeline(keeper, segment.number, ground, segment.checkpoint.as_ref(), JUDGED_MAX)?;
        lasted += thinned.tally.lasted;
        let verdict = judged(segment, ground, thinned, &captures, request);
        let (row, is_judged) = (row(segment, &verdict), is_judged(&verdict));
        rows.push(SegmentReport { outcome: row.outcome.filter(|_| is_judged), ..row });
        // The worst, and of equals the longest; what could not be judged only where nothing else is.
        let weight =
            |verdict: &Verdict, is_judged| (is_judged, verdict.judged.judgement.outcome, verdict.counted);
        let told_is_judged = told.as_ref().is_some_and(self::is_judged);
        match &told {
            Some(best) if weight(best, told_is_judged) >= weight(&verdict, is_judged) => {
                others.extend(is_judged.then_some(verdict));
            }
            _ => others.extend(told.replace(verdict).filter(self::is_judged)),
        }
    }
    let Some(told) = told else { return Ok(None) };
    let cycles = rows.iter().map(|row| row.cycles).sum();
    let soak = Soak {
        asked: keeper.asked,
        lasted,
        cycles,
        cycles_per_entry: told.each,
        told: told.number,
        segments: rows,
        captures: captures.into_iter().map(Capture::without_all_that_grows).collect(),
        clock_jumps: segments.iter().flat_map(|segment| segment.jumps.iter().copied()).collect(),
    };
    Ok(Some(case_report(told, others, soak, job, request, options)))
}

/// Judges a segment, and names what stayed behind from what was captured last.
fn judged(
    segment: &Segment,
    ground: &Ground,
    thinned: Thinned,
    captures: &[Capture],
    request: &RunRequest,
) -> Verdict {
    let Thinned { timeline, each, tally } = thinned;
    let last = captures.iter().rfind(|capture| capture.segment == segment.number);
    let (found, growing) =
        last.map_or_else(Default::default, |last| (last.findings.clone(), last.growing.clone()));
    let entries = Entries { own: &ground.ignore, shared: &request.ignore, today: request.today };
    let judged = verdict::judge_and_name(&timeline, each, ground.rules.clone(), entries, found, growing);
    let counted = tally.cycles.saturating_sub(ground.warm_up);
    let mut notes = segment.checkpoint.as_ref().map(|said| said.notes.clone()).unwrap_or_default();
    if tally.restless > 0 && tally.restless * RESTLESS_ONE_OF <= counted {
        let (many, all) = (tally.restless, figures::grouped(counted as u64));
        notes.push(format!("{many} of {all} cycles did not come to rest within the bound, and are left out"));
    }
    if each > 1 {
        notes.push(format!("judged by the floors of {each} cycles each"));
    }
    let number = segment.number;
    Verdict { number, counted, each, ground: ground.clone(), timeline, judged, notes }
}

/// Whether enough was counted, or something happened that says enough.
fn is_judged(verdict: &Verdict) -> bool {
    let counted = verdict.timeline.cycles.len() - verdict.timeline.warm_up;
    counted >= fewest_cycles(verdict.timeline.exact) || verdict.timeline.ended.is_some()
}

fn row(segment: &Segment, verdict: &Verdict) -> SegmentReport {
    SegmentReport {
        began: segment.began.clone(),
        cycles: verdict.counted,
        lasted: verdict.timeline.cycles.last().map_or(Duration::ZERO, |last| last.at),
        ended: segment.ended.clone().unwrap_or_else(|| "cut off".to_owned()),
        outcome: Some(verdict.judged.judgement.outcome),
        headline: verdict.judged.judgement.headline.clone(),
    }
}

fn case_report(
    told: Verdict,
    others: Vec<Verdict>,
    soak: Soak,
    job: &Job,
    request: &RunRequest,
    options: &SoakOptions,
) -> CaseReport {
    let Verdict { ground, timeline, judged, mut notes, .. } = told;
    let Judged { mut judgement, mut findings, ignored } = judged;
    take_worse_rows(&mut judgement, &mut findings, others);
    let expect = Expect { leak: ground.leak, outcome: ground.outcome, ..Expect::default() };
    let expected: Option<Expected> =
        (!request.plain).then(|| verdict::expectation(&expect, &judgement, &findings));
    notes.extend(of_segments(&soak, judgement.outcome));
    let replay = replay(&judgement, &timeline, request, options, &soak);
    CaseReport {
        scenario: job.case.scenario.clone(),
        case: job.case.case.clone(),
        engine: job.engine,
        file: job.case.file.clone(),
        about: job.case.about.clone(),
        seed: request.seed.unwrap_or(job.case.seed),
        target: ground.target,
        plan: ground.plan.map(|plan| *plan),
        outcome: judgement.outcome,
        headline: judgement.headline,
        exit: Exit::of_case(judgement.outcome, expected.as_ref()),
        expected,
        resources: judgement.resources,
        findings,
        audit: timeline.audit.clone(),
        notes: judgement.notes.into_iter().chain(ignored).chain(notes).collect(),
        replay,
        scenario_time: soak.lasted,
        wall_time: Duration::ZERO,
        timeline,
        soak: Some(Box::new(soak)),
    }
}

/// A resource that another segment judged worse is shown as it was there, with what it left behind there.
fn take_worse_rows(judgement: &mut Judgement, findings: &mut Vec<Finding>, others: Vec<Verdict>) {
    for other in others {
        for row in other.judged.judgement.resources {
            let Some(mine) = judgement.resources.iter_mut().find(|mine| mine.resource == row.resource) else {
                continue;
            };
            if row.measured() && mine.measured() && row.outcome > mine.outcome {
                let resource = row.resource;
                let why = format!("segment {}: {}", other.number + 1, row.why);
                *mine = verdict::ResourceVerdict { why, ..row };
                let theirs = other.judged.findings.iter().filter(|finding| finding.resource == resource);
                findings.extend(theirs.cloned());
            }
        }
    }
}

/// What must be said of a verdict over several processes.
fn of_segments(soak: &Soak, outcome: Outcome) -> Vec<String> {
    if soak.segments.len() < 2 {
        return Vec::new();
    }
    let told = soak.told + 1;
    let judged = soak.segments.iter().filter(|segment| segment.outcome.is_some()).count();
    let which = match outcome {
        Outcome::Clean => {
            format!("what would have been seen is what segment {told}, the longest, would have")
        }
        _ => format!("what is told is segment {told}, the worst"),
    };
    let all = soak.segments.len();
    vec![format!(
        "{judged} of {all} segments are judged, each alone, since each has a target process of its own; {which}"
    )]
}

/// The command that shows a leak again, or that soaks again.
fn replay(
    judgement: &Judgement,
    timeline: &Timeline,
    request: &RunRequest,
    options: &SoakOptions,
    soak: &Soak,
) -> String {
    let shown =
        judgement.detected_after().map(|cycles| if timeline.exact { cycles } else { cycles + cycles / 2 });
    match shown {
        Some(cycles) => request.replay_with(Some(cycles.min(soak.cycles))),
        None => {
            let lasts = humantime::format_duration(options.lasts);
            let words = request.replay.strip_prefix("watertight run").unwrap_or(&request.replay);
            format!("watertight soak{words} --for {}", lasts.to_string().replace(' ', ""))
        }
    }
}

impl Capture {
    /// For a report: what is judged by is not shown.
    fn without_all_that_grows(self) -> Self {
        Self { growing: Vec::new(), ..self }
    }
}
