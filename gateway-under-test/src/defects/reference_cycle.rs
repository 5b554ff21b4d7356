//! D19: a session and the handler of its answers hold `Arc`s to each other.
//!
//! What it looks like: live heap grows by the same three blocks, 1.1 KB, with every reconnect of every station; nothing in
//! the gateway leads to them any more, so no list is too long and no gauge shows them. Tasks and sockets stay flat.
//!
//! Why it passes review: each of the two needs the other. The session hands its answers on, the handler counts into its
//! session; both are dropped with the connection, or so it reads, since the one `Arc` in sight is. That the count stands at
//! one then, and not at none, is said in no line. And `OnceLock` is how one builds two things that know each other.
//!
//! The fix: one direction owns, the other is a `Weak`: the handler holds `Weak<Context>`, made by `Arc::new_cyclic`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tracing::trace;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// The longest payload of one answer.
const PAYLOAD_BYTES: usize = 960;

/// A handler for each session.
pub struct ReferenceCycle;

/// What a session knows of itself.
#[derive(Default)]
struct Context {
    answers: AtomicU64,
    handler: OnceLock<Arc<Handler>>,
}

/// Takes in what its session receives.
struct Handler {
    session: Arc<Context>,
    /// The answer before this one: only what has changed is worth a line.
    before: Mutex<Vec<u8>>,
}

impl IntakePart for ReferenceCycle {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(OfSession(Context::open()))
    }
}

/// The session's side of it.
struct OfSession(Arc<Context>);

impl Intake for OfSession {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if let Some(handler) = self.0.handler.get() {
            handler.note_change(payload);
        }
        CopyOut.take(cache, tags, placed, payload);
    }
}

impl Context {
    fn open() -> Arc<Self> {
        let session = Arc::new(Self::default());
        let handler = Arc::new(Handler {
            session: Arc::clone(&session),
            before: Mutex::new(Vec::with_capacity(PAYLOAD_BYTES)),
        });
        session.handler.get_or_init(|| handler);
        session
    }
}

impl Handler {
    fn note_change(&self, payload: &[u8]) {
        let answers = self.session.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != payload {
            trace!(answers, "values have changed");
            before.clear();
            before.extend_from_slice(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_was_dropped_is_still_there() {
        let session = Context::open();
        let after = Arc::downgrade(&session);
        drop(session);
        assert_eq!(after.strong_count(), 1);
        let handler = after.upgrade().and_then(|session| session.handler.get().map(Arc::downgrade));
        assert_eq!(handler.expect("it is set when the session opens").strong_count(), 1);
    }
}
