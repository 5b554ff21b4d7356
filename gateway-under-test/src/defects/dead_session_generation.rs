//! D29: an answer to a dead session is delivered to the next one.
//!
//! What it looks like: live heap grows by an inbox with every reconnect. Worse is what nobody counts: the first event after
//! a reconnect carries what the PLC said before the connection was lost, marked good, with the time of today. A valve is
//! shown open that was closed an hour ago, for one poll.
//!
//! Why it passes review: consumers asked not to see half of a poll, so answers are collected and put into the cache
//! together when the next poll begins. "Nothing that was read is lost" is a comment that one nods at. Which session read it is
//! asked nowhere, and an inbox is entered in the station's list and never taken out.
//!
//! The fix: what comes of a session that is over stays out (`Stamp::while_current`), and the inbox dies with its session: hold it
//! in the session alone, without a list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// Collects the answers of a poll, so that consumers see whole polls only.
#[derive(Default)]
pub struct DeadSessionGeneration {
    /// By the station's ordinal.
    stations: Mutex<BTreeMap<u64, Inboxes>>,
}

/// The inboxes of one station's sessions.
type Inboxes = Arc<Mutex<Vec<Arc<Inbox>>>>;

/// What a session has read and the cache has not.
type Inbox = Mutex<Vec<Answer>>;

struct Answer {
    placed: Vec<Placed>,
    payload: Bytes,
}

struct Collects {
    station: Inboxes,
    inbox: Arc<Inbox>,
}

impl IntakePart for DeadSessionGeneration {
    fn open(&self, station: u64) -> Box<dyn Intake> {
        let station = Arc::clone(lock(&self.stations).entry(station).or_default());
        let inbox = Arc::new(Inbox::default());
        lock(&station).push(Arc::clone(&inbox));
        Box::new(Collects { station, inbox })
    }
}

impl Intake for Collects {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if self.begins_a_poll(placed) {
            self.hand_over(cache, tags);
        }
        let payload = Bytes::copy_from_slice(payload);
        lock(&self.inbox).push(Answer { placed: placed.to_vec(), payload });
    }
}

impl Collects {
    /// Whether these tags come round again, or for the first time.
    fn begins_a_poll(&self, placed: &[Placed]) -> bool {
        lock(&self.inbox).first().is_none_or(|first| first.placed == placed)
    }

    /// Nothing that was read is lost: a poll that its session did not live to hand over is handed over now.
    fn hand_over(&self, cache: &Cache, tags: &[TagConfig]) {
        for inbox in lock(&self.station).iter() {
            for answer in lock(inbox).drain(..) {
                CopyOut.take(cache, tags, &answer.placed, &answer.payload);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
