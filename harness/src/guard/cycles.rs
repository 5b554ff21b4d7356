//! A test that is played in cycles: what grows from one to the next is a leak, by the rules that judge scenarios.

use std::time::Duration;

use watertight_probe::heap;

use super::ending::Ending;
use super::known;
use super::look::Look;
use super::naming::{self, Sites};
use super::plan::Plan;
use super::play::{Screened, Suspicion};
use super::report::{self, Report, Row};
use super::ruling::Ruling;
use super::stage::{Played, Stage};
use crate::census::Census;
use crate::resource::Resource;
use crate::timeline::{CycleRecord, Timeline};
use crate::verdict::rule::{Shape, trend};
use crate::verdict::{Judgement, Outcome, ResourceVerdict, Rules, judge};

/// Plays the cycles where others play, too: tasks and heap are told apart from theirs; of descriptors and threads, what is
/// new at the end is suspicious.
pub(super) fn screen<F>(stage: &Stage, plan: &Plan, cycles: u32, body: fn() -> F) -> Screened<F::Output>
where
    F: Future,
    F::Output: Ending,
{
    let mut series = Series::new(stage, plan);
    if let Some(played) = series.play(plan.warm_up.max(1), body).failed() {
        return Screened { played, suspicion: None };
    }
    let warm = stage.look();
    let played = match series.play(cycles, body) {
        Cycled::Last(played) => played,
        Cycled::Failed(played) => return Screened { played, suspicion: None },
    };
    let left = stage.settle(plan, &warm, Duration::ZERO);
    let grown = series.growing();
    let (fds, threads) = (left.fds.len() as u64, left.all_threads());
    let many = fds > plan.tolerances.fds * u64::from(cycles)
        || threads > plan.tolerances.threads * u64::from(cycles);
    let suspicion = (many || grown.is_some()).then(|| {
        let seen = grown.unwrap_or_else(|| format!("after {cycles} cycles {}", report::seen(&left)));
        Suspicion { seen, is_sure: false }
    });
    Screened { played, suspicion }
}

/// Plays the cycles alone, and rules.
pub(super) fn rule<F>(
    stage: &Stage,
    plan: &Plan,
    cycles: u32,
    body: fn() -> F,
) -> (Played<F::Output>, Option<Ruling>)
where
    F: Future,
    F::Output: Ending,
{
    let mut series = Series::new(stage, plan);
    if let Some(played) = series.play(plan.warm_up.max(1), body).failed() {
        return (played, None);
    }
    let (warm, sites) = (stage.look(), Sites::of(stage.tenant));
    let mut played = match series.play(cycles, body) {
        Cycled::Last(played) => played,
        Cycled::Failed(played) => return (played, None),
    };
    let mut judgement = series.judge();
    if judgement.outcome == Outcome::Suspect {
        played = match series.play(cycles * TIMES_LONGER, body) {
            Cycled::Last(played) => played,
            Cycled::Failed(played) => return (played, None),
        };
        judgement = series.judge();
    }
    let ruling = match bad_rows(&judgement) {
        rows if rows.is_empty() => Ruling::Clean,
        rows => series.leaks(&warm, &sites, &judgement, rows),
    };
    (played, Some(ruling))
}

/// One figure of a census.
type Figure = fn(&Census) -> Option<u64>;

/// The cycles so far.
struct Series<'a> {
    stage: &'a Stage,
    plan: &'a Plan,
    records: Vec<CycleRecord>,
    start: Look,
    /// Whether a cycle left something behind: the next ones do not wait as long for what will not end.
    missed: bool,
}

/// How a few cycles ended.
enum Cycled<T> {
    /// All were played; the end of the last.
    Last(Played<T>),
    /// One failed by itself.
    Failed(Played<T>),
}

impl<T> Cycled<T> {
    fn failed(self) -> Option<Played<T>> {
        match self {
            Self::Failed(played) => Some(played),
            Self::Last(_) => None,
        }
    }
}

impl<'a> Series<'a> {
    fn new(stage: &'a Stage, plan: &'a Plan) -> Self {
        Self { stage, plan, records: Vec::new(), start: stage.look(), missed: false }
    }

    fn play<F>(&mut self, cycles: u32, body: fn() -> F) -> Cycled<F::Output>
    where
        F: Future,
        F::Output: Ending,
    {
        let mut last = None;
        for _ in 0..cycles {
            let before = self.stage.look();
            match self.stage.play(self.plan, body) {
                Played::Ended(ending) if !ending.failed() => last = Some(Played::Ended(ending)),
                other => {
                    self.say_which();
                    return Cycled::Failed(other);
                }
            }
            self.rest(&before);
        }
        Cycled::Last(last.expect("at least one cycle is played"))
    }

    /// A test that passes by itself, and fails here, fails by having been played before.
    fn say_which(&self) {
        if !self.records.is_empty() {
            eprintln!("{}", report::fails_again(self.plan, self.records.len()));
        }
    }

