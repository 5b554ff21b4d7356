//! Real programs, real TCP through the chaos proxy, the wall clock at the scenario's pace.
//!
//! The target and its server peers are programs (`program`), every link has its proxies (`wiring`), the target is looked at
//! from outside and inside ([`Sampler`](crate::census::Sampler)); all of them together are the world that lives (`live`). Consumers run in this process.

mod foreign;
mod here;
mod live;
mod oom;
mod orphans;
mod output;
mod ports;
mod probe_at;
mod program;
mod wiring;

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

pub use program::{EXEC_ROLE, exec_role};

use self::here::Here;
use self::live::Live;
use self::orphans::Heir;
use super::cycle::{self, Script};
use super::{CycleCounts, Measured, Observer, PlayFailure, Wanted, pace};
use crate::census::Census;
use crate::housing::{House, Lease};
use crate::scenario::Scenario;
use crate::scenario::model::EngineKind;
use crate::scenario::plan::Plan;
use crate::timeline::{Ended, Timeline};
use crate::world::{Setting, World, WorldError};

/// How long programs that the run started may take to end in order, once it is over.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The same when somebody waits for the run to end early: whoever asked for it kills it soon after.
const STOP_EARLY_WITHIN: Duration = Duration::from_secs(2);

/// Plays `scenario` with programs of its own.
pub(super) fn play<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(PlayFailure::system("build the runtime"))?;
    let heir = Heir::begin().map_err(PlayFailure::system("inherit what programs leave behind"))?;
    let scratch = tempfile::tempdir().map_err(PlayFailure::system("make a temporary folder"))?;
    let pace = scenario.cycles.wall.map_or(1.0, |wall| wall.pace);
    let mut measured = runtime.block_on(async {
        let house = house(world, scenario, wanted.engine, scratch.path()).await?;
        let (seed, scratch, listen) = (wanted.seed, scratch.path(), house.listen());
        let setting = Setting { scenario, seed, pace, scratch, listen };
        run(world, setting, house, counts, wanted, observer).await
    });
    let swept = runtime.block_on(heir.sweep());
    if let Ok(measured) = &mut measured {
        measured.notes.extend(left_behind(swept));
    }
    // Whatever a consumer still waits for ends with the runtime.
    runtime.shutdown_background();
    measured
}

/// Where the target is to live.
async fn house<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    engine: EngineKind,
    scratch: &Path,
) -> Result<Box<dyn House>, PlayFailure> {
    if engine != EngineKind::Container {
        return Ok(Box::new(Here));
    }
    let none = || WorldError::Unknown("this program is built without containers".to_owned());
    let target = &scenario.target;
    let limits = target.limits.unwrap_or_default();
    let lease = Lease { image: target.image.as_deref(), limits, scratch };
    Ok(world.houses().ok_or_else(none)?.open(lease).await?)
}

async fn run<W: World>(
    world: &W,
    setting: Setting<'_, W::Peer>,
    house: Box<dyn House>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let mut live = Live::new(world, setting, house);
    if let Err(unstarted) = live.start(wanted.mutation).await {
        live.stop(STOP_EARLY_WITHIN).await;
        return match unstarted {
            Unstarted::Failure(failure) => Err(failure),
            Unstarted::Ended(ended) => Ok(nothing_measured(counts, ended)),
        };
    }
    let paced = pace::paced(setting.scenario, setting.pace);
    let plan = |cycle| Plan::compile(&paced, wanted.seed, cycle + wanted.cycles_before());
    let Wanted { plants, stop, mutation, soak, .. } = wanted;
    let script = Script { plan: &plan, counts, plants, stop, mutation, soak };
    let began = Instant::now();
    let played = cycle::play(&mut live, &script, observer).await;
    let lasted = began.elapsed();
    let mut measured = live.measured(played, counts, lasted).await;
    let is_early = measured.timeline.ended == Some(Ended::Interrupted);
    measured.notes.extend(live.stop(if is_early { STOP_EARLY_WITHIN } else { STOP_WITHIN }).await);
    Ok(measured)
}

/// Processes that were still there once every program had been ended, in a sentence.
fn left_behind(swept: Result<usize, usize>) -> Option<String> {
    match swept {
        Ok(0) => None,
        Ok(count) => {
            Some(format!("processes that outlived the programs which started them: {count}, all killed"))
        }
        Err(count) => {
            Some(format!("processes that outlived the run: {count} could not be killed: end them by hand"))
        }
    }
}

/// A target that never came to life is a finding, not a failure of the harness.
fn nothing_measured(counts: CycleCounts, ended: Ended) -> Measured {
    Measured {
        timeline: Timeline {
            exact: false,
            warm_up: counts.warm_up,
            planned: counts.planned(),
            cycles: Vec::new(),
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            ended: Some(ended),
        },
        snapshots: Vec::new(),
        awaits: Vec::new(),
        testimony: None,
        notes: Vec::new(),
        scenario_time: Duration::ZERO,
    }
}

/// Why the world is not there.
enum Unstarted {
    Failure(PlayFailure),
    Ended(Ended),
}

impl<E: Into<PlayFailure>> From<E> for Unstarted {
    fn from(failure: E) -> Self {
        Self::Failure(failure.into())
    }
}
