//! One soak's place in the store: begun or found again, filled as it goes on.

use std::time::Duration;

use super::{SoFar, SoakError, SoakOptions};
use crate::report::soak::{Capture, Checkpoint, Ground};
use crate::runner::Job;
use crate::store::{NewRun, ROWS_MAX, RunKind, RunLock, Store, StoreError, environment};
use crate::timeline::CycleRecord;

/// How often it is looked whether old cycles must be thinned.
const THIN_EVERY: usize = 1_000;

/// A run that is this process's to play, in the segment that is being played.
pub(super) struct Keeper<'s> {
    pub store: &'s Store,
    pub run: i64,
    pub segment: usize,
    /// What earlier segments have played.
    pub cycles_before: usize,
    pub lasted_before: Duration,
    pub asked: Duration,
    /// Cycles of this segment.
    pub cycles: usize,
    pub lasted: Duration,
    pub ground: Option<Ground>,
    _lock: RunLock,
}

/// Begins a soak of `job`, or finds the one to go on with.
pub(super) fn begin<'s>(store: &'s Store, job: &Job, options: &SoakOptions) -> Result<Keeper<'s>, SoakError> {
    if options.resume {
        return resume(store, job, options);
    }
    let run = store.begin_run(&described(job, options))?;
    let lock = store.lock(run)?;
    Ok(keeper(store, run, lock, options.lasts)?)
}

fn resume<'s>(store: &'s Store, job: &Job, options: &SoakOptions) -> Result<Keeper<'s>, SoakError> {
    let file = job.case.file.to_string_lossy();
    let found = store.latest_soak(&file, &job.case.case, job.engine.name())?;
    let (at, name) = (store.path().to_owned(), job.name());
    let Some(run) = found else { return Err(SoakError::NothingToResume { store: at, job: name }) };
    if let Some(ended) = run.ended {
        return Err(SoakError::Ended { store: at, run: run.id, job: name, ended });
    }
    let (was, is) = (begun_with(&run.what), begun_with(&described(job, options)));
    if was != is {
        return Err(SoakError::Differs { store: at, run: run.id, job: name, was, is });
    }
    let lock = store.lock(run.id)?;
    Ok(keeper(store, run.id, lock, options.lasts)?)
}

fn keeper(store: &Store, run: i64, lock: RunLock, asked: Duration) -> Result<Keeper<'_>, StoreError> {
    let (mut cycles_before, mut lasted_before) = (0, Duration::ZERO);
    for segment in store.segments(run)? {
        let tally = store.tally(run, segment.number, 0)?;
        cycles_before += tally.cycles;
        lasted_before += tally.lasted;
    }
    Ok(Keeper {
        store,
        run,
        segment: store.begin_segment(run)?,
        cycles_before,
        lasted_before,
        asked,
        cycles: 0,
        lasted: Duration::ZERO,
        ground: None,
        _lock: lock,
    })
}

fn described(job: &Job, options: &SoakOptions) -> NewRun {
    let plants: Vec<String> = options.run.plants.iter().map(ToString::to_string).collect();
    NewRun {
        kind: RunKind::Soak,
        scenario: job.case.scenario.clone(),
        case: job.case.case.clone(),
        engine: job.engine.name().to_owned(),
        file: job.case.file.clone(),
        seed: options.run.seed.unwrap_or(job.case.seed),
        target: job.case.target.clone(),
        commit: options.commit.clone(),
        environment: environment(),
        options: serde_json::json!({ "set": options.run.overrides, "plant": plants }),
        asked: Some(options.lasts),
    }
}

/// What must be the same when a soak goes on. For how long may be changed.
fn begun_with(run: &NewRun) -> String {
    format!("seed {}, {}", run.seed, run.options)
}

impl Keeper<'_> {
    /// How long this segment is to last.
    pub(super) fn left(&self) -> Duration {
        self.asked.saturating_sub(self.lasted_before)
    }

    pub(super) fn warm_up(&self) -> usize {
        self.ground.as_ref().map_or(0, |ground| ground.warm_up)
    }

    /// Counted cycles of this segment.
    pub(super) fn counted(&self) -> usize {
        self.cycles.saturating_sub(self.warm_up())
    }

    pub(super) fn so_far(&self) -> SoFar {
        SoFar {
            run: self.run,
            segment: self.segment,
            cycles: self.cycles_before + self.cycles,
            warm_up: self.warm_up(),
            lasted: self.lasted_before + self.lasted,
            asked: self.asked,
        }
    }

    pub(super) fn ground(&mut self, ground: Ground) -> Result<(), StoreError> {
        self.store.set_ground(self.run, self.segment, &ground)?;
        self.ground = Some(ground);
        Ok(())
    }

    pub(super) fn cycle(&mut self, record: &CycleRecord) -> Result<(), StoreError> {
        self.store.add_cycle(self.run, self.segment, record)?;
        (self.cycles, self.lasted) = (record.cycle + 1, record.at);
        if self.cycles.is_multiple_of(THIN_EVERY) {
            self.store.thin(self.run, self.segment, self.warm_up(), ROWS_MAX)?;
        }
        Ok(())
    }

    pub(super) fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.store.set_checkpoint(self.run, self.segment, checkpoint)
    }

    pub(super) fn capture(&self, capture: &Capture) -> Result<(), StoreError> {
        self.store.add_capture(self.run, capture)
    }
}
