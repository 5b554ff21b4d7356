//! The language: the types a scenario file is read into. Keys here are the keys in YAML.

use std::collections::BTreeMap;
use std::fmt;

use garde::Validate;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::chaos::Fault;
use crate::resource::Resource;
use crate::units::{Amount, Size, Time};

use super::ignore::Ignore;
pub use super::target::{Ready, Target};

/// What a peer in `world:` must be: an enum of kinds, each a single-key map in YAML (`s7: { count: 4 }`).
pub trait PeerSpec:
    DeserializeOwned + JsonSchema + Validate<Context = ()> + Clone + fmt::Debug + Send + Sync + 'static
{
}

impl<T> PeerSpec for T where
    T: DeserializeOwned + JsonSchema + Validate<Context = ()> + Clone + fmt::Debug + Send + Sync + 'static
{
}

/// The pattern of [`Scenario::name`], once more, to put it into words.
pub(super) const NAME_PATTERN: &str = r"^[a-z0-9]+(-[a-z0-9]+)*$";

/// A scenario file: what is brought to life, how it is disturbed, and what must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Scenario<P: PeerSpec> {
    /// Where the schema lies that editors complete and check this file with. The first line can say it as well:
    /// `# yaml-language-server: $schema=scenario.schema.json`.
    #[serde(default, rename = "$schema")]
    #[garde(skip)]
    pub schema: Option<String>,
    /// The version of this language: 1.
    #[garde(range(min = 1, max = 1))]
    pub version: u32,
    /// The scenario's name: lower-case words joined by `-`, unique in its folder.
    #[garde(pattern(r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub name: String,
    /// One or two sentences: what is disturbed, and what must not be left behind.
    #[garde(length(chars, min = 1))]
    pub about: String,
    /// Words to choose scenarios by (`--tag gate`).
    #[serde(default)]
    #[garde(skip)]
    pub tags: Vec<String>,
    /// The engines it plays in; the first is the default.
    #[serde(default = "sim_only")]
    #[garde(length(min = 1))]
    pub engines: Vec<EngineKind>,
    /// Names and values; each combination is a case of its own. `$name` stands for the value anywhere in the file.
    #[serde(default)]
    #[garde(skip)]
    pub matrix: IndexMap<String, Vec<MatrixValue>>,
    /// The seed of every draw.
    #[serde(default)]
    #[garde(skip)]
    pub seed: u64,
    /// The service under test.
    #[garde(dive)]
    pub target: Target,
    /// The peers of the target and its consumers, by name.
    #[garde(dive)]
    pub world: BTreeMap<String, P>,
    /// What each link can hold; a link has the name of its peer.
    #[serde(default)]
    #[garde(dive)]
    pub links: BTreeMap<String, LinkSpec>,
    /// How often the cycle is played.
    #[garde(dive)]
    pub cycles: Cycles,
    /// The phases of one cycle, in order. Exactly one, the last, settles (`until`).
    #[garde(length(min = 1), dive)]
    pub cycle: Vec<Phase>,
    /// What must hold.
    #[serde(default)]
    #[garde(dive)]
    pub expect: Expect,
    /// Leaks that are known and put up with for a while, each with a reason, an owner and a day on which it expires.
    #[serde(default)]
    #[garde(dive)]
    pub ignore: Vec<Ignore>,
}

fn sim_only() -> Vec<EngineKind> {
    vec![EngineKind::Sim]
}

/// How a world is brought to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// One process, one thread, paused clock, in-memory streams: exact and fast.
    Sim,
    /// Real binaries, real TCP through the chaos proxy, wall-clock time.
    Process,
    /// As `process`, with the target in a container of its own: under limits, on a network that leads nowhere else.
    Container,
}

impl EngineKind {
    /// The name in YAML, test names and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Process => "process",
            Self::Container => "container",
        }
    }

    /// Whether a scenario that names `engines` plays in this one. What plays in processes plays in containers too, where that
    /// is asked for.
    pub fn plays(self, engines: &[Self]) -> bool {
        engines.contains(&self) || self == Self::Container && engines.contains(&Self::Process)
    }
}

/// One value of a matrix variable.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum MatrixValue {
    /// A whole number.
    Number(i64),
    /// Any other value, put into the file as it is written.
    Text(String),
}

impl<'de> Deserialize<'de> for MatrixValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().map_or(Self::Text(text), Self::Number))
    }
}

impl fmt::Display for MatrixValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The link between the target and one peer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// All that one direction of one connection may hold; then real back-pressure. 64KiB unless said.
    #[serde(default)]
    #[garde(skip)]
    pub buffer: Option<Size>,
    /// How long a byte is under way, without any fault.
    #[serde(default)]
    #[garde(skip)]
    pub latency: Option<Time>,
}

/// How often the cycle is played.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Cycles {
    /// Cycles before counting starts: caches fill, lazy statics are made.
    #[garde(range(min = 1, max = 1_000_000))]
    pub warm_up: usize,
    /// Counted cycles: at least 10, since the back half of the run is judged in five windows, and each needs a cycle.
    #[garde(range(min = 10, max = 10_000_000))]
    pub count: usize,
    /// What differs in engines that play in wall-clock time.
    #[serde(default)]
    #[garde(dive)]
    pub wall: Option<WallCycles>,
}

