//! Commands that a broker's client sends to the gateway: which tags, which values, what is counted. The same for MQTT and Redis.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use watertight::scenario::Scenario;
use watertight::world::Load;

use crate::gateway;
use crate::peers::S7Peer;

/// The first level of every topic and channel.
pub const PREFIX: &str = "s7";

/// Values written to a tag count from 0 to this, and begin anew: they fit every kind of number.
const VALUES: usize = 100;

/// A tag that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its station.
    pub station: String,
    /// Its name.
    pub tag: String,
}

/// `tag` of every station that has it.
pub fn targets(scenario: &Scenario<S7Peer>, tag: &str) -> Vec<Target> {
    gateway::stations(scenario)
        .filter(|(_, peer)| has_tag(peer, tag))
        .map(|(station, _)| Target { station, tag: tag.to_owned() })
        .collect()
}

fn has_tag(peer: &S7Peer, tag: &str) -> bool {
    match peer {
        S7Peer::S7(plcs) => (0..plcs.tags).any(|n| gateway::tag_name(n) == tag),
        S7Peer::S7Command(plc) => plc.tags.contains_key(tag),
        _ => false,
    }
}

/// The time a subscriber takes over a message of so many bytes: at a rate of 0 it never takes another.
pub async fn digest(bytes_per_second: Option<f64>, bytes: usize) {
    match bytes_per_second {
        Some(0.0) => std::future::pending().await,
        Some(rate) => sleep(Duration::from_secs_f64(bytes as f64 / rate)).await,
        None => {}
    }
}

/// What the command of this number writes.
pub fn value(number: usize) -> usize {
    number % VALUES
}

/// What the gateway said to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The tag was written.
    Ok,
    /// It was not; the gateway says why.
    Refused,
    /// It said something that is no answer.
    Nonsense,
}

impl Answer {
    /// Reads `{"ok":true}` and `{"ok":false,"error":"..."}`, whatever else stands beside it.
    pub fn of(payload: &[u8]) -> Self {
        let Ok(answer) = serde_json::from_slice::<Value>(payload) else { return Self::Nonsense };
        match (&answer["ok"], &answer["error"]) {
            (Value::Bool(true), _) => Self::Ok,
            (Value::Bool(false) | Value::Null, Value::String(_)) => Self::Refused,
            _ => Self::Nonsense,
        }
    }
}

/// What a commander counts.
#[derive(Debug, Default)]
pub struct Counts {
    sent: AtomicU64,
    ok: AtomicU64,
    refused: AtomicU64,
    nonsense: AtomicU64,
}

impl Counts {
    /// A command was sent.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// Something came back.
    pub fn answered(&self, answer: Answer) {
        let counter = match answer {
            Answer::Ok => &self.ok,
            Answer::Refused => &self.refused,
            Answer::Nonsense => &self.nonsense,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// As controls: commands kept coming and were carried out in every cycle; every answer was one.
    pub fn load(&self) -> [Load; 4] {
        let load = |what, counter: &AtomicU64, at_least_per_cycle, at_most| Load {
            what,
            count: counter.load(Relaxed),
            at_least_per_cycle,
            at_most,
        };
        [
            load("commands sent", &self.sent, 1, None),
            load("commands carried out", &self.ok, 1, None),
            load("commands refused", &self.refused, 0, None),
            load("answers that made no sense", &self.nonsense, 0, Some(0)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_the_gateway_gives_them() {
        assert_eq!(Answer::of(br#"{"ok":true}"#), Answer::Ok);
        assert_eq!(Answer::of(br#"{"id":"abc","ok":true}"#), Answer::Ok);
        assert_eq!(Answer::of(br#"{"ok":false,"error":"no such tag"}"#), Answer::Refused);
        assert_eq!(Answer::of(br#"{"id":"abc","error":"no such tag"}"#), Answer::Refused);
        for nonsense in ["{}", "", "true", r#"{"ok":1}"#] {
            assert_eq!(Answer::of(nonsense.as_bytes()), Answer::Nonsense, "{nonsense}");
        }
    }
}
