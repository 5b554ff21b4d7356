//! Brings a world to life and plays its cycles: the same cycle (`cycle`) in every engine (`sim`, `process`).
//!
//! [`play`] takes a case and gives back what was [`Measured`]; [`WorldPlayer`] judges and explains it and makes the report.

mod audit;
mod checks;
mod cycle;
mod inventory;
mod mutant;
mod pace;
mod parties;
mod plant;
mod player;
mod process;
mod sim;
mod storm;

use std::time::Duration;

pub use mutant::Mutation;
pub use plant::{Plant, PlantError, Planted};
pub use player::WorldPlayer;
pub use process::{EXEC_ROLE, exec_role};

use watertight_probe::heap::Testimony;

use crate::explain::SiteSnapshot;
use crate::runner::{Event, Stop};
use crate::scenario::Scenario;
use crate::scenario::model::{EngineKind, PeerSpec};
use crate::seed::Seed;
use crate::timeline::{CycleRecord, Timeline};
use crate::world::{World, WorldError};

/// What a run is asked for beyond its scenario.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The engine to play in.
    pub engine: EngineKind,
    /// The seed of every draw.
    pub seed: Seed,
    /// Leaks to plant in the target.
    pub plants: &'a [Plant],
    /// Whether every event on a link is told, for a comparison of two runs.
    pub events: bool,
    /// Asked between cycles and samples: whether to end early.
    pub stop: &'a Stop,
    /// What of the harness is broken on purpose: for tests of its own controls.
    pub mutation: Option<Mutation>,
}

/// Hears of a run while it goes on.
pub trait Observer {
    /// The run is about to begin and will have so many cycles, warm-up included.
    fn planned(&mut self, cycles: usize);

    /// A cycle has settled.
    fn cycle(&mut self, record: &CycleRecord);

    /// Something happened in scenario time; only if [`Wanted::events`].
    fn event(&mut self, event: Event);
}

/// What a run measured, before anybody judges it.
#[derive(Debug)]
pub struct Measured {
    /// The counts.
    pub timeline: Timeline,
    /// What the target held at the end of warm-up, half-way and at the end; only what grew has a name.
    pub snapshots: Vec<SiteSnapshot>,
    /// The await stack of one task for each place that still has live tasks, by `file:line` of its spawn.
    pub awaits: Vec<(String, Vec<String>)>,
    /// What dhat says of the heap at the end, where it was asked.
    pub testimony: Option<Testimony>,
    /// What a reader must know to trust the figures.
    pub notes: Vec<String>,
    /// Scenario time covered.
    pub scenario_time: Duration,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum PlayFailure {
    /// The world cannot play this scenario.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The system refused something the harness needs.
    #[error("cannot {what}: {why}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        why: std::io::Error,
    },
}

impl PlayFailure {
    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |why| Self::System { what, why }
    }
}

/// Cycles of a run: warm-up, and counted ones.
#[derive(Debug, Clone, Copy)]
struct CycleCounts {
    warm_up: usize,
    counted: usize,
}

impl CycleCounts {
    fn of<P: PeerSpec>(scenario: &Scenario<P>, engine: EngineKind) -> Self {
        let cycles = scenario.cycles;
        match (engine, cycles.wall) {
            (EngineKind::Process | EngineKind::Container, Some(wall)) => {
                Self { warm_up: wall.warm_up, counted: wall.count }
            }
            _ => Self { warm_up: cycles.warm_up, counted: cycles.count },
        }
    }

    fn planned(self) -> usize {
        self.warm_up + self.counted
    }
}

/// Plays `scenario` in the engine that is wanted.
///
/// Counts are those of this process: play one case in a process.
pub fn play<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let counts = CycleCounts::of(scenario, wanted.engine);
    observer.planned(counts.planned());
    let mut measured = match wanted.engine {
        EngineKind::Sim => sim::play(world, scenario, counts, wanted, observer),
        EngineKind::Process | EngineKind::Container => {
            process::play(world, scenario, counts, wanted, observer)
        }
    }?;
    if scenario.target.limits.is_some() && wanted.engine != EngineKind::Container {
        measured.notes.push("limits: nothing holds the target to them outside a container".to_owned());
    }
    Ok(measured)
}
