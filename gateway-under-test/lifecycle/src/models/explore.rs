//! Explores a model, and says truthfully how far: loom alone is silent about a bound that it met.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Model;

/// Set to `long` for the wide bounds.
const DEPTH_VARIABLE: &str = "WATERTIGHT_LOOM";

/// Executions of a model in a quick run; some seconds. A count, so that a busy machine explores the same.
const QUICK_MAX: usize = 20_000;

/// What a model may take in a long run.
const LONG_MAX: Duration = Duration::from_secs(120);

/// Steps of one execution. Ours take some hundred; a model that needs more has a loop that does not end.
const BRANCHES_MAX: usize = 5_000;

/// How far models are explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Some seconds each.
    Quick,
    /// As a quick run, and without an end but its own.
    Hunt,
    /// Some minutes each.
    Long,
}

impl Depth {
    pub fn from_env() -> Self {
        let is_long = std::env::var(DEPTH_VARIABLE).is_ok_and(|depth| depth == "long");
        if is_long { Self::Long } else { Self::Quick }
    }

    const fn limit(self) -> Limit {
        match self {
            Self::Quick => Limit::Executions(QUICK_MAX),
            Self::Long => Limit::Time(LONG_MAX),
            Self::Hunt => Limit::None,
        }
    }
}

/// Where an exploration is cut short.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    None,
    Executions(usize),
    Time(Duration),
}

impl Limit {
    /// Whether an exploration may have been cut short here; one that ended by itself in that moment counts as cut, too.
    fn is_met(self, executions: usize, took: Duration) -> bool {
        match self {
            Self::None => false,
            Self::Executions(max) => executions >= max,
            // Loom's clock starts after ours: what it cuts short has taken at least as long by ours.
            Self::Time(max) => took >= max,
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
    /// The search under this bound on preemptions was over; what takes more was not played.
    Preemptions(usize),
    /// It was cut short.
    Cut(Limit),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhaustive => f.write_str("exhaustive"),
            Self::Preemptions(bound) => write!(f, "at most {bound} preemptions"),
            Self::Cut(Limit::Time(max)) => write!(f, "cut short after {} s", max.as_secs()),
            Self::Cut(_) => f.write_str("cut short"),
        }
    }
}

/// Plays the executions of `model`, counting them; panics in the first that breaks a promise.
#[expect(clippy::disallowed_methods, reason = "loom's bound on time is one on wall-clock time")]
pub(super) fn explore(model: Model, depth: Depth, executions: &Arc<AtomicUsize>) -> Explored {
    let count = Arc::clone(executions);
    let preemptions = model.preemptions.at(depth);
    let started = Instant::now();
    builder(preemptions, depth.limit()).check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        (model.body)();
    });
    let took = started.elapsed();
    let executions = executions.load(Ordering::Relaxed);
    let end = match preemptions {
        _ if depth.limit().is_met(executions, took) => End::Cut(depth.limit()),
        Some(bound) => End::Preemptions(bound),
        None => End::Exhaustive,
    };
    Explored { executions, took, end }
}

/// Every bound is set here: loom would take those that are not from its environment variables.
fn builder(preemptions: Option<usize>, limit: Limit) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = loom::MAX_THREADS;
    builder.max_branches = BRANCHES_MAX;
    builder.preemption_bound = preemptions;
    builder.checkpoint_file = None;
    // Loom looks at its limits so often, each time before an execution that it may not play.
    builder.checkpoint_interval = 1;
    builder.max_permutations = if let Limit::Executions(max) = limit { Some(max + 1) } else { None };
    builder.max_duration = if let Limit::Time(max) = limit { Some(max) } else { None };
    builder
}

pub(super) mod tests {
    use super::*;

    /// Two threads and one lock, so often that a quick run would not end.
    fn endless() {
        let lock = loom::sync::Arc::new(loom::sync::Mutex::new(0));
        let other = loom::sync::Arc::clone(&lock);
        let count =
            |lock: &loom::sync::Mutex<u32>| (0..12).for_each(|_| *lock.lock().expect("no panic") += 1);
        let thread = loom::thread::spawn(move || count(&other));
        count(&lock);
        thread.join().expect("no panic");
    }

    fn explored(preemptions: Option<usize>) -> Explored {
        let preemptions = Preemptions { quick: preemptions, long: None };
        explore(Model { name: "endless", preemptions, body: endless }, Depth::Quick, &Arc::default())
    }

    /// A bound that was met is never called exhaustive.
    pub fn a_cut_is_told() -> Result<(), String> {
        let (cut, bounded) = (explored(None), explored(Some(1)));
        let ends = (cut.executions, cut.end.to_string(), bounded.end.to_string());
        let expected = (QUICK_MAX, "cut short".to_owned(), "at most 1 preemptions".to_owned());
        if ends == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {ends:?}")) }
    }
}
