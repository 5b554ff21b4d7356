//! Task dumps: where each task waits. tokio stops the runtime for one, so every dump has a bound.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::dump::{BacktraceSymbol, Dump, Trace};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

use super::tracked::number;
use super::{DumpError, TaskDump};
use crate::{Tenant, frames};

/// Between two looks at the workers.
const PULSE_PAUSE: Duration = Duration::from_millis(5);

/// Lines kept of one task's trace.
const LINES_MAX: usize = 32;

pub(super) fn from_outside(handle: &Handle, within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    let _probe = Tenant::PROBE.enter();
    let Some(turn) = Turn::take() else { return Err(DumpError::Busy) };
    // A dead runtime ends what is spawned on it at once.
    let sign_of_life = handle.spawn(std::future::pending::<()>());
    if sign_of_life.is_finished() {
        return Err(DumpError::RuntimeGone);
    }
    sign_of_life.abort();
    let deadline = Instant::now() + within;
    let pulse = Pulse::of(handle);
    while !pulse.is_felt(handle) {
        if Instant::now() >= deadline {
            return Err(DumpError::TimedOut { within });
        }
        std::thread::sleep(PULSE_PAUSE);
    }
    spend(handle)?;
    let (answer, dump) = mpsc::sync_channel(1);
    // On the runtime, since a current-thread runtime can be dumped from within only.
    let task = handle.spawn(async move {
        let dump = Handle::current().dump().await;
        drop(turn);
        // Nobody listens after the bound: the dump is dropped then.
        drop(answer.send((dump, tokio::task::id())));
    });
    match dump.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok((dump, own)) => Ok(readable(&dump, Some(own))),
        Err(RecvTimeoutError::Timeout) => {
            task.abort();
            Err(DumpError::TimedOut { within })
        }
        Err(RecvTimeoutError::Disconnected) => Err(DumpError::RuntimeGone),
    }
}

pub(super) async fn from_inside(within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    let handle = Handle::current();
    let dump = async {
        let pulse = Pulse::of(&handle);
        while !pulse.is_felt(&handle) {
            tokio::time::sleep(PULSE_PAUSE).await;
        }
        spend(&handle)?;
        Ok(handle.dump().await)
    };
    let dump = Tenant::PROBE.scope(tokio::time::timeout(within, dump)).await;
    let _probe = Tenant::PROBE.enter();
    let dump = dump.map_err(|_elapsed| DumpError::TimedOut { within })??;
    Ok(readable(&dump, tokio::task::try_id()))
}

/// Whether every worker of a runtime gets back to its scheduler, which a dump needs all of them to do.
///
/// Asked before tokio is: once it has waited 250 ms in vain for a blocked worker, tokio 1.54 miscounts who has come to
/// its barrier (a worker that gave up waiting stays counted), and the next to come may wait there for ever.
struct Pulse {
    /// Per worker, when first looked at.
    first: Vec<(u64, u64)>,
}

impl Pulse {
    fn of(handle: &Handle) -> Self {
        let workers = match handle.runtime_flavor() {
            // It is dumped from within: it is at its scheduler then.
            RuntimeFlavor::CurrentThread => 0,
            _ => handle.metrics().num_workers(),
        };
        Self { first: (0..workers).map(|worker| beats(handle, worker)).collect() }
    }

    /// Whether each worker is parked now, or has parked or polled since.
    fn is_felt(&self, handle: &Handle) -> bool {
        self.first.iter().enumerate().all(|(worker, first)| {
            let now = beats(handle, worker);
            // Parked is odd: see RuntimeMetrics::worker_park_unpark_count.
            now.0 % 2 == 1 || now != *first
        })
    }
}

fn beats(handle: &Handle, worker: usize) -> (u64, u64) {
    let metrics = handle.metrics();
    (metrics.worker_park_unpark_count(worker), metrics.worker_poll_count(worker))
}

/// Lets each multi-thread runtime be dumped once.
///
/// tokio 1.54 again: a worker that is back at its scheduler before the finished request is withdrawn goes to the barrier
/// a second time, alone, gives up and stays counted. That dump is whole; the next would meet a barrier one short.
fn spend(handle: &Handle) -> Result<(), DumpError> {
    if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(());
    }
    let mut spent = SPENT.lock().unwrap_or_else(PoisonError::into_inner);
    if spent.len() >= RUNTIMES_MAX || spent.contains(&handle.id()) {
        return Err(DumpError::Spent);
    }
    spent.push(handle.id());
    Ok(())
}

/// Multi-thread runtimes that one process can dump.
const RUNTIMES_MAX: usize = 64;

static SPENT: Mutex<Vec<tokio::runtime::Id>> = Mutex::new(Vec::new());

/// At most one dump waits for a runtime: a blocked worker must not collect them.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        // Made only if it is taken: a turn that is dropped ends.
        (!TAKEN.swap(true, Ordering::AcqRel)).then(|| Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

static TAKEN: AtomicBool = AtomicBool::new(false);

fn readable(dump: &Dump, own: Option<tokio::task::Id>) -> Vec<TaskDump> {
    let others = dump.tasks().iter().filter(|task| Some(task.id()) != own);
    let mut tasks: Vec<_> =
        others.map(|task| TaskDump { id: number(task.id()), trace: lines(task.trace()) }).collect();
    tasks.sort();
    tasks
}

/// Own frames innermost first; before each run of them, the foreign function it waits in.
///
/// tokio leaves out the frame that polls the task, and with it whatever the compiler inlined there: in optimised code a
/// small task may show nothing of its own. [`Tenant::scope`] keeps a frame of its own between, and so all lines.
fn lines(trace: &Trace) -> Vec<String> {
    let mut lines = Vec::new();
    for backtrace in trace.resolve_backtraces() {
        let mut waits_in = None;
        for symbol in backtrace.frames().flat_map(|frame| frame.symbols()) {
            match Place::of(symbol) {
                Some(place) if place.own => {
                    lines.extend(waits_in.take().map(|what| format!("waits in {what}")));
                    lines.push(place.line);
                }
                // The outermost foreign function is the one that own code awaits.
                Some(place) => waits_in = Some(place.line),
                None => {}
            }
        }
        lines.extend(waits_in.take().map(|what| format!("waits in {what}")));
    }
    lines.truncate(LINES_MAX);
    lines
}

struct Place {
    line: String,
    own: bool,
}

impl Place {
    /// `None`: nothing a reader would miss.
    fn of(symbol: &BacktraceSymbol) -> Option<Self> {
        let function = frames::legible(symbol.name_demangled()?);
        let file = symbol.filename().map(Path::to_string_lossy);
        let own = file.as_deref().is_some_and(frames::is_own_file);
        if !own
            && ["core::", "std::", "<core::", "alloc::", "tokio::runtime::"]
                .iter()
                .any(|std| function.starts_with(std))
        {
            return None;
        }
        let line = match (file, symbol.lineno()) {
            (Some(file), Some(line)) => format!("{function} at {}:{line}", frames::short_path(&file)),
            _ => function,
        };
        Some(Self { line, own })
    }
}
