//! Explores a model, and says truthfully how far: loom alone is silent about a bound that it met.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Model;

/// Set to `long` for the wide bounds.
const DEPTH_VARIABLE: &str = "WATERTIGHT_LOOM";

/// A model that has not ended by then is cut short, and says so.
const QUICK_MAX: Duration = Duration::from_millis(4_500);
const LONG_MAX: Duration = Duration::from_secs(600);

/// Executions between two looks at the clock.
const LOOK_EVERY: usize = 64;

/// Steps of one execution. Ours take some hundred; a model that needs more has a loop that does not end.
const BRANCHES_MAX: usize = 5_000;

/// How far models are explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Some seconds each.
    Quick,
    /// As quickly, on however slow a machine: a hunt ends by itself.
    Hunt,
    /// Some minutes each.
    Long,
}

impl Depth {
    pub fn from_env() -> Self {
        let is_long = std::env::var(DEPTH_VARIABLE).is_ok_and(|depth| depth == "long");
        if is_long { Self::Long } else { Self::Quick }
    }

    const fn max(self) -> Duration {
        match self {
            Self::Quick => QUICK_MAX,
            Self::Hunt | Self::Long => LONG_MAX,
        }
    }
}

/// How often a thread that could go on is interrupted; `None`: however often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preemptions {
    pub quick: Option<usize>,
    pub long: Option<usize>,
}

impl Preemptions {
    /// However often, quickly and long: the model is small.
    pub const ANY: Self = Self { quick: None, long: None };

    /// Quickly up to so many: two suffice for every mutant.
    pub const fn quickly(bound: usize) -> Self {
        Self { quick: Some(bound), long: None }
    }

    const fn at(self, depth: Depth) -> Option<usize> {
        match depth {
            Depth::Quick | Depth::Hunt => self.quick,
            Depth::Long => self.long,
        }
    }
}

/// What was explored without finding anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explored {
    pub executions: usize,
    pub took: Duration,
    pub end: End,
}

/// Why an exploration ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Every execution that differs was played.
    Exhaustive,
    /// Every one with so few preemptions was.
    Preemptions(usize),
    /// The time was over.
    Cut(Duration),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhaustive => f.write_str("exhaustive"),
            Self::Preemptions(bound) => write!(f, "all with up to {bound} preemptions"),
            Self::Cut(after) => write!(f, "cut short after {} s", after.as_secs_f64()),
        }
    }
}

/// Plays the executions of `model`, counting them; panics in the first that breaks a promise.
#[expect(clippy::disallowed_methods, reason = "loom's bound on time is one on wall-clock time")]
pub(super) fn explore(model: Model, depth: Depth, executions: &Arc<AtomicUsize>) -> Explored {
    let count = Arc::clone(executions);
    let preemptions = model.preemptions.at(depth);
    let started = Instant::now();
    builder(preemptions, depth).check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        (model.body)();
    });
    let took = started.elapsed();
    let end = match preemptions {
        // Loom's clock starts after ours: what it cut short took at least as long by ours.
        _ if took >= depth.max() => End::Cut(depth.max()),
        Some(bound) => End::Preemptions(bound),
        None => End::Exhaustive,
    };
    Explored { executions: executions.load(Ordering::Relaxed), took, end }
}

/// Every bound is set here: loom would take those that are not from its environment variables.
fn builder(preemptions: Option<usize>, depth: Depth) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = loom::MAX_THREADS;
    builder.max_branches = BRANCHES_MAX;
    builder.max_permutations = None;
    builder.max_duration = Some(depth.max());
    builder.preemption_bound = preemptions;
    builder.checkpoint_file = None;
    builder.checkpoint_interval = LOOK_EVERY;
    builder
}
