//! The simulated broker: who is connected, what they asked for, who gets which message. No I/O: that is [`super::session`]'s.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_protocol_core::mqtt::packet::Qos;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::message::{Message, covers, is_filter, is_topic, lower};

/// Clients at once; one more is refused.
pub const SESSIONS_MAX: usize = 1_000;

/// Filters of one client; one more is refused.
pub const FILTERS_MAX: usize = 64;

/// Messages waiting for one client; one more is dropped and counted.
pub const WAITING_MAX: usize = 256;

/// Topics with a message that is kept for later subscribers; one more is not kept.
pub const RETAINED_MAX: usize = 1_000;

/// What a broker counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that clients over the link published.
    pub published: AtomicU64,
    /// Messages that a client did not get because too many waited for it.
    pub dropped: AtomicU64,
    /// Connections that broke the protocol.
    pub broken: AtomicU64,
}

/// A broker. Clones are the same one.
///
/// A client's session ends with its connection: nothing waits for one that is away.
#[derive(Debug, Clone, Default)]
pub struct Broker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: Counts,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    sessions: BTreeMap<u64, Session>,
    retained: BTreeMap<Arc<str>, Message>,
}

#[derive(Debug)]
struct Session {
    client: String,
    filters: BTreeMap<String, Qos>,
    outbox: mpsc::Sender<Message>,
    end: CancellationToken,
}

/// A client that was taken in. Dropping it ends its session at the broker.
#[derive(Debug)]
pub struct Seat {
    broker: Broker,
    number: u64,
    /// What the client is to be sent.
    pub inbox: mpsc::Receiver<Message>,
    /// Cancelled when the client has connected once more, and this connection must go.
    pub end: CancellationToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.broker.state().sessions.remove(&self.number);
    }
}

