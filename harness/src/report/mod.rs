//! What a person or a pipeline reads: one format a file, all from the same [`CaseReport`].

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod environment;
pub mod gallery;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod openmetrics;
pub mod place;
pub mod plan;
pub mod sarif;
pub mod seeds;
pub mod soak;
pub mod terminal;

#[cfg(test)]
pub(crate) mod fixtures;

pub use crate::figures;
pub use environment::Environment;
pub use plan::CyclePlan;

use crate::exit::Exit;
use crate::explain::Finding;
use crate::resource::Resource;
use crate::scenario::model::EngineKind;
use crate::seconds;
use crate::seed::Seed;
use crate::timeline::{Audit, Timeline};
use crate::verdict::{Outcome, ResourceVerdict};

/// Everything one run of one case has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseReport {
    /// The scenario's name.
    pub scenario: String,
    /// The matrix case, `plcs=50`; empty without a matrix.
    pub case: String,
    /// The engine it played in.
    pub engine: EngineKind,
    /// The file it was read from, as the user named it.
    pub file: PathBuf,
    /// The scenario's `about`.
    pub about: String,
    /// The seed that replays it.
    pub seed: Seed,
    /// The target and its defect: `s7-gateway`, `s7-gateway (heartbeat_outlives_connection)`.
    pub target: String,
    /// The worst outcome of the resources and controls, whatever the scenario expects.
    pub outcome: Outcome,
    /// The outcome in one sentence: culprit first.
    pub headline: String,
    /// What the scenario says must happen; `None`: it was judged plainly.
    pub expected: Option<Expected>,
    /// The code a pipeline sees, expectation taken into account.
    pub exit: Exit,
    /// One line per resource, in table order.
    pub resources: Vec<ResourceVerdict>,
    /// What stayed behind, culprits first.
    pub findings: Vec<Finding>,
    /// Controls of the run.
    pub audit: Vec<Audit>,
    /// What the reader must know to trust the figures: fallbacks, things not measured, budgets broken.
    pub notes: Vec<String>,
    /// The command that repeats this run.
    pub replay: String,
    /// Scenario time covered.
    #[serde(rename = "scenario_time_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub scenario_time: Duration,
    /// Wall-clock time spent.
    #[serde(rename = "wall_time_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub wall_time: Duration,
    /// What was to happen in each cycle, and what was allowed; `None`: the case was never read, or it was not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<CyclePlan>,
    /// The measurements themselves.
    pub timeline: Timeline,
    /// What a soak has to say beside its verdict; `None`: it was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Box<soak::Soak>>,
}

impl CaseReport {
    /// The name of the case as a test: `engine::scenario::case`, the last part only with a matrix.
    pub fn test_name(&self) -> String {
        let name = format!("{}::{}", self.engine.name(), self.scenario);
        if self.case.is_empty() { name } else { format!("{name}::{}", self.case) }
    }

    /// Cycles that were judged.
    pub fn counted_cycles(&self) -> usize {
        let counted = || self.timeline.cycles.len().saturating_sub(self.timeline.warm_up);
        self.soak.as_ref().map_or_else(counted, |soak| soak.cycles)
    }

    /// Whether a table row says all there is to say: it ended well and needs no second look.
    pub fn is_plain(&self) -> bool {
        self.exit == Exit::Clean && self.outcome == Outcome::Clean
    }
}

/// A scenario's expectation and whether it came true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expected {
    /// In words: `clean`, `leak of tasks at heartbeat_outlives_connection.rs`.
    pub what: String,
    /// Whether it came true.
    pub met: bool,
    /// For a declared leak, what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<DeclaredLeak>,
}

/// What came of a leak that a scenario declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredLeak {
    /// What it says will grow.
    pub resource: Resource,
    /// A part of the place that it says will be named.
    pub site: String,
    /// Whether that resource was judged a leak.
    pub grows: bool,
    /// Whether a finding of that resource names the place.
    pub named: bool,
}

/// All cases of one `watertight run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The form of this document: [`VERSION`].
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// In the order of the files and their matrices.
    pub cases: Vec<CaseReport>,
    /// The worst exit of the cases.
    pub exit: Exit,
    /// Wall-clock time of the whole run.
    #[serde(rename = "wall_time_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub wall_time: Duration,
    /// Why the run says less than was asked for: interrupted, a case that could not run.
    pub problems: Vec<String>,
    /// Where it was played; `None`: on several machines, or nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

/// The form of the JSON report. It is raised when a field changes its name or meaning; new fields do not raise it.
pub const VERSION: u32 = 1;

impl RunReport {
    /// A report of `cases`, that ends with the worst of them, without problems, on this machine.
    pub fn of(cases: Vec<CaseReport>, wall_time: Duration) -> Self {
        let exit = cases.iter().fold(Exit::Clean, |worst, case| worst.worse(case.exit));
        let environment = Some(Environment::gather());
        Self { version: VERSION, cases, exit, wall_time, problems: Vec::new(), environment }
    }
}
