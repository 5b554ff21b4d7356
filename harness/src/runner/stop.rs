//! The wish to end early, and who may utter it: a signal, or the end of the parent.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::Exit;
use crate::runner::Asked;

/// How long a child may take to end in order once its parent is gone.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// Whether the run shall end early. Clones share the answer; asking costs two atomic loads at most and no allocation.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// Whoever this one also ends with.
    outer: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Nobody has asked for an end, and only [`Stop::request`] will.
    pub fn never() -> Self {
        Self::default()
    }

    /// SIGINT and SIGTERM ask for an end; a second one of them ends the process at once, with [`Exit::Inconclusive`].
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the first signal finds the flag unset, passes the shutdown by, and sets it.
            let status = Exit::Inconclusive as i32;
            signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&stop.asked))?;
            signal_hook::flag::register(signal, Arc::clone(&stop.asked))?;
        }
        Ok(stop)
    }

    /// For a child: SIGTERM asks for an end, and so does the end of the parent, seen as the end of standard input.
    ///
    /// Call it once the request has been read. A child that has not ended [`ORPHAN_GRACE`] after its parent is killed
    /// together with its process group, so that nothing it started outlives it.
    ///
    /// What the parent asks for meanwhile is told by the other value.
    pub(super) fn on_parent() -> io::Result<(Self, Asked)> {
        let stop = Self::default();
        signal_hook::flag::register(SIGTERM, Arc::clone(&stop.asked))?;
        let (orphaned, asked) = (stop.clone(), Asked::default());
        let hears = asked.clone();
        thread::Builder::new()
            .name("parent-watch".to_owned())
            .spawn(move || watch_parent(&orphaned, &hears))?;
        Ok((stop, asked))
    }

    /// Asks for an end.
    pub fn request(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Whether an end has been asked for.
    pub fn is_requested(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::SeqCst);
        is_set(&self.asked) || self.outer.as_ref().is_some_and(is_set)
    }

    /// One that ends with this one, and can be asked for an end of its own: a round of many.
    pub fn within(&self) -> Self {
        Self { asked: Arc::default(), outer: Some(Arc::clone(&self.asked)) }
    }
}

/// Blocks on standard input, which the parent keeps open, until it ends.
fn watch_parent(stop: &Stop, asked: &Asked) {
    let mut byte = [0];
    while matches!(io::stdin().lock().read(&mut byte), Ok(1..)) {
        asked.hear(byte[0]);
    }
    stop.request();
    thread::sleep(ORPHAN_GRACE);
    // A child leads its own group (see `child`): this ends what it started, and then itself.
    let _ = kill_process_group(getpid(), Signal::KILL);
    // Started by hand, it leads no group.
    std::process::exit(Exit::Harness as i32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_wish() {
        let stop = Stop::never();
        let clone = stop.clone();
        assert!(!clone.is_requested());
        stop.request();
        assert!(clone.is_requested());
    }

    #[test]
    fn a_round_ends_with_the_whole_and_not_the_whole_with_a_round() {
        let whole = Stop::never();
        let (first, second) = (whole.within(), whole.within());
        first.request();
        assert!(first.is_requested() && !second.is_requested() && !whole.is_requested());
        whole.request();
        assert!(second.is_requested());
    }
}
