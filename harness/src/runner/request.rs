//! What a child is asked to play: one JSON line on its standard input.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Mutation, Network, Plant};
use crate::scenario::Ignore;
use crate::scenario::model::EngineKind;
use crate::seed::Seed;
use crate::units::Day;
use crate::verdict::Baseline;

/// One run of one case in one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The scenario file, as the user named it.
    pub file: PathBuf,
    /// The matrix case, `plcs=50`; empty without a matrix.
    pub case: String,
    /// The engine to play in.
    pub engine: EngineKind,
    /// `--set path=value`, in the order given.
    pub overrides: Vec<(String, String)>,
    /// The seed, if it is not the scenario's.
    pub seed: Option<Seed>,
    /// Counted cycles, if not the scenario's.
    pub cycles: Option<usize>,
    /// Judge plainly: the exit code is the outcome's, whatever the scenario expects.
    pub plain: bool,
    /// Leaks to plant inside the target.
    pub plants: Vec<Plant>,
    /// How the heap is attributed. The runner has set `WATERTIGHT_HEAP` accordingly.
    pub explain: Explain,
    /// Whether every event is told ([`super::Message::Event`]), for a comparison of two runs.
    pub events: bool,
    /// Leaks that the whole run puts up with, beside those of the scenario.
    #[serde(default)]
    pub ignore: Vec<Ignore>,
    /// The day of the run: entries of `ignore:` expire.
    pub today: Day,
    /// What was accepted for this case.
    #[serde(default)]
    pub baseline: Option<Baseline>,
    /// The network that the run's programs share; in sim there is none.
    #[serde(default)]
    pub network: Network,
    /// What of the harness is broken on purpose: only its own tests ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
    /// Play for a time in the place of a number of cycles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakRequest>,
    /// The command that repeats this run, without the number of its cycles: what a run shows says how many are needed.
    pub replay: String,
}

impl RunRequest {
    /// The command that repeats this run with so many counted cycles; `None`: with as many as this one was asked for.
    pub fn replay_with(&self, cycles: Option<usize>) -> String {
        match cycles.or(self.cycles) {
            Some(cycles) => format!("{} --cycles {cycles}", self.replay),
            None => self.replay.clone(),
        }
    }
}

/// One segment of a soak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoakRequest {
    /// How long it lasts, in scenario time.
    pub lasts: Duration,
    /// Cycles that earlier segments have played.
    pub cycles_before: usize,
}

/// Which witness attributes the heap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Explain {
    /// The probe's own sites: always on.
    #[default]
    Sites,
    /// dhat, in a run of its own.
    Dhat {
        /// Where dhat's JSON goes; `None`: only what it says is wanted.
        json: Option<PathBuf>,
    },
}

impl Explain {
    /// The value of `WATERTIGHT_HEAP` in the child.
    pub const fn heap_mode(&self) -> &'static str {
        match self {
            Self::Sites => "sites",
            Self::Dhat { .. } => "dhat",
        }
    }
}
