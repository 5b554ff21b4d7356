//! Packets that wait for the broker's acknowledgement: a bounded number, each with an identifier of its own. Pure.
//!
//! An identifier is given back when its acknowledgement comes, and with the connection: nothing is kept for the next one.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::meters::{Held, Meter};

/// How packets get their identifiers.
pub trait IdentifiersPart: Send + Sync {
    /// Those of a new connection.
    fn open(&self) -> Box<dyn Identifiers>;
}

/// The identifiers of packets.
pub trait Identifiers: Send + fmt::Debug {
    /// The next one of which `waits` does not say that a packet has it.
    fn next(&mut self, waits: &dyn Fn(u16) -> bool) -> u16;

    /// Its packet is acknowledged.
    fn settled(&mut self, id: u16);
}

/// They begin anew with each connection, and belong to the packets that have them: beside these there is no list.
pub struct AnewEachTime;

impl IdentifiersPart for AnewEachTime {
    fn open(&self) -> Box<dyn Identifiers> {
        Box::new(Round { last: 0 })
    }
}

/// Identifiers go round, so that one that was given back comes again as late as it can.
#[derive(Debug)]
struct Round {
    last: u16,
}

impl Identifiers for Round {
    fn next(&mut self, waits: &dyn Fn(u16) -> bool) -> u16 {
        loop {
            self.last = following(self.last);
            if !waits(self.last) {
                return self.last;
            }
        }
    }

    fn settled(&mut self, _id: u16) {}
}

/// The identifier after this one: 0 is none.
pub fn following(id: u16) -> u16 {
    id.checked_add(1).unwrap_or(1)
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SUBSCRIBE, which SUBACK answers.
    Subscription,
    /// PUBLISH, which PUBACK answers.
    Message,
}

#[derive(Debug)]
struct Packet<'a> {
    id: u16,
    kind: Kind,
    sent: Instant,
    _held: Held<'a>,
}

/// The packets of one connection, the oldest first.
#[derive(Debug)]
pub struct InFlight<'a> {
    packets: VecDeque<Packet<'a>>,
    limit: usize,
    ids: Box<dyn Identifiers>,
    meter: &'a Meter,
}

impl<'a> InFlight<'a> {
    /// None yet, and never more than `limit`; `meter` counts them. All room is made at once.
    pub fn new(limit: usize, ids: Box<dyn Identifiers>, meter: &'a Meter) -> Self {
        Self { packets: VecDeque::with_capacity(limit), limit, ids, meter }
    }

    /// Whether one more may be sent.
    pub fn has_room(&self) -> bool {
        self.packets.len() < self.limit
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// How many messages wait.
    pub fn messages(&self) -> u64 {
        self.packets.iter().map(|packet| u64::from(packet.kind == Kind::Message)).sum()
    }

    /// When the oldest was sent.
    pub fn oldest(&self) -> Option<Instant> {
        self.packets.front().map(|packet| packet.sent)
    }

    /// Notes one more, and gives it its identifier. Only while there [is room](Self::has_room).
    pub fn add(&mut self, kind: Kind, now: Instant) -> u16 {
        debug_assert!(self.has_room(), "whoever sends asks for room first");
        let packets = &self.packets;
        let id = self.ids.next(&|id| packets.iter().any(|packet| packet.id == id));
        let _held = self.meter.hold();
        self.packets.push_back(Packet { id, kind, sent: now, _held });
        id
    }

    /// Notes an acknowledgement; `false` when nothing of this kind waits for it.
    pub fn settle(&mut self, id: u16, kind: Kind) -> bool {
        let place = self.packets.iter().position(|packet| packet.id == id && packet.kind == kind);
        let settled = place.and_then(|place| self.packets.remove(place)).is_some();
        if settled {
            self.ids.settled(id);
        }
        settled
    }

    /// Forgives time, until now, in which no acknowledgement could be heard.
    pub fn forgive(&mut self, time: Duration, now: Instant) {
        self.packets.iter_mut().for_each(|packet| packet.sent = (packet.sent + time).min(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_are_bounded_and_their_identifiers_go_round() {
        let meter = Meter::default();
        let mut in_flight = InFlight::new(2, AnewEachTime.open(), &meter);
        let now = Instant::now();
        assert_eq!(in_flight.add(Kind::Message, now), 1);
        let mut ids = Vec::new();
        for _ in 0..70_000 {
            let id = in_flight.add(Kind::Message, now);
            assert!(!in_flight.has_room());
            assert!(in_flight.settle(id, Kind::Message));
            ids.push(id);
        }
        assert!(ids.iter().all(|id| *id > 1), "1 is taken and 0 is none");
        assert_eq!((ids[65_533], ids[65_534]), (u16::MAX, 2));
        assert_eq!(meter.read(), 1);
    }

    #[tokio::test]
    async fn an_acknowledgement_fits_its_packet_and_comes_once() {
        let meter = Meter::default();
        let mut in_flight = InFlight::new(3, AnewEachTime.open(), &meter);
        let subscription = in_flight.add(Kind::Subscription, Instant::now());
        let message = in_flight.add(Kind::Message, Instant::now());
        assert!(!in_flight.settle(message, Kind::Subscription));
        assert!(!in_flight.settle(99, Kind::Message));
        assert!(in_flight.settle(message, Kind::Message) && !in_flight.settle(message, Kind::Message));
        assert!(in_flight.settle(subscription, Kind::Subscription) && in_flight.is_empty());
    }

    #[tokio::test]
    async fn nothing_is_counted_once_the_connection_is_gone() {
        let meter = Meter::default();
        let mut in_flight = InFlight::new(3, AnewEachTime.open(), &meter);
        in_flight.add(Kind::Message, Instant::now());
        in_flight.add(Kind::Subscription, Instant::now());
        assert_eq!((in_flight.messages(), meter.read()), (1, 2));
        drop(in_flight);
        assert_eq!(meter.read(), 0);
    }
}
