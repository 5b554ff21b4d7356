//! From polls to consumers: each event is encoded once and offered to the outbox of everyone who subscribed.

pub mod event;
pub mod outbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use self::outbox::{Outbox, Pushed, push_when_there_is_room};
use crate::meters::Meters;

/// Consumers that are connections of the gateway's own, each there at most once.
const BROKERS: usize = 2;

/// What a consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerKind {
    /// An event stream over HTTP; as many as are configured.
    Stream,
    /// The connection to the MQTT broker.
    Mqtt,
    /// The connection to Redis.
    Redis,
}

/// The consumers of one gateway: a bounded number of places.
pub struct Hub {
    seats: Mutex<Seats>,
}

struct Seats {
    /// Only as long as the configured limit asks for: it does not grow with consumers that come and go.
    places: Vec<Option<Consumer>>,
    streams_max: usize,
    closed: bool,
}

impl Seats {
    fn taken(&self) -> impl Iterator<Item = &Consumer> {
        self.places.iter().flatten()
    }

    fn streams(&self) -> usize {
        self.taken().filter(|consumer| consumer.kind == ConsumerKind::Stream).count()
    }
}

/// See [`Hub::heaviest`].
pub struct Heaviest {
    /// What waits for it.
    pub queued_bytes: u64,
    /// Disconnects it.
    pub cut: CancellationToken,
}

struct Consumer {
    kind: ConsumerKind,
    /// The one station it wants; every station if `None`.
    station: Option<String>,
    outbox: Arc<dyn Outbox>,
    /// Cancelled when the consumer is to be disconnected.
    cut: CancellationToken,
}

/// A consumer that has no room, and is waited for.
type Blocked = (ConsumerKind, Arc<dyn Outbox>);

impl Hub {
    /// A hub with this many places for event streams.
    pub fn new(streams_max: usize) -> Self {
        let hub = Self { seats: Mutex::new(Seats { places: Vec::new(), streams_max, closed: false }) };
        hub.resize(streams_max);
        hub
    }

    /// Changes the number of places for event streams. Those that are there stay.
    pub fn resize(&self, streams_max: usize) {
        let mut seats = self.lock();
        seats.streams_max = streams_max;
        let in_use = seats.places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        seats.places.resize_with(in_use.max(streams_max + BROKERS), || None);
        seats.places.shrink_to_fit();
    }

    /// Takes a place for a consumer; `None` when all are taken. `cut` is cancelled if it has to go.
    pub fn subscribe(
        self: &Arc<Self>,
        kind: ConsumerKind,
        station: Option<String>,
        outbox: Arc<dyn Outbox>,
        cut: CancellationToken,
    ) -> Option<Subscription> {
        let mut seats = self.lock();
        if kind == ConsumerKind::Stream && seats.streams() >= seats.streams_max {
            return None;
        }
        let place = seats.places.iter().position(Option::is_none)?;
        if seats.closed {
            outbox.close();
        }
        seats.places[place] = Some(Consumer { kind, station, outbox: Arc::clone(&outbox), cut });
        Some(Subscription { hub: Arc::clone(self), place, outbox })
    }

    /// Offers a station's event to its consumers; `encode` is called only if there are any.
    ///
    /// Returns once each of them has it, or has lost it: a consumer whose policy is to block is waited for.
    pub async fn publish(&self, station: &str, meters: &Meters, encode: impl FnOnce() -> Bytes) {
        let Some((event, blocked)) = self.offer(station, meters, encode) else { return };
        for (kind, outbox) in blocked {
            count(meters, kind, push_when_there_is_room(&*outbox, &event).await);
        }
    }

    /// Offers an event; it and those who have no room for it now, if anyone wants it at all.
    fn offer(
        &self,
        station: &str,
        meters: &Meters,
        encode: impl FnOnce() -> Bytes,
    ) -> Option<(Bytes, Vec<Blocked>)> {
        let seats = self.lock();
        let wanted =
            |consumer: &&Consumer| consumer.station.as_deref().is_none_or(|wanted| wanted == station);
        let mut consumers = seats.taken().filter(wanted).peekable();
        consumers.peek()?;
        let event = encode();
        let mut blocked = Vec::new();
        for consumer in consumers {
            match consumer.outbox.push(&event) {
                Pushed::Full => blocked.push((consumer.kind, Arc::clone(&consumer.outbox))),
                Pushed::Cut => {
                    count(meters, consumer.kind, Pushed::Cut);
                    consumer.cut.cancel();
                }
                pushed => count(meters, consumer.kind, pushed),
            }
        }
        Some((event, blocked))
    }

    /// The consumer for which the most bytes wait, if any wait at all; the first of those with as many.
    pub fn heaviest(&self) -> Option<Heaviest> {
        let seats = self.lock();
        let mut heaviest: Option<(u64, &Consumer)> = None;
        for consumer in seats.taken() {
            let bytes = consumer.outbox.queued_bytes() as u64;
            if bytes > heaviest.map_or(0, |(most, _)| most) {
                heaviest = Some((bytes, consumer));
            }
        }
        heaviest.map(|(queued_bytes, consumer)| Heaviest { queued_bytes, cut: consumer.cut.clone() })
    }

    /// Ends every stream after what is queued for it, also those of consumers that come later.
    pub fn close(&self) {
        let mut seats = self.lock();
        seats.closed = true;
        seats.taken().for_each(|consumer| consumer.outbox.close());
    }

    /// How many event streams there are.
    pub fn streams(&self) -> usize {
        self.lock().streams()
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

fn count(meters: &Meters, kind: ConsumerKind, pushed: Pushed) {
    if kind == ConsumerKind::Mqtt && pushed != Pushed::Kept {
        meters.mqtt_dropped.up();
    }
    match pushed {
        Pushed::Kept => meters.events.up(),
        Pushed::Lost | Pushed::Full => meters.events_dropped.up(),
        Pushed::Cut => {
            meters.events_dropped.up();
            meters.consumers_cut.up();
        }
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

    /// Ends the stream after what waits, for this consumer alone.
    pub fn close(&self) {
        self.outbox.close();
    }

    /// How many events wait.
    pub fn queued(&self) -> usize {
        self.outbox.queued()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let consumer = self.hub.lock().places[self.place].take();
        // Whoever waits for room in it waits no longer.
        self.outbox.close();
        // Outside the lock: an outbox may have much to free.
        drop(consumer);
    }
}
