//! A link: all connections between the target and one kind of peer, and the faults at work on them.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::chaos::conn::Conn;
use crate::chaos::effect::{Effects, Tally};
use crate::chaos::fault::{Change, Fault, FaultId};
use crate::chaos::stats::Counters;
pub use crate::chaos::stats::LinkStats;
use crate::chaos::toxic::{Admission, Cut, Direction, OnHeal, Side, Toxic};
use crate::chaos::toxics::half_open::Gone;
use crate::scenario::model::LinkSpec;

/// Bytes that one direction of one connection holds unless the scenario says otherwise.
pub const BUFFER_BYTES: u64 = 64 * 1024;

/// A named link. Faults take effect on connections that exist and on new ones at once.
///
/// Nothing here waits for a stream: applying, healing and reading figures only take locks that are never held across an
/// await, so a thousand stalled connections delay nobody.
#[derive(Debug)]
pub struct Link {
    name: Arc<str>,
    peer: Side,
    buffer_bytes: usize,
    base_latency: Duration,
    pub(super) counters: Counters,
    state: Mutex<LinkState>,
    pub(super) changed: Notify,
    observer: OnceLock<Arc<dyn LinkObserver>>,
}

#[derive(Debug, Default)]
pub(super) struct LinkState {
    next_ordinal: u64,
    pub(super) active: Vec<Arc<Active>>,
    /// By ordinal. A sorted list, not a tree: its memory depends on how many there are, never on who left first.
    conns: Vec<(u64, Weak<Conn>)>,
    /// Who accepts, while a connection waits that it is not to hear of yet.
    pub(super) acceptors: Vec<Waker>,
    /// What faults did that are over.
    effects: Effects,
}

/// One event on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// A connection was established.
    Opened,
    /// A connect was refused.
    Refused,
    /// A fault ended a connection.
    Cut(Cut),
    /// Both ends have let go.
    Closed,
    /// A fault of this name took effect.
    FaultBegun(&'static str),
    /// A fault of this name healed.
    FaultEnded(&'static str),
}

/// Hears what happens on links. It is called under a lock: keep it short, and never call a link from it.
pub trait LinkObserver: Send + Sync + std::fmt::Debug {
    /// `conn` is the connection's ordinal on its link; 0 for events of the link itself, whose connections count from 1.
    fn event(&self, at: Instant, link: &str, conn: u64, event: LinkEvent);
}

/// A fault at work.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: FaultId,
    pub(super) tally: Arc<Tally>,
    fault: Fault,
}

impl Active {
    fn new(id: FaultId, fault: Fault) -> Self {
        Self { id, tally: Arc::default(), fault }
    }

    /// Whether it takes hold of the connection of this ordinal: drawn once, from a stream of its own.
    pub(super) fn draws(&self, ordinal: u64) -> bool {
        let p = self.fault.on_link().map_or(0.0, |fault| fault.common().p);
        p >= 1.0 || self.id.dice.stream("p", ordinal).rng().chance(p)
    }

    /// A fresh toxic for `direction`, if the fault works in it.
    pub(super) fn toxic(&self, direction: Direction) -> Option<(Box<dyn Toxic>, OnHeal)> {
        let fault = self.fault.on_link()?;
        let common = fault.common();
        common.dir.covers(direction).then(|| (fault.toxic(), common.on_heal))
    }

    /// The side that is gone while it lasts, on a link whose peer sits at `peer`.
    pub(super) fn gone(&self, peer: Side) -> Option<Side> {
        match self.fault.on_link()?.toxic().gone() {
            Gone::Peer => Some(peer),
            Gone::Target => Some(peer.other()),
            Gone::Nobody => None,
        }
    }

    /// What becomes of every connect, whatever its draw.
    pub(super) fn welcome(&self) -> Admission {
        match self.fault.on_link() {
            Some(fault) if fault.common().p >= 1.0 => fault.toxic().on_connect(),
            _ => Admission::Accept,
        }
    }

    pub(super) fn admission(&self, ordinal: u64) -> Admission {
        match self.fault.on_link() {
            Some(fault) if self.draws(ordinal) => fault.toxic().on_connect(),
            _ => Admission::Accept,
        }
    }
}

impl Link {
    /// A link without faults. `peer` is the side at which the peer sits that the link is named after.
    pub fn new(name: &str, spec: &LinkSpec, peer: Side) -> Arc<Self> {
        let buffer = spec.buffer.map_or(BUFFER_BYTES, |size| size.0);
        Arc::new(Self {
            name: name.into(),
            peer,
            buffer_bytes: usize::try_from(buffer).unwrap_or(usize::MAX).max(1),
            base_latency: spec.latency.map_or(Duration::ZERO, |latency| latency.0),
            counters: Counters::default(),
            state: Mutex::new(LinkState { conns: Vec::with_capacity(CONNS_AT_REST), ..LinkState::default() }),
            changed: Notify::new(),
            observer: OnceLock::new(),
        })
    }

    /// Its name in scenarios.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side at which the peer sits that the link is named after; the target sits at the other.
    pub fn peer_side(&self) -> Side {
        self.peer
    }

    /// Sends every further event to `observer`. The first one set stays.
    pub fn observe_with(&self, observer: Arc<dyn LinkObserver>) {
        _ = self.observer.set(observer);
    }

