//! Plays jobs, several at once, and collects their reports in the order of the jobs.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use watertight_probe::heap::Testimony;

use crate::engine::{Mutation, Network, Plant};
use crate::exit::Exit;
use crate::explain;
use crate::report::{CaseReport, RunReport, figures};
use crate::runner::again::{self, Round};
use crate::runner::baselines::Shelf;
use crate::runner::child::{ChildRun, Step};
use crate::runner::control::{self, Control};
use crate::runner::determinism::compare;
use crate::runner::unjudged::{Heard, conclude, unplayed};
use crate::runner::{Comparison, Explain, Job, Limits, Message, PhaseBegun, RunRequest, Stop};
use crate::scenario::model::EngineKind;
use crate::scenario::{Ignore, IgnoreFile};
use crate::seed::Seed;
use crate::timeline::CycleRecord;
use crate::units::Day;
use crate::verdict::is_used;

/// Counted cycles under dhat, and then twice as many: it is slower, and is asked where things grow, not whether.
const DHAT_CYCLES: usize = 10;

/// How jobs are played.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `--set path=value`.
    pub overrides: Vec<(String, String)>,
    /// The seed, if not each scenario's own.
    pub seed: Option<Seed>,
    /// Counted cycles, if not each scenario's own.
    pub cycles: Option<usize>,
    /// Judge plainly, whatever the scenarios expect.
    pub plain: bool,
    /// A file of leaks that are put up with, and what was read from it.
    pub ignore: Option<(PathBuf, IgnoreFile)>,
    /// What was accepted for the cases; empty: nothing is compared.
    pub baselines: Shelf,
    /// The day of the run.
    pub today: Day,
    /// Leaks to plant.
    pub plants: Vec<Plant>,
    /// Whether each clean case must find planted leaks of the size that it says it would have seen.
    pub control: bool,
    /// The network that the programs of a run share.
    pub network: Network,
    /// What of the harness is broken on purpose: only its own tests ask for that.
    pub mutation: Option<Mutation>,
    /// Where a second run under dhat puts its JSON; `None`: there is no second run.
    pub dhat: Option<PathBuf>,
    /// Children at once that compute: those in sim.
    pub jobs: usize,
    /// Children at once that play on the wall clock: they wait more than they compute.
    pub wall_clock_jobs: usize,
    /// How long children may take.
    pub limits: Limits,
}

/// A paced scenario leaves a core idle for most of the time; measured on two cores with all of the gate at once.
const WALL_CLOCK_JOBS_PER_CORE: usize = 6;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            overrides: Vec::new(),
            seed: None,
            cycles: None,
            plain: false,
            ignore: None,
            baselines: Shelf::default(),
            today: Day::today(),
            plants: Vec::new(),
            control: false,
            network: Network::Auto,
            mutation: None,
            dhat: None,
            jobs: cores(),
            wall_clock_jobs: WALL_CLOCK_JOBS_PER_CORE * cores(),
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// What a child is asked to play for `job`.
    pub fn request(&self, job: &Job) -> RunRequest {
        // Another target, or one that leaks on purpose, is not what was accepted.
        let is_as_written = self.overrides.is_empty() && self.plants.is_empty();
        RunRequest {
            file: job.case.file.clone(),
            case: job.case.case.clone(),
            engine: job.engine,
            overrides: self.overrides.clone(),
            seed: self.seed,
            cycles: self.cycles,
            plain: self.plain,
            plants: self.plants.clone(),
            explain: Explain::Sites,
            events: false,
            ignore: self.ignore.as_ref().map(|(_, file)| file.ignore.clone()).unwrap_or_default(),
            baseline: self.baselines.baseline(job).filter(|_| is_as_written),
            today: self.today,
            network: match job.engine {
                EngineKind::Process => self.network.chosen(job.case.storms),
                // The one has no network, the other one of its own already.
                EngineKind::Sim | EngineKind::Container => Network::Host,
            },
            mutation: self.mutation,
            soak: None,
            replay: self.replay(job),
        }
    }

    /// The command that repeats `job` alone, with its seed spelled out; of cycles it says nothing.
    fn replay(&self, job: &Job) -> String {
        let mut words = vec!["watertight run".to_owned(), quoted(&job.case.file.to_string_lossy())];
        words.push(format!("--engine {} --seed {}", job.engine.name(), self.seed.unwrap_or(job.case.seed)));
        if !job.case.case.is_empty() {
            words.push(format!("--filter {}", quoted(&format!("*::{}", job.case.case))));
        }
        words.extend(self.settings());
        words.join(" ")
    }

    /// The options that change what is measured or how it is judged, seed and cycles among them.
    pub(super) fn words(&self) -> Vec<String> {
        let seed = self.seed.iter().map(|seed| format!("--seed {seed}"));
        let cycles = self.cycles.iter().map(|cycles| format!("--cycles {cycles}"));
        seed.chain(cycles).chain(self.settings()).collect()
    }

    fn settings(&self) -> Vec<String> {
        let set = |(path, value): &(String, String)| format!("--set {}", quoted(&format!("{path}={value}")));
        let mut words: Vec<String> = self.overrides.iter().map(set).collect();
        words.extend(self.plants.iter().map(|plant| format!("--plant {plant}")));
        let ignore = self.ignore.iter();
        words.extend(ignore.map(|(path, _)| format!("--ignore {}", quoted(&path.to_string_lossy()))));
        words.extend((self.network != Network::Auto).then(|| format!("--network {}", self.network)));
        words.extend(self.control.then(|| "--control".to_owned()));
        words.extend(self.plain.then(|| "--no-expect".to_owned()));
        words
    }
}

