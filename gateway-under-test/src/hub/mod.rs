//! From polls to consumers: each event is encoded once and offered to the outbox of everyone who subscribed.

pub mod event;
pub mod outbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use self::outbox::{Outbox, Pushed};
use crate::meters::Meters;

/// The consumers of one gateway: a fixed number of places.
pub struct Hub {
    seats: Mutex<Seats>,
}

struct Seats {
    places: Box<[Option<Consumer>]>,
    closed: bool,
}

impl Seats {
    fn taken(&self) -> impl Iterator<Item = &Consumer> {
        self.places.iter().flatten()
    }
}

struct Consumer {
    /// The one station it wants; every station if `None`.
    station: Option<usize>,
    outbox: Arc<dyn Outbox>,
    /// Cancelled when the consumer is to be disconnected.
    cut: CancellationToken,
}

impl Hub {
    /// A hub with this many places.
    pub fn new(consumers_max: usize) -> Self {
        let places = (0..consumers_max).map(|_| None).collect();
        Self { seats: Mutex::new(Seats { places, closed: false }) }
    }

    /// Takes a place for a consumer; `None` when all are taken. `cut` is cancelled if it has to go.
    pub fn subscribe(
        self: &Arc<Self>,
        station: Option<usize>,
        outbox: Arc<dyn Outbox>,
        cut: CancellationToken,
    ) -> Option<Subscription> {
        let mut seats = self.lock();
        let place = seats.places.iter().position(Option::is_none)?;
        if seats.closed {
            outbox.close();
        }
        seats.places[place] = Some(Consumer { station, outbox: Arc::clone(&outbox), cut });
        Some(Subscription { hub: Arc::clone(self), place, outbox })
    }

    /// Offers a station's event to its consumers; `encode` is called only if there are any.
    pub fn publish(&self, station: usize, meters: &Meters, encode: impl FnOnce() -> Bytes) {
        let seats = self.lock();
        let wanted = |consumer: &&Consumer| consumer.station.is_none_or(|wanted| wanted == station);
        let mut consumers = seats.taken().filter(wanted).peekable();
        if consumers.peek().is_none() {
            return;
        }
        let event = encode();
        for consumer in consumers {
            match consumer.outbox.push(&event) {
                Pushed::Kept => meters.events.up(),
                Pushed::Lost => meters.events_dropped.up(),
                Pushed::Cut => {
                    meters.events_dropped.up();
                    meters.consumers_cut.up();
                    consumer.cut.cancel();
                }
            }
        }
    }

    /// Ends every stream after what is queued for it, also those of consumers that come later.
    pub fn close(&self) {
        let mut seats = self.lock();
        seats.closed = true;
        seats.taken().for_each(|consumer| consumer.outbox.close());
    }

    /// How many consumers there are.
    pub fn consumers(&self) -> usize {
        self.lock().taken().count()
    }

    /// How many events wait, for all consumers together.
    pub fn queued(&self) -> usize {
        self.lock().taken().map(|consumer| consumer.outbox.queued()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Every change is one assignment: a place is never half taken.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer's place in the hub; dropping it gives the place back.
pub struct Subscription {
    hub: Arc<Hub>,
    place: usize,
    outbox: Arc<dyn Outbox>,
}

impl Subscription {
    /// The next event; `None` when the stream has ended.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.outbox.poll_next(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let consumer = self.hub.lock().places[self.place].take();
        // Outside the lock: an outbox may have much to free.
        drop(consumer);
    }
}
