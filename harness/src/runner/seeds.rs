//! Plays jobs with many seeds each. Of a run that ended well nothing is kept but that it did.

use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::exit::Exit;
use crate::report::CaseReport;
use crate::report::seeds::{SeedsReport, SeedsRow};
use crate::runner::play::{Slots, Turn, runtime};
use crate::runner::{Deal, Job, Observer, Options, Shard, Stop};
use crate::scenario::model::EngineKind;
use crate::seed::Seed;

/// Plays each of `jobs` with the seeds from 1 to `seeds`: of these runs those that are dealt to `shard`.
///
/// # Errors
/// Those of the runtime alone.
pub fn play_seeds(
    jobs: &[Job],
    options: &Options,
    seeds: u64,
    shard: Shard,
    stop: &Stop,
    observer: &dyn Observer,
) -> io::Result<SeedsReport> {
    let engines: Vec<EngineKind> = jobs.iter().map(|job| job.engine).collect();
    let deal = Deal::of(&engines, seeds);
    let dealt = |job: usize| (1..=seeds).filter(|seed| deal.gives(shard, job, seed - 1)).collect::<Vec<_>>();
    runtime()?.block_on(async {
        let began = Instant::now();
        let slots = Slots::of(options);
        let one = |(index, seed): (usize, u64)| {
            let (slots, job) = (&slots, &jobs[index]);
            async move {
                let options = Options { seed: Some(Seed(seed)), ..options.clone() };
                let played = Turn { index, job, options: &options, stop, observer }.take(slots).await;
                (index, played)
            }
        };
        let all = (0..jobs.len()).flat_map(|index| dealt(index).into_iter().map(move |seed| (index, seed)));
        let at_once = options.jobs.max(options.wall_clock_jobs).max(1);
        let mut playing = stream::iter(all).map(one).buffer_unordered(at_once);
        let row = |(index, job): (usize, &Job)| SeedsRow::of(&job.short_name(), dealt(index).len() as u64);
        let mut rows: Vec<SeedsRow> = jobs.iter().enumerate().map(row).collect();
        while let Some((index, played)) = playing.next().await {
            if let Some(report) = played {
                rows[index].add(report);
            }
        }
        rows.retain(|row| row.seeds > 0);
        Ok(conclude(rows, began.elapsed(), stop))
    })
}

fn conclude(rows: Vec<SeedsRow>, wall_time: Duration, stop: &Stop) -> SeedsReport {
    let worst = rows.iter().fold(Exit::Clean, |worst, row| worst.worse(row.exit));
    let exit = if stop.is_requested() { worst.worse(Exit::Inconclusive) } else { worst };
    SeedsReport { rows, exit, wall_time }
}

/// The sensitivity that clean runs of `job` state, and how often a leak of that size was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitivityRow {
    /// The job's name.
    pub name: String,
    /// The resource.
    pub resource: crate::resource::Resource,
    /// The different sizes that runs stated, in words.
    pub stated: Vec<String>,
    /// Runs in which a leak of the stated size was planted and seen.
    pub found: u64,
    /// Runs in which it was planted.
    pub planted: u64,
    /// Commands that play those in which it was not seen.
    pub missed: Vec<String>,
}

/// For each job: as many clean runs as there are seeds, and for each the leaks that it says it would have seen.
///
/// Gives back a row for each job and resource, and the runs that were not clean, which state nothing.
///
/// # Errors
/// Those of the runtime alone.
pub fn sensitivity(
    jobs: &[Job],
    options: &Options,
    seeds: u64,
    stop: &Stop,
    observer: &dyn Observer,
) -> io::Result<(Vec<SensitivityRow>, Vec<CaseReport>)> {
    runtime()?.block_on(async {
        let slots = Slots::of(options);
        let one = |(index, seed): (usize, u64)| {
            let (slots, job) = (&slots, &jobs[index]);
            async move {
                let options = Options { seed: Some(Seed(seed)), ..options.clone() };
                let turn = Turn { index, job, options: &options, stop, observer };
                let (report, controls) = turn.take_controls(slots).await?;
                Some((job, report, controls))
            }
        };
        let all = (0..jobs.len()).flat_map(|index| (1..=seeds).map(move |seed| (index, seed)));
        let at_once = options.jobs.max(options.wall_clock_jobs).max(1);
        let mut playing = stream::iter(all).map(one).buffered(at_once);
        let (mut rows, mut unclean) = (Vec::new(), Vec::new());
        while let Some(played) = playing.next().await {
            match played {
                Some((_, report, controls)) if controls.is_empty() => unclean.push(report),
                Some((job, _, controls)) => add(&mut rows, &job.short_name(), controls),
                None => {}
            }
        }
        Ok((rows, unclean))
    })
}

fn add(rows: &mut Vec<SensitivityRow>, name: &str, controls: Vec<(super::Control, String)>) {
    for (control, replay) in controls {
        let same = |row: &SensitivityRow| row.name == name && row.resource == control.resource;
        let at = rows.iter().position(same).unwrap_or_else(|| {
            let (name, resource) = (name.to_owned(), control.resource);
            rows.push(SensitivityRow {
                name,
                resource,
                stated: Vec::new(),
                found: 0,
                planted: 0,
                missed: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[at];
        if !row.stated.contains(&control.stated) {
            row.stated.push(control.stated.clone());
        }
        row.planted += 1;
        row.found += u64::from(control.seen);
        row.missed.extend((!control.seen).then_some(replay));
    }
}