/// `word` as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Hears how a run goes on, for a progress line. `job` is the job's place in the list.
pub trait Observer {
    /// A child has been started for it.
    fn started(&self, job: usize) {
        let _ = job;
    }
    /// A phase of its cycle has begun; not in sim, where no time passes that anybody could watch.
    fn phase(&self, job: usize, phase: &PhaseBegun) {
        let _ = (job, phase);
    }
    /// A cycle has settled, of so many.
    fn cycle(&self, job: usize, record: &CycleRecord, planned: usize) {
        let _ = (job, record, planned);
    }
    /// It has been reported.
    fn finished(&self, job: usize, report: &CaseReport) {
        let _ = (job, report);
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;
impl Observer for Silent {}

/// Plays `jobs` and collects what they say. A child that fails costs its own case only.
///
/// Errors are those of the runtime alone: no event loop, no threads.
pub fn play(jobs: &[Job], options: &Options, stop: &Stop, observer: &dyn Observer) -> io::Result<RunReport> {
    runtime()?.block_on(async {
        let began = Instant::now();
        let slots = Slots::of(options);
        let playing = jobs.iter().enumerate().map(|(index, job)| {
            let turn = Turn { index, job, options, stop, observer };
            turn.take(&slots)
        });
        let played = join_all(playing).await;
        let mut cases = Vec::new();
        let mut problems = Vec::new();
        for (job, played) in jobs.iter().zip(played) {
            match played {
                Some(case) => cases.push(case),
                None => problems.push(format!("{}: not played: interrupted", job.name())),
            }
        }
        let mut report = RunReport { problems, ..RunReport::of(cases, began.elapsed()) };
        report.problems.extend(stale(options, &report));
        if stop.is_requested() {
            report.problems.push("interrupted: what follows was measured before".to_owned());
            report.exit = report.exit.worse(Exit::Inconclusive);
        }
        Ok(report)
    })
}

/// Plays exactly what `request` asks for, for `job`, in a child of its own; waits for no slot.
pub fn play_one(job: &Job, request: &RunRequest, options: &Options, stop: &Stop) -> io::Result<CaseReport> {
    let turn = Turn { index: 0, job, options, stop, observer: &Silent };
    Ok(runtime()?.block_on(async { turn.until_sure(turn.child_run(request).await).await }))
}

/// Plays `job` twice with one seed and compares what the two runs tell.
pub fn check_determinism(
    job: &Job,
    options: &Options,
    stop: &Stop,
    mut on_cycle: impl FnMut(&CycleRecord, usize),
) -> io::Result<Comparison> {
    let request = RunRequest { events: true, ..options.request(job) };
    let mut planned = 0;
    runtime()?.block_on(compare(&request, options.limits, stop, |message| match message {
        Message::Planned { cycles } => planned = *cycles,
        Message::Cycle(record) => on_cycle(record, planned),
        _ => {}
    }))
}

pub(super) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Entries of the whole run's file that no case has anything for.
fn stale(options: &Options, report: &RunReport) -> Vec<String> {
    let Some((path, file)) = &options.ignore else { return Vec::new() };
    stale_entries(path, &file.ignore, &report.cases)
}

/// Those of `entries`, which stand in the file at `path`, that none of `cases` has anything for.
pub(super) fn stale_entries(path: &Path, entries: &[Ignore], cases: &[CaseReport]) -> Vec<String> {
    let is_used = |entry: &&Ignore| cases.iter().any(|case| is_used(entry, &case.findings, &case.resources));
    let stale = entries.iter().filter(|entry| !is_used(entry));
    stale
        .map(|entry| format!("{}: nothing like {entry} grows in any case of this run", path.display()))
        .collect()
}

/// How many children run at once, by what they need: a core, or time.
pub(super) struct Slots {
    sim: Semaphore,
    wall_clock: Semaphore,
}

impl Slots {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            sim: Semaphore::new(options.jobs.max(1)),
            wall_clock: Semaphore::new(options.wall_clock_jobs.max(1)),
        }
    }

