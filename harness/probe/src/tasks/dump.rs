//! Task dumps: where each task waits. tokio stops the runtime for one, so every dump has a bound.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::runtime::dump::{BacktraceSymbol, Dump, Trace};

use super::tracked::number;
use super::{DumpError, TaskDump};
use crate::{Tenant, frames};

/// tokio panics on a dump elsewhere.
const SUPPORTED: bool = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));
const WHY_NOT: &str = "tokio dumps tasks on Linux x86_64 and aarch64 only";

/// Lines kept of one task's trace.
const LINES_MAX: usize = 32;

pub(super) fn from_outside(handle: &Handle, within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    if !SUPPORTED {
        return Err(DumpError::Unsupported(WHY_NOT));
    }
    let _probe = Tenant::PROBE.enter();
    let Some(turn) = Turn::take() else { return Err(DumpError::Busy) };
    let (answer, dump) = mpsc::sync_channel(1);
    // On the runtime, since a current-thread runtime can be dumped from within only.
    let task = handle.spawn(async move {
        let dump = Handle::current().dump().await;
        drop(turn);
        // Nobody listens after the bound: the dump is dropped then.
        drop(answer.send((dump, tokio::task::id())));
    });
    match dump.recv_timeout(within) {
        Ok((dump, own)) => Ok(readable(&dump, Some(own))),
        Err(RecvTimeoutError::Timeout) => {
            task.abort();
            Err(DumpError::TimedOut { within })
        }
        Err(RecvTimeoutError::Disconnected) => Err(DumpError::RuntimeGone),
    }
}

pub(super) async fn from_inside(within: Duration) -> Result<Vec<TaskDump>, DumpError> {
    if !SUPPORTED {
        return Err(DumpError::Unsupported(WHY_NOT));
    }
    let dump = Tenant::PROBE.scope(tokio::time::timeout(within, Handle::current().dump())).await;
    let _probe = Tenant::PROBE.enter();
    let dump = dump.map_err(|_elapsed| DumpError::TimedOut { within })?;
    Ok(readable(&dump, tokio::task::try_id()))
}

/// At most one dump waits for a runtime: a blocked worker must not collect them.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        (!TAKEN.swap(true, Ordering::AcqRel)).then_some(Self)
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
        let function = short_function(symbol.name_demangled()?);
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

/// A demangled name without its trailing hash.
fn short_function(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            head.to_owned()
        }
        _ => name.to_owned(),
    }
}
