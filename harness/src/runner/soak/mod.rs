//! Soaks: cases played for a time in the place of a number of cycles, while nobody watches.
//!
//! A child plays the same cycles as for a run and tells each; here they are kept in a [`Store`] as they come, judged every so
//! often (`vigil`), and judged as a whole at the end (`judging`). Neither parent nor child holds anything that grows with the
//! run. What was cut off goes on in a further segment, with a target of its own.

mod clocks;
mod judging;
mod keeper;
mod play;
mod vigil;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::report::soak::Capture;
use crate::report::{CaseReport, RunReport};
use crate::runner::play::{Slots, runtime};
use crate::runner::{Event, Job, Options, PhaseBegun, Stop};
use crate::store::{Store, StoreError};
use crate::timeline::CycleRecord;
use crate::verdict::Evidence;

/// What becomes of a soak that shows a leak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnLeak {
    /// It goes on: how a leak goes on says more of it.
    #[default]
    GoOn,
    /// It ends as soon as the leak was captured twice.
    Stop,
}

/// How cases are soaked.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakOptions {
    /// How they are played: seed, overrides, plants, limits. Its cycles are not asked for.
    pub run: Options,
    /// For how long, in the engine's own time.
    pub lasts: Duration,
    /// Where everything measured is kept.
    pub store: PathBuf,
    /// The most that the store may take of the disk, with whatever else is in it.
    pub store_bytes_max: u64,
    /// Play each clean case again, shortened, with leaks of the size that it says it would have seen.
    pub control: bool,
    /// Go on with the latest soak of each case.
    pub resume: bool,
    /// What becomes of a leak.
    pub on_leak: OnLeak,
    /// The commit that was built.
    pub commit: Option<String>,
}

/// How far a soak is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoFar {
    /// The run's number in the store.
    pub run: i64,
    /// The segment, counted from 0.
    pub segment: usize,
    /// Cycles of all segments, warm-up included.
    pub cycles: usize,
    /// Cycles of this segment before counting starts.
    pub warm_up: usize,
    /// How long it has lasted, all segments together.
    pub lasted: Duration,
    /// How long it is to last.
    pub asked: Duration,
}

/// Hears how a soak goes on, for a view of it. `job` is the job's place in the list.
///
/// Everything is told from one thread, between two looks at the child: what takes long holds the soak up.
pub trait Listener {
    /// A segment has begun.
    fn began(&self, job: usize, so_far: &SoFar) {
        let _ = (job, so_far);
    }
    /// A phase of a cycle has begun; on the wall clock alone.
    fn phase(&self, job: usize, phase: &PhaseBegun) {
        let _ = (job, phase);
    }
    /// A cycle has settled, and is kept.
    fn cycle(&self, job: usize, record: &CycleRecord, so_far: &SoFar) {
        let _ = (job, record, so_far);
    }
    /// The plan did something in the cycle that is told next; on the wall clock alone.
    fn event(&self, job: usize, event: &Event) {
        let _ = (job, event);
    }
    /// The judge was asked; `None`: nothing speaks for a leak so far.
    fn judged(&self, job: usize, evidence: Option<&Evidence>) {
        let _ = (job, evidence);
    }
    /// Something was captured.
    fn captured(&self, job: usize, capture: &Capture) {
        let _ = (job, capture);
    }
    /// Its time is over. Leaks of the size that it says it would have seen are planted in shorter runs, which take minutes.
    fn controlled(&self, job: usize) {
        let _ = job;
    }
    /// It has been reported.
    fn finished(&self, job: usize, report: &CaseReport) {
        let _ = (job, report);
    }
}

impl Listener for super::Silent {}

/// Why a soak did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoakError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to go on with.
    #[error("store {store}: no soak of {job} was cut off there: leave out `--resume` to begin one", store = store.display())]
    NothingToResume {
        /// The store.
        store: PathBuf,
        /// The job's name.
        job: String,
    },
    /// It is over.
    #[error("store {store}: run {run} of {job} ended at {ended}: leave out `--resume` to begin another", store = store.display())]
    Ended {
        /// The store.
        store: PathBuf,
        /// The run.
        run: i64,
        /// The job's name.
        job: String,
        /// When.
        ended: String,
    },
    /// Something else was asked for.
    #[error(
        "store {store}: run {run} of {job} was begun with {was}, and is to go on with {is}: ask for the same, or leave out \
         `--resume`", store = store.display()
    )]
    Differs {
        /// The store.
        store: PathBuf,
        /// The run.
        run: i64,
        /// The job's name.
        job: String,
        /// The options that it was begun with.
        was: String,
        /// Those that it is to go on with.
        is: String,
    },
    /// The runtime.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[from] io::Error),
}

impl SoakError {
    /// The code that the command ends with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::NothingToResume { .. } | Self::Ended { .. } | Self::Differs { .. } => Exit::Usage,
            Self::Store(StoreError::Playing { .. }) => Exit::Usage,
            Self::Store(_) | Self::Runtime(_) => Exit::Harness,
        }
    }
}

/// Soaks `jobs` and collects what they say. A case that fails costs itself alone.
///
/// # Errors
/// A store that cannot be used, or nothing there to go on with: before anything is played.
pub fn soak(
    jobs: &[Job],
    options: &SoakOptions,
    stop: &Stop,
    listener: &dyn Listener,
) -> Result<RunReport, SoakError> {
    let store = Store::open(&options.store)?;
    store.limit(options.store_bytes_max)?;
    let keepers =
        jobs.iter().map(|job| keeper::begin(&store, job, options)).collect::<Result<Vec<_>, _>>()?;
    runtime()?.block_on(async {
        let began = Instant::now();
        let slots = Slots::of(&options.run);
        let soaking = jobs.iter().zip(keepers).enumerate().map(|(index, (job, keeper))| {
            let turn = play::Turn { index, job, options, stop, listener };
            turn.take(keeper, &slots)
        });
        let played = join_all(soaking).await;
        let mut report = RunReport::of(Vec::new(), Duration::ZERO);
        for soaked in played {
            report.exit = report.exit.worse(soaked.report.exit).worse(soaked.exit);
            report.problems.extend(soaked.problem);
            report.cases.push(soaked.report);
        }
        if stop.is_requested() {
            let store = options.store.display();
            report.problems.push(format!("interrupted: `--resume` goes on with what is in {store}"));
            report.exit = report.exit.worse(Exit::Inconclusive);
        }
        report.wall_time = began.elapsed();
        Ok(report)
    })
}
