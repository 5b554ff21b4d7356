//! The connections of one station: opened within what is configured, calibrated and granted by the PLC, used by one at a
//! time, closed exactly once.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_lifecycle::Slot;
use gateway_lifecycle::slot::{Lease, Occupancy, Vacancy};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::calibrate::{Calibration, Load};
use crate::client::Client;
use crate::net::BoxStream;

/// How long it is believed that a PLC grants no more connections than it did: others that hold some may let go.
const GRANT_LASTS: Duration = Duration::from_secs(10 * 60);

/// A connection that is set up.
pub struct Connection {
    /// Asks the PLC.
    pub client: Client<BoxStream>,
    opened: Instant,
    parked: Instant,
}

impl Connection {
    /// A connection that has just been set up.
    pub fn new(client: Client<BoxStream>) -> Self {
        let now = Instant::now();
        Self { client, opened: now, parked: now }
    }

    fn is_due(&self, ages: Ages) -> bool {
        self.parked.elapsed() >= ages.idle || self.opened.elapsed() >= ages.lifetime
    }
}

/// How old and how idle a connection in the pool may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// From its handshake on.
    pub lifetime: Duration,
    /// Without a user.
    pub idle: Duration,
}

/// The connections of one station.
pub struct Pool {
    /// As many as are configured at most.
    places: Box<[Slot<Box<Connection>>]>,
    state: Mutex<State>,
    /// A place was left, or the limit has risen.
    left: Notify,
    /// The most users that there were at once since the last check.
    peak: AtomicUsize,
}

struct State {
    calibration: Calibration,
    /// What the PLC has been seen to grant, and until when that is believed.
    granted: Option<(usize, Instant)>,
}

/// What a user gets.
pub enum Leased<'p> {
    /// A connection from before.
    Idle(InUse<'p>),
    /// The right to open one.
    Vacant(ToOpen<'p>),
}

impl Pool {
    /// An empty pool for at most `connections`.
    pub fn new(connections: usize, cores: usize) -> Self {
        Self {
            places: (0..connections).map(|_| Slot::new()).collect(),
            state: Mutex::new(State { calibration: Calibration::new(cores), granted: None }),
            left: Notify::new(),
            peak: AtomicUsize::new(0),
        }
    }

    /// A connection to use, or a place to open one; waits while as many are in use as may. Cancel-safe.
    pub async fn lease(&self) -> Leased<'_> {
        loop {
            // Before the attempt: a place that is left between the two must not be missed.
            let mut left = std::pin::pin!(self.left.notified());
            left.as_mut().enable();
            if let Some(leased) = self.try_lease() {
                return leased;
            }
            left.await;
        }
    }

    fn try_lease(&self) -> Option<Leased<'_>> {
        if let Some(lease) = self.places.iter().find_map(Slot::claim_idle) {
            self.note_peak();
            return Some(Leased::Idle(InUse { pool: self, lease: Some(lease) }));
        }
        if self.connections() >= self.limit() {
            return None;
        }
        let vacancy = self.places.iter().find_map(Slot::claim_vacant)?;
        self.note_peak();
        Some(Leased::Vacant(ToOpen { pool: self, vacancy: Some(vacancy) }))
    }

    /// How many connections there may be now: what is configured, calibrated and granted, whichever is the least.
    pub fn limit(&self) -> usize {
        let state = self.lock();
        let granted = match state.granted {
            Some((granted, until)) if Instant::now() < until => granted,
            _ => usize::MAX,
        };
        // One in any case: without it nobody would find out that the PLC grants more again.
        self.places.len().min(state.calibration.size()).min(granted).max(1)
    }

    /// How many connections there are, those being opened or closed among them.
    pub fn connections(&self) -> usize {
        self.count(|occupancy| occupancy != Occupancy::Vacant)
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.count(|occupancy| occupancy == Occupancy::Leased)
    }

    fn count(&self, wanted: impl Fn(Occupancy) -> bool) -> usize {
        self.places.iter().filter(|place| wanted(place.occupancy())).count()
    }

    /// Notes that the PLC has refused a connection beside those that there are.
    pub fn note_refused(&self) {
        self.lock().granted = Some((self.connections(), Instant::now() + GRANT_LASTS));
    }

    /// Closes connections that have waited or lived too long.
    pub fn reap(&self, ages: Ages) {
        for place in &self.places {
            drop(place.reap(|connection| connection.is_due(ages)));
        }
        self.left.notify_waiters();
    }

    /// Closes connections that nobody uses; those in use are closed by their users, soon.
    pub fn evict(&self) {
        for place in &self.places {
            drop(place.evict());
        }
        self.left.notify_waiters();
    }

    /// Takes one check of the load into account.
    pub fn calibrate(&self, cpu: Option<f64>, latency: Option<Duration>) {
        let peak = self.peak.swap(self.in_use(), Ordering::Relaxed);
        let limit = self.limit();
        let idle = 1.0 - (peak.min(limit) as f64 / limit as f64);
        self.lock().calibration.check(&Load { cpu, latency, idle });
        self.left.notify_waiters();
    }

    fn note_peak(&self) {
        self.peak.fetch_max(self.in_use(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropping it closes it.
pub struct InUse<'p> {
    pool: &'p Pool,
    lease: Option<Lease<Box<Connection>>>,
}

impl InUse<'_> {
    /// Leaves it for the next user, unless it is over, has requests under way, or was evicted meanwhile: then it is closed.
    pub fn park(mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        lease.parked = Instant::now();
        if lease.client.is_over() || lease.client.under_way() > 0 {
            drop(lease);
        } else {
            drop(lease.park());
        }
        self.pool.left.notify_one();
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if self.lease.take().is_some() {
            self.pool.left.notify_one();
        }
    }
}

const HELD: &str = "a connection in use is held until it is parked or dropped";

impl Deref for InUse<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.lease.as_ref().expect(HELD)
    }
}

impl DerefMut for InUse<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.lease.as_mut().expect(HELD)
    }
}

/// The right to open a connection. Dropping it leaves the place to others.
pub struct ToOpen<'p> {
    pool: &'p Pool,
    vacancy: Option<Vacancy<Box<Connection>>>,
}

impl<'p> ToOpen<'p> {
    /// The connection is set up, and in use.
    pub fn opened(mut self, client: Client<BoxStream>) -> InUse<'p> {
        let vacancy = self.vacancy.take();
        InUse {
            pool: self.pool,
            lease: vacancy.map(|vacancy| vacancy.fill(Box::new(Connection::new(client)))),
        }
    }
}

impl Drop for ToOpen<'_> {
    fn drop(&mut self) {
        if self.vacancy.take().is_some() {
            self.pool.left.notify_one();
        }
    }
}
