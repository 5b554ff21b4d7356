//! The sessions there are: who, since when, how busy; and how to end one from outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::duration;

/// Sessions that one list names; it says how many there are in all.
pub const LISTED_MAX: usize = 1000;

/// The sessions of a PLC at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// How many there are.
    pub total: usize,
    /// The oldest of them, at most [`LISTED_MAX`].
    pub sessions: Vec<SessionInfo>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// The connection's ordinal at its PLC, from 1: the one that rules go by.
    pub id: u64,
    /// The client's address, where the stream has one.
    pub peer: Option<SocketAddr>,
    /// How long ago the connection was accepted, in whole milliseconds.
    #[serde(with = "duration")]
    pub age: Duration,
    /// S7 jobs received, answered or not.
    pub requests: u64,
}

/// Where a stream comes from and where it arrived. Unknown for streams that are not TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client's address.
    pub client: SocketAddr,
    /// The PLC's address.
    pub server: SocketAddr,
}

/// All sessions of one PLC.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    connections: AtomicU64,
    live: Mutex<BTreeMap<u64, Arc<Live>>>,
}

/// What is known of a session while it lasts.
#[derive(Debug)]
pub(crate) struct Live {
    pub id: u64,
    pub since: Instant,
    pub requests: AtomicU64,
    /// Told once, when somebody wants the session to end.
    pub end: Notify,
    peer: Option<SocketAddr>,
}

impl Registry {
    /// Counts a connection, whatever becomes of it: its ordinal.
    pub(crate) fn count(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn add(&self, id: u64, peer: Option<SocketAddr>) -> Arc<Live> {
        let (since, requests) = (Instant::now(), AtomicU64::new(0));
        let live = Arc::new(Live { id, since, requests, end: Notify::new(), peer });
        self.live().insert(id, live.clone());
        live
    }

    pub(crate) fn remove(&self, id: u64) {
        self.live().remove(&id);
    }

    pub(crate) fn list(&self) -> SessionList {
        let live = self.live();
        let sessions = live.values().take(LISTED_MAX).map(|live| live.info()).collect();
        SessionList { total: live.len(), sessions }
    }

    /// Tells a session to end; whether there is one.
    pub(crate) fn end(&self, id: u64) -> bool {
        self.live().get(&id).inspect(|live| live.end.notify_one()).is_some()
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Live>>> {
        // A panic elsewhere leaves a map behind that is still whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn info(&self) -> SessionInfo {
        let age = Duration::from_millis(self.since.elapsed().as_millis() as u64);
        SessionInfo { id: self.id, peer: self.peer, age, requests: self.requests.load(Relaxed) }
    }
}
