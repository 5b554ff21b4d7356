//! The simulated Redis server's publish and subscribe: who listens to which channel. No I/O: that is [`super::session`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::resp::Value;

/// Clients at once; one more is refused.
pub const CLIENTS_MAX: usize = 1_000;

/// Channels and patterns of one client; one more is refused.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// A channel or pattern longer than this is refused.
pub const CHANNEL_BYTES_MAX: usize = 256;

/// Messages waiting for one client; one more, and the server hangs up, as Redis does.
pub const WAITING_MAX: usize = 256;

/// What a server counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages published by clients over the link.
    pub published: AtomicU64,
    /// Clients that were cut off because too much waited for them.
    pub cut_off: AtomicU64,
    /// Connections that broke the protocol.
    pub broken: AtomicU64,
}

/// Who listens. Clones are the same hub.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: Counts,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    clients: BTreeMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
    outbox: mpsc::Sender<Value>,
    end: CancellationToken,
}

/// A client's place. Dropping it ends its subscriptions.
#[derive(Debug)]
pub struct Seat {
    hub: Hub,
    /// The client's number.
    pub number: u64,
    /// What the client is to be sent.
    pub inbox: mpsc::Receiver<Value>,
    /// Cancelled when too much waits for the client.
    pub end: CancellationToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.state().clients.remove(&self.number);
    }
}

/// Of what a client has subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One channel.
    Channel,
    /// All channels that fit a pattern.
    Pattern,
}

impl Hub {
    /// What it has counted.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// How many clients are connected.
    #[cfg(test)]
    pub fn clients(&self) -> usize {
        self.state().clients.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a client in; `None`: there is no room.
    pub fn enter(&self) -> Option<Seat> {
        let mut state = self.state();
        if state.clients.len() >= CLIENTS_MAX {
            return None;
        }
        let number = state.next;
        state.next += 1;
        let (outbox, inbox) = mpsc::channel(WAITING_MAX);
        let end = CancellationToken::new();
        let client =
            Client { channels: BTreeSet::new(), patterns: BTreeSet::new(), outbox, end: end.clone() };
        state.clients.insert(number, client);
        Some(Seat { hub: self.clone(), number, inbox, end })
    }

    /// Hands a message to everybody who listens; how often it was handed over.
    pub fn publish(&self, channel: &Bytes, payload: &Bytes) -> i64 {
        let state = self.state();
        state.clients.values().map(|client| client.hand(channel, payload, &self.0.counts)).sum()
    }
}

impl Client {
    fn of_kind(&mut self, kind: Kind) -> &mut BTreeSet<Bytes> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }

    fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    fn hand(&self, channel: &Bytes, payload: &Bytes, counts: &Counts) -> i64 {
        let bulk = |bytes: &Bytes| Value::Bulk(bytes.clone());
        let exact = self.channels.contains(channel).then(|| vec![Value::text("message")]);
        let fitting = self.patterns.iter().filter(|pattern| fits(pattern, channel));
        let fitting = fitting.map(|pattern| vec![Value::text("pmessage"), bulk(pattern)]);
        let mut handed = 0;
        for mut message in exact.into_iter().chain(fitting) {
            message.extend([bulk(channel), bulk(payload)]);
            handed += 1;
            if self.outbox.try_send(Value::Push(message)).is_err() && !self.end.is_cancelled() {
                counts.cut_off.fetch_add(1, Relaxed);
                self.end.cancel();
            }
        }
        handed
    }
}

impl Seat {
    /// Subscribes; how many subscriptions there are now, or `None`: it is refused.
    pub fn subscribe(&self, kind: Kind, name: &Bytes) -> Option<i64> {
        let mut state = self.hub.state();
        let client = state.clients.get_mut(&self.number)?;
        let is_new = !client.of_kind(kind).contains(name);
        if name.len() > CHANNEL_BYTES_MAX || is_new && client.subscriptions() >= SUBSCRIPTIONS_MAX {
            return None;
        }
        client.of_kind(kind).insert(name.clone());
        Some(client.subscriptions() as i64)
    }

    /// Ends a subscription; how many are left.
    pub fn unsubscribe(&self, kind: Kind, name: &Bytes) -> i64 {
        let mut state = self.hub.state();
        let Some(client) = state.clients.get_mut(&self.number) else { return 0 };
        client.of_kind(kind).remove(name);
        client.subscriptions() as i64
    }