    /// A fault takes effect on all connections, those to come included, until [`Link::heal`] is called with the same id.
    ///
    /// A fault that is at work already, or that is none of a link, changes nothing.
    pub fn apply(&self, id: FaultId, fault: &Fault) {
        if fault.on_link().is_none() {
            return;
        }
        let (now, active) = (Instant::now(), Arc::new(Active::new(id, fault.clone())));
        let mut state = self.lock();
        if state.active.iter().any(|active| active.id == id) {
            return;
        }
        state.active.push(Arc::clone(&active));
        let (conns, acceptors) = (state.alive(), std::mem::take(&mut state.acceptors));
        drop(state);
        self.counters.faults_begun.fetch_add(1, Relaxed);
        self.observe(now, 0, LinkEvent::FaultBegun(fault.name()));
        conns.iter().for_each(|conn| conn.hold(&active, now));
        acceptors.into_iter().for_each(Waker::wake);
        self.changed.notify_waiters();
    }

    /// A fault heals, as its `on_heal` says.
    pub fn heal(&self, id: FaultId) {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(at) = state.active.iter().position(|active| active.id == id) else { return };
        let active = state.active.remove(at);
        let (conns, acceptors) = (state.alive(), std::mem::take(&mut state.acceptors));
        drop(state);
        self.observe(now, 0, LinkEvent::FaultEnded(active.fault.name()));
        conns.iter().for_each(|conn| conn.heal(&active, now));
        active.tally.end(&active.fault, &mut self.lock().effects);
        acceptors.into_iter().for_each(Waker::wake);
        self.changed.notify_waiters();
    }

    /// Carries out a compiled change of `fault`; those that are the engine's own (storms' connections, what happens to
    /// processes) do nothing here.
    pub fn change(&self, id: FaultId, fault: &Fault, change: &Change) {
        match change {
            Change::Begin | Change::Down => self.apply(id, fault),
            Change::End | Change::Up => self.heal(id),
            Change::OpenConnection { .. }
            | Change::Kill { .. }
            | Change::Pause
            | Change::Resume
            | Change::Reload
            | Change::Partition
            | Change::Repair => {}
        }
    }

    /// Counts a connection that a storm opened.
    pub fn count_storm_connection(&self) {
        self.counters.storm_connections.fetch_add(1, Relaxed);
    }

    /// What faults did that are over, by kind.
    pub fn effects(&self) -> Effects {
        self.lock().effects.clone()
    }

    /// How many faults are at work now.
    pub fn faults_at_work(&self) -> usize {
        self.lock().active.len()
    }

    /// The figures so far.
    pub fn stats(&self) -> LinkStats {
        self.counters.read()
    }

    /// Number for the next connect, from 1: taken once per attempt, refused ones included.
    pub(super) fn next_ordinal(&self) -> u64 {
        let mut state = self.lock();
        state.next_ordinal += 1;
        state.next_ordinal
    }

    /// Resolves at the next change of faults.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Establishes the connection of `ordinal`; each of its lanes keeps `rest_bytes` of memory while it is empty.
    pub(super) fn open(self: &Arc<Self>, ordinal: u64, rest_bytes: usize) -> Arc<Conn> {
        let now = Instant::now();
        let conn = Arc::new(Conn::new(Arc::clone(self), ordinal, now, rest_bytes));
        let mut state = self.lock();
        let at = state.conns.partition_point(|(other, _)| *other < ordinal);
        state.conns.insert(at, (ordinal, Arc::downgrade(&conn)));
        let active = state.active.clone();
        self.counters.opened();
        self.observe(now, ordinal, LinkEvent::Opened);
        // Held under the link's lock: a fault that begins meanwhile finds the connection in the list, and only once.
        active.iter().for_each(|active| conn.hold(active, now));
        drop(state);
        conn
    }

    pub(super) fn forget(&self, ordinal: u64) {
        let mut state = self.lock();
        if let Ok(at) = state.conns.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal) {
            state.conns.remove(at);
        }
        drop(state);
        self.counters.open_now.fetch_sub(1, Relaxed);
        self.observe_now(ordinal, LinkEvent::Closed);
    }

    pub(super) fn observe(&self, at: Instant, conn: u64, event: LinkEvent) {
        if let Some(observer) = self.observer.get() {
            observer.event(at, &self.name, conn, event);
        }
    }

    pub(super) fn observe_now(&self, conn: u64, event: LinkEvent) {
        if self.observer.get().is_some() {
            self.observe(Instant::now(), conn, event);
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    pub(super) fn base_latency(&self) -> Duration {
        self.base_latency
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkState {
    fn alive(&self) -> Vec<Arc<Conn>> {
        self.conns.iter().filter_map(|(_, conn)| conn.upgrade()).collect()
    }
}

/// Connections for which a link keeps memory from the start, so that a census sees none of it come and go.
const CONNS_AT_REST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn p_is_the_part_of_the_connections_that_is_drawn() {
        let drawn = |p: &str| {
            let fault: Fault =
                serde_saphyr::from_str(&format!("reset: {{ link: plc, p: {p} }}")).expect("a fault");
            let active = Active::new(fault.id(0, Seed(7)), fault);
            (1..=10_000).filter(|ordinal| active.draws(*ordinal)).count()
        };
        assert_eq!((drawn("0"), drawn("100%")), (0, 10_000));
        // 200 is four standard deviations of 10,000 fair draws.
        assert!(drawn("50%").abs_diff(5_000) < 200, "{}", drawn("50%"));
    }
}