impl Broker {
    /// What it has counted.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// How many clients are connected.
    #[cfg(test)]
    pub fn sessions(&self) -> usize {
        self.state().sessions.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `client` in; whoever was connected under this name has to go. `None`: there is no room.
    pub fn enter(&self, client: &str) -> Option<Seat> {
        let mut state = self.state();
        // Without a name it gets one of its own.
        let client = if client.is_empty() { format!("client-{}", state.next) } else { client.to_owned() };
        state.sessions.retain(|_, session| {
            let is_other = session.client != client;
            if !is_other {
                session.end.cancel();
            }
            is_other
        });
        if state.sessions.len() >= SESSIONS_MAX {
            return None;
        }
        let number = state.next;
        state.next += 1;
        let (outbox, inbox) = mpsc::channel(WAITING_MAX);
        let end = CancellationToken::new();
        let session = Session { client, filters: BTreeMap::new(), outbox, end: end.clone() };
        state.sessions.insert(number, session);
        Some(Seat { broker: self.clone(), number, inbox, end })
    }

    /// Hands `message` to everybody who asked for it, at the lower quality of service of the two. `false`: not a topic.
    pub fn publish(&self, message: &Message) -> bool {
        if !is_topic(&message.topic) {
            return false;
        }
        let mut state = self.state();
        if message.retain {
            state.keep(message);
        }
        for session in state.sessions.values() {
            let asked = session.filters.iter().filter(|(filter, _)| covers(filter, &message.topic));
            if let Some(most) = asked.map(|(_, qos)| *qos).max_by_key(|qos| *qos as u8) {
                let qos = lower(most, message.qos);
                session.hand(Message { qos, retain: false, ..message.clone() }, &self.0.counts);
            }
        }
        true
    }
}

impl State {
    /// Keeps `message` for later subscribers; an empty one takes the place's away.
    fn keep(&mut self, message: &Message) {
        if message.payload.is_empty() {
            self.retained.remove(&message.topic);
        } else if self.retained.len() < RETAINED_MAX || self.retained.contains_key(&message.topic) {
            self.retained.insert(Arc::clone(&message.topic), message.clone());
        }
    }
}

impl Session {
    fn hand(&self, message: Message, counts: &Counts) {
        if self.outbox.try_send(message).is_err() {
            counts.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Seat {
    /// Subscribes the client to `filter` and hands it what is kept there; gives back what is granted.
    pub fn subscribe(&self, filter: &str, qos: Qos) -> Option<Qos> {
        let mut guard = self.broker.state();
        let state = &mut *guard;
        let session = state.sessions.get_mut(&self.number)?;
        let is_new = !session.filters.contains_key(filter);
        if !is_filter(filter) || is_new && session.filters.len() >= FILTERS_MAX {
            return None;
        }
        let granted = lower(qos, Qos::AtLeastOnce);
        session.filters.insert(filter.to_owned(), granted);
        for (_, message) in state.retained.iter().filter(|(topic, _)| covers(filter, topic)) {
            let qos = lower(granted, message.qos);
            session.hand(Message { qos, ..message.clone() }, &self.broker.0.counts);
        }
        Some(granted)
    }

    /// Ends a subscription; whether there was one.
    pub fn unsubscribe(&self, filter: &str) -> bool {
        let mut state = self.broker.state();
        let session = state.sessions.get_mut(&self.number);
        session.is_some_and(|session| session.filters.remove(filter).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str) -> Message {
        Message::new(topic, b"1", Qos::AtLeastOnce)
    }

    #[test]
    fn a_message_reaches_each_subscriber_once_at_the_quality_both_agreed_on() {
        let broker = Broker::default();
        let (mut twice, mut once, none) =
            (broker.enter("a").unwrap(), broker.enter("b").unwrap(), broker.enter("c").unwrap());
        assert_eq!(twice.subscribe("s7/#", Qos::ExactlyOnce), Some(Qos::AtLeastOnce));
        assert_eq!(twice.subscribe("s7/+", Qos::AtMostOnce), Some(Qos::AtMostOnce));
        assert_eq!(once.subscribe("s7/+", Qos::AtMostOnce), Some(Qos::AtMostOnce));
        assert!(broker.publish(&message("s7/plc-0")));
        assert_eq!(twice.inbox.try_recv().unwrap().qos, Qos::AtLeastOnce);
        assert_eq!(once.inbox.try_recv().unwrap().qos, Qos::AtMostOnce);
        assert_eq!((twice.inbox.len(), once.inbox.len(), none.inbox.len()), (0, 0, 0));
        assert!(!broker.publish(&message("s7/+")));
    }

    #[test]
    fn a_client_that_connects_once_more_takes_its_place() {
        let broker = Broker::default();
        let old = broker.enter("gateway").unwrap();
        let new = broker.enter("gateway").unwrap();
        assert!(old.end.is_cancelled() && !new.end.is_cancelled());
        drop(old);
        assert_eq!(broker.sessions(), 1);
        drop(new);
        assert_eq!(broker.sessions(), 0);
    }

    #[test]
    fn what_is_kept_reaches_later_subscribers_until_it_is_taken_away() {
        let broker = Broker::default();
        broker.publish(&Message { retain: true, ..message("s7/status") });
        let mut seat = broker.enter("a").unwrap();
        seat.subscribe("s7/#", Qos::AtMostOnce);
        let kept = seat.inbox.try_recv().unwrap();
        assert_eq!((kept.retain, kept.qos), (true, Qos::AtMostOnce));
        broker.publish(&Message { retain: true, ..Message::new("s7/status", b"", Qos::AtMostOnce) });
        assert_eq!(broker.state().retained.len(), 0);
    }

    #[test]
    fn all_that_clients_can_enlarge_is_bounded() {
        let broker = Broker::default();
        let seats: Vec<Seat> = (0..SESSIONS_MAX).map(|_| broker.enter("").unwrap()).collect();
        assert!(broker.enter("").is_none());
        assert!((0..FILTERS_MAX).all(|n| seats[0].subscribe(&n.to_string(), Qos::AtMostOnce).is_some()));
        assert_eq!(seats[0].subscribe("one/more", Qos::AtMostOnce), None);
        assert!(seats[0].subscribe("0", Qos::AtLeastOnce).is_some());
        (0..WAITING_MAX + 3).for_each(|_| assert!(broker.publish(&message("0"))));
        assert_eq!((seats[0].inbox.len(), broker.counts().dropped.load(Relaxed)), (WAITING_MAX, 3));
        for n in 0..RETAINED_MAX + 1 {
            broker.publish(&Message { retain: true, ..message(&format!("kept/{n}")) });
        }
        assert_eq!(broker.state().retained.len(), RETAINED_MAX);
    }
}