/// Cycles on the wall clock, where waiting costs time and counts are sampled.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct WallCycles {
    /// Cycles before counting starts.
    #[garde(range(min = 1, max = 1_000_000))]
    pub warm_up: usize,
    /// Counted cycles: at least 10, since the back half of the run is judged in five windows, and each needs a cycle.
    #[garde(range(min = 10, max = 10_000_000))]
    pub count: usize,
    /// How many times faster than written the scenario is played: every time in the file is divided by it.
    #[serde(default = "as_written")]
    #[garde(range(min = 0.1, max = 1000.0))]
    pub pace: f64,
}

fn as_written() -> f64 {
    1.0
}

/// One phase of a cycle: a disturbance (`for`), or the settling (`within`, `until`).
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name in plans, events and reports.
    #[garde(length(chars, min = 1))]
    pub name: String,
    /// How long it lasts. Every fault heals at its end.
    #[serde(default, rename = "for")]
    #[garde(skip)]
    pub lasts: Option<Time>,
    /// What goes wrong during it.
    #[serde(default)]
    #[garde(dive)]
    pub faults: Vec<Fault>,
    /// The bound of a settling phase.
    #[serde(default)]
    #[garde(skip)]
    pub within: Option<Time>,
    /// Gauges of the target, each with the value that means "at rest".
    #[serde(default)]
    #[garde(skip)]
    pub until: Option<IndexMap<String, f64>>,
    /// How long the target is watched once it is at rest; the census is the floor over that window. 2s unless said.
    #[serde(default)]
    #[garde(skip)]
    pub watch: Option<Time>,
}

/// What must hold. What is not said is judged by the defaults: tasks, fds, threads and heap must not grow.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Budgets at every sample of the run, disturbances included.
    #[serde(default)]
    #[garde(skip)]
    pub always: Always,
    /// Growth at rest, by resource.
    #[serde(default)]
    #[garde(skip)]
    pub at_rest: IndexMap<Resource, AtRest>,
    /// Counters of the target, by their gauges' names: how much each must rise in every cycle, on the whole, or the run has not
    /// done what it is for and is `Invalid`.
    #[serde(default)]
    #[garde(skip)]
    pub each_cycle: IndexMap<String, MinCount>,
    /// After the last disturbance of a cycle.
    #[serde(default)]
    #[garde(skip)]
    pub recovery: Option<Recovery>,
    /// This scenario must end in a leak: the proof that it can be seen.
    #[serde(default)]
    #[garde(skip)]
    pub leak: Option<ExpectedLeak>,
    /// This scenario must end in this outcome, which is no leak and yet something to be seen.
    #[serde(default)]
    #[garde(skip)]
    pub outcome: Option<ExpectedOutcome>,
}

/// Budgets that hold at every sample.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Always {
    /// Panics of the target's tasks. 0 unless said.
    #[serde(default)]
    pub panics: u64,
    /// Live tasks.
    #[serde(default)]
    pub tasks: Option<MaxCount>,
    /// Open file descriptors.
    #[serde(default)]
    pub fds: Option<MaxCount>,
    /// Threads.
    #[serde(default)]
    pub threads: Option<MaxCount>,
    /// Live heap bytes.
    #[serde(default)]
    pub heap: Option<MaxBytes>,
    /// Resident set size.
    #[serde(default)]
    pub rss: Option<MaxBytes>,
}

/// A budget as a count.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxCount {
    /// The most that is allowed.
    pub max: u64,
}

/// What a counter must rise by.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MinCount {
    /// The least.
    pub min: u64,
}

/// A budget in bytes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxBytes {
    /// The most that is allowed.
    pub max: Size,
}

/// What is allowed at rest for one resource.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtRest {
    /// Growth allowed per cycle, in units (tasks, fds, heap blocks). 0 unless said.
    #[serde(default)]
    pub grow: f64,
    /// The most at rest: a count, or bytes with a unit for heap and RSS.
    #[serde(default, deserialize_with = "amount")]
    #[schemars(with = "Option<Amount>")]
    pub max: Option<u64>,
    /// Whether a cache that fills is allowed here. `true` unless said.
    #[serde(default = "yes")]
    pub saturate: bool,
}

fn yes() -> bool {
    true
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Amount>::deserialize(deserializer)?.map(|amount| amount.0))
}

/// How fast the target must be back.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// From the start of the settling phase until its condition holds.
    pub within: Time,
}

/// A leak that must be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedLeak {
    /// The resource that must be judged `Leak`.
    pub resource: Resource,
    /// Part of the site that must be named, such as `heartbeat_outlives_connection.rs`.
    pub site: String,
}

/// An outcome that must be reached, beside a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    /// RSS rises while live heap is flat.
    Retained,
    /// Something rises, ever slower.
    Saturating,
}