    /// The client's subscriptions of one kind.
    pub fn names(&self, kind: Kind) -> Vec<Bytes> {
        let mut state = self.hub.state();
        let client = state.clients.get_mut(&self.number);
        client.map(|client| client.of_kind(kind).iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether the client listens to anything.
    pub fn is_subscribed(&self) -> bool {
        self.hub.state().clients.get(&self.number).is_some_and(|client| client.subscriptions() > 0)
    }
}

/// Whether `text` fits a pattern of `*`, `?` and bytes that stand for themselves, after `\` whatever they are.
///
/// Takes at most pattern times text steps, since only the last `*` is ever tried again.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match one(&pattern[p..], text[t]) {
            Step::Star => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Step::Fits(length) => (p, t) = (p + length, t + 1),
            Step::Differs => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (p, t) = (after_star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// What the head of a pattern says to one byte.
enum Step {
    Star,
    Fits(usize),
    Differs,
}

fn one(pattern: &[u8], byte: u8) -> Step {
    match pattern {
        [b'*', ..] => Step::Star,
        [b'?', ..] => Step::Fits(1),
        [b'\\', escaped, ..] if *escaped == byte => Step::Fits(2),
        [b'\\', _, ..] => Step::Differs,
        [first, ..] if *first == byte => Step::Fits(1),
        _ => Step::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_redis_has_them() {
        let fit = [
            ("s7:values:*", "s7:values:plc-0"),
            ("*", ""),
            ("a?c", "abc"),
            ("a*c*e", "abcde"),
            (r"a\*", "a*"),
        ];
        let differ =
            [("s7:values:*", "s7:results"), ("a?c", "ac"), ("a*c", "abcd"), (r"a\*", "ab"), ("", "a")];
        for (pattern, text) in fit {
            assert!(fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in differ {
            assert!(!fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn a_message_comes_once_for_the_channel_and_once_for_each_pattern() {
        let hub = Hub::default();
        let mut seat = hub.enter().unwrap();
        assert_eq!(seat.subscribe(Kind::Channel, &"s7:a".into()), Some(1));
        assert_eq!(seat.subscribe(Kind::Pattern, &"s7:*".into()), Some(2));
        assert_eq!(hub.publish(&"s7:a".into(), &"x".into()), 2);
        assert_eq!(hub.publish(&"other".into(), &"x".into()), 0);
        let texts = |values: &[&str]| Value::Push(values.iter().map(|text| Value::text(text)).collect());
        assert_eq!(seat.inbox.try_recv().unwrap(), texts(&["message", "s7:a", "x"]));
        assert_eq!(seat.inbox.try_recv().unwrap(), texts(&["pmessage", "s7:*", "s7:a", "x"]));
        assert_eq!(seat.unsubscribe(Kind::Channel, &"s7:a".into()), 1);
        drop(seat);
        assert_eq!((hub.clients(), hub.publish(&"s7:a".into(), &"x".into())), (0, 0));
    }

    #[test]
    fn all_that_clients_can_enlarge_is_bounded() {
        let hub = Hub::default();
        let seats: Vec<Seat> = (0..CLIENTS_MAX).map(|_| hub.enter().unwrap()).collect();
        assert!(hub.enter().is_none());
        let subscribe = |n: usize| seats[0].subscribe(Kind::Channel, &n.to_string().into());
        assert!((0..SUBSCRIPTIONS_MAX).all(|n| subscribe(n).is_some()));
        assert_eq!((subscribe(SUBSCRIPTIONS_MAX), subscribe(0)), (None, Some(SUBSCRIPTIONS_MAX as i64)));
        assert_eq!(seats[1].subscribe(Kind::Pattern, &"x".repeat(CHANNEL_BYTES_MAX + 1).into()), None);
        (0..WAITING_MAX).for_each(|_| assert_eq!(hub.publish(&"0".into(), &"x".into()), 1));
        assert!(!seats[0].end.is_cancelled());
        hub.publish(&"0".into(), &"x".into());
        assert!(seats[0].end.is_cancelled());
        assert_eq!(hub.counts().cut_off.load(Relaxed), 1);
    }
}