    /// Waits for a slot.
    pub(super) async fn take(&self, engine: EngineKind) -> Option<SemaphorePermit<'_>> {
        let slots = match engine {
            EngineKind::Sim => &self.sim,
            EngineKind::Process | EngineKind::Container => &self.wall_clock,
        };
        slots.acquire().await.ok()
    }
}

/// One job, played when a slot is free.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub index: usize,
    pub job: &'a Job,
    pub options: &'a Options,
    pub stop: &'a Stop,
    pub observer: &'a dyn Observer,
}

impl Turn<'_> {
    /// Plays the job; `None` when the run was stopped before its turn came.
    pub(super) async fn take(self, slots: &Slots) -> Option<CaseReport> {
        let _slot = slots.take(self.job.engine).await;
        if self.stop.is_requested() {
            return None;
        }
        self.observer.started(self.index);
        let mut report = self.child_run(&self.options.request(self.job)).await;
        report = self.until_sure(report).await;
        if self.options.control {
            control::add(self, &mut report).await;
        }
        if let Some(folder) = &self.options.dhat {
            self.ask_dhat(folder, &mut report).await;
        }
        self.observer.finished(self.index, &report);
        Some(report)
    }

    /// Plays the job, and what it says it would have seen: each with the command that plays it.
    pub(super) async fn take_controls(self, slots: &Slots) -> Option<(CaseReport, Vec<(Control, String)>)> {
        let _slot = slots.take(self.job.engine).await;
        if self.stop.is_requested() {
            return None;
        }
        self.observer.started(self.index);
        let report = self.child_run(&self.options.request(self.job)).await;
        let controls = match control::is_healthy(&report) {
            true => control::check(self, &report).await.0,
            false => Vec::new(),
        };
        self.observer.finished(self.index, &report);
        if self.stop.is_requested() {
            return None;
        }
        let replay = |control: &Control| {
            let plants = vec![control.plant.clone()];
            Options { plants, plain: true, ..self.options.clone() }.replay(self.job)
        };
        let controls = controls.into_iter().map(|control| (replay(&control), control));
        Some((report, controls.map(|(replay, control)| (control, replay)).collect()))
    }

    pub(super) async fn child_run(self, request: &RunRequest) -> CaseReport {
        self.heard_run(request).await.0
    }

    /// Plays in a child; and what dhat said there, if it was asked.
    async fn heard_run(self, request: &RunRequest) -> (CaseReport, Option<Box<Testimony>>) {
        if let Some(lacks) = &self.job.lacks {
            return (unplayed(self.job, request, Exit::Inconclusive, lacks.clone()), None);
        }
        if let Some(missing) = self.job.case.missing(self.job.engine) {
            let headline =
                format!("{missing}: not on this machine; install it, or correct the scenario's `command`");
            return (unplayed(self.job, request, Exit::Inconclusive, headline), None);
        }
        let began = Instant::now();
        let mut child = match ChildRun::start(request, self.options.limits, self.stop).await {
            Ok(child) => child,
            Err(error) => {
                let headline = format!("the child run cannot be started: {error}");
                return (unplayed(self.job, request, Exit::Harness, headline), None);
            }
        };
        let mut heard = Heard::default();
        loop {
            match child.next().await {
                Step::Message(message) => self.hear(&mut heard, message),
                Step::Ended(ending) => {
                    let testimony = heard.testimony.take();
                    return (conclude(self.job, request, heard, ending, began.elapsed()), testimony);
                }
            }
        }
    }

    fn hear(self, heard: &mut Heard, message: Message) {
        match message {
            Message::Planned { cycles } => heard.planned = cycles,
            Message::Phase(phase) => self.observer.phase(self.index, &phase),
            Message::Cycle(record) => {
                self.observer.cycle(self.index, &record, heard.planned);
                heard.cycles.push(record);
            }
            Message::Testimony(said) => heard.testimony = Some(said),
            _ => {}
        }
    }

    /// Plays the case again, longer, as long as the judge asks for it, unless its length was prescribed.
    ///
    /// The last run is the one that is reported, with the wall time of all of them. One that was interrupted says less
    /// than the one before it.
    async fn until_sure(self, first: CaseReport) -> CaseReport {
        let mut rounds = vec![Round::of(&first)];
        let mut report = first;
        while self.options.cycles.is_none()
            && !self.stop.is_requested()
            && let Some(cycles) = again::next_cycles(&rounds)
        {
            let longer = Options { cycles: Some(cycles), ..self.options.clone() };
            let next = self.child_run(&longer.request(self.job)).await;
            let wall_time = report.wall_time + next.wall_time;
            if self.stop.is_requested() {
                let outcome = figures::outcome(report.outcome);
                report
                    .notes
                    .push(format!("{outcome}, and interrupted while played again with {cycles} cycles"));
                report.wall_time = wall_time;
                break;
            }
            rounds.push(Round::of(&next));
            report = CaseReport { wall_time, ..next };
        }
        again::told(report, &rounds)
    }

    /// Plays the case twice more, shortened, under dhat, and notes what it says of the findings and where its JSON lies.
    async fn ask_dhat(self, folder: &Path, report: &mut CaseReport) {
        let json = folder.join(format!("dhat-{}.json", self.job.file_stem()));
        match self.dhat_opinion(&json, report).await {
            Ok(said) => {
                report.notes.extend(said);
                report.notes.push(format!("dhat: {} (open it in DHAT's viewer)", json.display()));
            }
            Err(why) => report.notes.push(format!("dhat: no answer: {why}")),
        }
    }

    async fn dhat_opinion(self, json: &Path, report: &CaseReport) -> Result<Vec<String>, String> {
        if !self.job.case.engines.contains(&EngineKind::Sim) {
            return Err("it witnesses in sim, where this scenario does not play".to_owned());
        }
        let (_, short) = self.dhat_run(DHAT_CYCLES, None).await?;
        let (long, twice) = self.dhat_run(2 * DHAT_CYCLES, Some(json.to_owned())).await?;
        let counted = report.counted_cycles();
        let mut said = explain::second_opinion(&report.findings, counted, DHAT_CYCLES, &short, &twice);
        said.extend(long.notes.into_iter().filter(|note| note.starts_with("dhat")));
        Ok(said)
    }

    /// Plays the case in sim, the one place where dhat is shown the target alone, with so many counted cycles.
    async fn dhat_run(
        self,
        cycles: usize,
        json: Option<PathBuf>,
    ) -> Result<(CaseReport, Box<Testimony>), String> {
        let request = RunRequest {
            engine: EngineKind::Sim,
            cycles: Some(cycles),
            explain: Explain::Dhat { json },
            ..self.options.request(self.job)
        };
        match self.heard_run(&request).await {
            (report, _) if matches!(report.exit, Exit::Harness | Exit::Usage) => Err(report.headline),
            (report, Some(said)) => Ok((report, said)),
            (_, None) => Err("it wrote no profile; is its allocator built in?".to_owned()),
        }
    }
}