    /// Waits for what is about to end, and counts.
    fn rest(&mut self, before: &Look) {
        let within = if self.missed { self.plan.settle / 20 } else { self.plan.settle };
        let left = self.stage.settle(self.plan, before, within);
        self.missed |= left.is_more_than(self.plan.tolerances);
        let since_start = self.stage.left(&self.start, left.blocking);
        let _probe = watertight_probe::Tenant::PROBE.enter();
        let tenant = self.stage.tenant;
        let live = heap::live_of(|of| of.is_within(tenant));
        let census = Census {
            tasks: Some(since_start.tasks),
            fds: Some(since_start.fds.len() as u64),
            threads: Some(since_start.all_threads()),
            heap_blocks: live.map(|live| live.blocks),
            heap_bytes: live.map(|live| live.bytes),
            ..Census::default()
        };
        let settled_after = Some(Duration::ZERO);
        self.records.push(CycleRecord {
            cycle: self.records.len(),
            settled_after,
            census,
            ..CycleRecord::default()
        });
    }

    fn counted(&self) -> &[CycleRecord] {
        self.records.get(self.warm_up()..).unwrap_or_default()
    }

    fn warm_up(&self) -> usize {
        self.plan.warm_up.max(1) as usize
    }

    /// What grows of tasks and heap, in words.
    fn growing(&self) -> Option<String> {
        let tolerances = self.plan.tolerances;
        let figures: [(&str, u64, Figure); 3] = [
            ("tasks", tolerances.tasks, |census| census.tasks),
            ("heap blocks", self.blocks_allowed(), |census| census.heap_blocks),
            ("heap bytes", tolerances.heap_bytes, |census| census.heap_bytes),
        ];
        let said = figures.into_iter().filter_map(|(name, allowed, figure)| {
            let trend = trend(&less(self.counted(), allowed, figure), true);
            let is_bad = matches!(trend.shape, Shape::Growing | Shape::Unclear);
            is_bad.then(|| format!("{name}: {}", trend.why))
        });
        said.reduce(|all, one| all + "; " + &one)
    }

    /// Where bytes are tolerated, so are the blocks that they come in.
    fn blocks_allowed(&self) -> u64 {
        self.plan.tolerances.heap_bytes
    }

    fn judge(&self) -> Judgement {
        let mut rules = Rules::default();
        let tolerances = self.plan.tolerances;
        for resource in [Resource::Tasks, Resource::Fds, Resource::Threads] {
            rules.resources.entry(resource).or_default().grow = tolerances.of(resource) as f64;
        }
        let mut cycles = self.records.clone();
        if tolerances.heap_bytes > 0 {
            let bytes = less(&self.records, tolerances.heap_bytes, |census| census.heap_bytes);
            for (record, bytes) in cycles.iter_mut().zip(bytes) {
                record.census.heap_blocks = None;
                record.census.heap_bytes = Some(bytes.unsigned_abs());
            }
        }
        let timeline = Timeline {
            exact: true,
            warm_up: self.warm_up(),
            planned: cycles.len(),
            cycles,
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            ended: None,
        };
        judge(&timeline, &rules)
    }

    fn leaks(&self, warm: &Look, sites: &Sites, judgement: &Judgement, rows: Vec<Row>) -> Ruling {
        let left = self.stage.settle(self.plan, warm, Duration::ZERO);
        let grown = Sites::of(self.stage.tenant).since(sites);
        let is_bad = |resource| rows.iter().any(|row: &Row| row.resource == resource);
        let mut findings = naming::of_tasks(&grown, self.stage.tenant);
        findings.extend(naming::of_threads(&grown, &left));
        findings.extend(naming::of_fds(&self.stage.look(), warm, &grown));
        findings.extend(naming::of_heap(&grown, self.counted().len()));
        findings.retain(|finding| is_bad(finding.resource));
        let notes = sensitivity(judgement).into_iter().collect();
        known::excuse(self.plan, Report { plays: Some(self.counted().len()), rows, findings, notes })
    }
}

/// The series of one figure, less what is allowed per cycle.
fn less(records: &[CycleRecord], allowed: u64, figure: impl Fn(&Census) -> Option<u64>) -> Vec<i64> {
    let less = |(at, record): (usize, &CycleRecord)| {
        let allowed = allowed.saturating_mul(at as u64);
        i64::try_from(figure(&record.census)?.saturating_sub(allowed)).ok()
    };
    records.iter().enumerate().filter_map(less).collect()
}

fn bad_rows(judgement: &Judgement) -> Vec<Row> {
    let is_bad = |row: &&ResourceVerdict| {
        matches!(row.outcome, Outcome::Leak | Outcome::Suspect | Outcome::OverBudget)
    };
    judgement
        .resources
        .iter()
        .filter(is_bad)
        .map(|row| Row { resource: row.resource, said: report::growth(row) })
        .collect()
}

/// What would have been seen of the resources that did not grow.
fn sensitivity(judgement: &Judgement) -> Option<String> {
    let clean: Vec<String> = judgement.resources.iter().filter_map(report::sensitivity).collect();
    (!clean.is_empty()).then(|| format!("clean, and would have been seen: {}", clean.join(", ")))
}

/// So many times as many cycles decide what the first ones left open.
const TIMES_LONGER: u32 = 3;
