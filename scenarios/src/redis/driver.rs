//! Who works at the Redis server beside the gateway: subscribers of what it publishes, and a commander that has tags written.
//!
//! They are clients like any other, so that they play at the simulated server and at a real one alike, and reach it past the
//! link: its faults are the gateway's alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use watertight::world::{BoxFuture, Dial, Load, Party, Setting, WorldError};

use super::line::{End, Line};
use super::resp::Value;
use crate::command::{self, Answer, Target};
use crate::peers::{RedisServer, S7Peer};

/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a connection and the first answer may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What the clients count.
#[derive(Debug, Default)]
struct Counts {
    images: AtomicU64,
    commands: command::Counts,
}

/// Clients of a server that are running; they end when this is dropped.
pub struct Driver {
    counts: Arc<Counts>,
    images_per_cycle: u64,
    has_commander: bool,
    _cancel: DropGuard,
}

impl Driver {
    /// Starts the clients of the server that `dial` leads to.
    pub fn start(setting: &Setting<'_, S7Peer>, spec: &RedisServer, dial: &Arc<dyn Dial>) -> Self {
        let counts = Arc::new(Counts::default());
        let cancel = CancellationToken::new();
        let session = || Session { dial: Arc::clone(dial), counts: Arc::clone(&counts) };
        for _ in 0..spec.subscribers {
            let bytes_per_second = spec.read.map(|rate| rate.0 as f64 * setting.pace);
            spawn_until(&cancel, Subscriber { session: session(), bytes_per_second }.run());
        }
        if let Some(commands) = &spec.commands {
            let commander = Commander {
                session: session(),
                every: setting.paced(commands.every.0),
                targets: command::targets(setting.scenario, &commands.tag),
            };
            spawn_until(&cancel, commander.run());
        }
        let stations = crate::gateway::stations(setting.scenario).count() as u64;
        Self {
            counts,
            images_per_cycle: stations * spec.subscribers as u64,
            has_commander: spec.commands.is_some(),
            _cancel: cancel.drop_guard(),
        }
    }
}

/// A client ends with the token that its [`Driver`] holds.
fn spawn_until(cancel: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let cancel = cancel.clone();
    tokio::spawn(async move {
        cancel.run_until_cancelled_owned(work).await;
    });
}

impl Party for Driver {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        let mut load = vec![Load {
            what: "images received by subscribers",
            count: self.counts.images.load(Relaxed),
            at_least_per_cycle: self.images_per_cycle,
            at_most: None,
        }];
        if self.has_commander {
            load.extend(self.counts.commands.load());
        }
        Box::pin(async { Ok(load) })
    }
}

/// What every client of the server needs.
struct Session {
    dial: Arc<dyn Dial>,
    counts: Arc<Counts>,
}

impl Session {
    async fn connect(&self) -> Result<Line, End> {
        let dialed = timeout(CONNECT_WITHIN, self.dial.dial(0)).await;
        Ok(Line::new(dialed.map_err(io::Error::from)??))
    }

    /// Connects, and subscribes by `word` to `name`; the confirmation has come.
    async fn listen(&self, word: &[u8], name: &str) -> Result<Line, End> {
        let mut line = self.connect().await?;
        line.send(&Value::request(&[word, name.as_bytes()]));
        let confirmed = timeout(CONNECT_WITHIN, line.next()).await;
        match confirmed.map_err(io::Error::from)?? {
            Value::Array(_) => Ok(line),
            _ => Err(End::Closed),
        }
    }
}

/// The payload of a message, which is the last of its texts.
fn payload(value: Value) -> Option<Bytes> {
    let words = value.into_words()?;
    words.first().is_some_and(|word| word.ends_with(b"message")).then(|| words.last().cloned())?
}

struct Subscriber {
    session: Session,
    bytes_per_second: Option<f64>,
}

impl Subscriber {
    async fn run(self) {
        loop {
            // Whatever ended the connection, the client's answer is the same: connect again.
            let _ended: Result<(), End> = self.read().await;
            sleep(RETRY).await;
        }
    }

    async fn read(&self) -> Result<(), End> {
        let mut line = self.session.listen(b"PSUBSCRIBE", &format!("{}:values:*", command::PREFIX)).await?;
        loop {
            let Some(payload) = payload(line.next().await?) else { continue };
            self.session.counts.images.fetch_add(1, Relaxed);
            command::digest(self.bytes_per_second, payload.len()).await;
        }
    }
}

struct Commander {
    session: Session,
    every: Duration,
    targets: Vec<Target>,
}

impl Commander {
    async fn run(self) {
        let mut next = 0;
        loop {
            let _ended: Result<(), End> = self.command(&mut next).await;
            sleep(RETRY).await;
        }
    }

    /// Sends a command each period, from number `next` on, and counts what is answered. One connection listens, one speaks.
    async fn command(&self, next: &mut usize) -> Result<(), End> {
        let counts = &self.session.counts.commands;
        let mut results = self.session.listen(b"SUBSCRIBE", &format!("{}:results", command::PREFIX)).await?;
        let mut commands = self.session.connect().await?;
        let mut due = Instant::now() + self.every;
        loop {
            tokio::select! {
                biased;
                result = results.next() => if let Some(result) = payload(result?) {
                    counts.answered(Answer::of(&result));
                },
                // How many heard a command says nothing about whether it was carried out.
                heard = commands.next() => { heard?; }
                () = sleep_until(due) => {
                    commands.send(&self.request(*next));
                    counts.sent();
                    *next += 1;
                    due += self.every;
                }
            }
        }
    }

    fn request(&self, number: usize) -> Value {
        let Target { station, tag } = &self.targets[number % self.targets.len()];
        let id = format!("c{number}");
        let command = json!({ "id": id, "station": station, "tag": tag, "value": command::value(number) });
        let channel = format!("{}:commands", command::PREFIX);
        Value::request(&[b"PUBLISH", channel.as_bytes(), command.to_string().as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_the_last_word_of_a_message() {
        let value = |words: &[&[u8]]| Value::request(words);
        assert_eq!(payload(value(&[b"message", b"s7:results", b"{}"])), Some("{}".into()));
        assert_eq!(payload(value(&[b"pmessage", b"s7:*", b"s7:a", b"{}"])), Some("{}".into()));
        assert_eq!(
            payload(Value::Array(vec![Value::text("subscribe"), Value::Null, Value::Integer(0)])),
            None
        );
    }
}
