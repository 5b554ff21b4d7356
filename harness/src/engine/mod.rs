//! Brings a world to life and plays its cycles: the same cycle (`cycle`) in every engine (`sim`, `process`).
//!
//! [`play`] takes a case and gives back what was [`Measured`]; [`WorldPlayer`] judges and explains it and makes the report.

mod audit;
mod checks;
mod cycle;
mod inventory;
mod late;
mod mutant;
pub(crate) mod network;
mod pace;
mod parties;
mod phases;
mod plant;
mod player;
mod process;
mod sim;
mod soak;
mod storm;

use std::time::Duration;

pub use mutant::Mutation;
pub use network::Network;
pub use plant::{Plant, PlantError, Planted};
pub use player::WorldPlayer;
pub use process::{EXEC_ROLE, exec_role};

use watertight_probe::heap::Testimony;

use crate::explain::SiteSnapshot;
use crate::report::soak::{Capture, Checkpoint};
use crate::runner::{Asked, Event, PhaseBegun, Stop};
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
    /// Play for a time in the place of a number of cycles.
    pub soak: Option<Soaking<'a>>,
}

impl Wanted<'_> {
    /// Cycles whose draws are not drawn again.
    fn cycles_before(&self) -> usize {
        self.soak.map_or(0, |soaking| soaking.cycles_before)
    }
}

/// A run with a clock in the place of a count. What it measures goes to the observer as it comes, and is not held.
#[derive(Debug, Clone, Copy)]
pub struct Soaking<'a> {
    /// How long it lasts, in scenario time at the engine's pace; the cycle in flight is played to its end.
    pub lasts: Duration,
    /// Cycles that earlier segments of the same soak have played: their draws are not drawn again.
    pub cycles_before: usize,
    /// Asked after each cycle: whether a capture is wanted.
    pub asked: &'a Asked,
}

/// Hears of a run while it goes on.
pub trait Observer {
    /// The run is about to begin and will have so many cycles, warm-up included.
    fn planned(&mut self, cycles: usize);

    /// A phase has begun; only in engines whose time a person can watch.
    fn phase(&mut self, phase: PhaseBegun) {
        let _ = phase;
    }

    /// A cycle has settled.
    fn cycle(&mut self, record: &CycleRecord);

    /// Something happened in scenario time; only if [`Wanted::events`].
    fn event(&mut self, event: Event);

    /// What was measured beside cycles up to now; only of a soak.
    fn checkpoint(&mut self, _checkpoint: Checkpoint) {}

    /// What the target holds now; only of a soak, where it was asked for.
    fn capture(&mut self, _capture: Capture) {}
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
    // A soak counts cycles until its time is over.
    let counts = if wanted.soak.is_some() { CycleCounts { counted: 0, ..counts } } else { counts };
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
