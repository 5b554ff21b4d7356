//! Writes that came over MQTT: carried out side by side within a bound, each answered when its outcome is known.
//!
//! They are futures of the connection's own task. With the connection they are dropped, and what was not begun is not written.

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

use super::MqttError;
use super::packet::Published;
use super::topic::{Target, Topics};
use crate::shared::Shared;
use crate::station::command;

/// A longer payload is no value of a tag.
const VALUE_BYTES_MAX: usize = 1024;

/// A command whose outcome is known.
#[derive(Debug)]
pub struct Done {
    /// What the broker wants acknowledged now.
    pub id: Option<u16>,
    /// Where everyone sees the outcome.
    pub topic: String,
    /// Where its sender wants to see it too.
    pub response_topic: Option<String>,
    /// What its sender wants to see in it.
    pub correlation: Option<Vec<u8>>,
    /// The outcome, as JSON.
    pub outcome: Vec<u8>,
}

/// The commands of one connection that are being carried out.
pub struct Commands<'a> {
    shared: &'a Shared,
    topics: Topics<'a>,
    running: FuturesUnordered<BoxFuture<'a, Done>>,
    /// What the broker knows them by.
    ids: Vec<u16>,
    limit: usize,
}

impl<'a> Commands<'a> {
    /// None yet, and never more than `limit`.
    pub fn new(shared: &'a Shared, topics: Topics<'a>, limit: usize) -> Self {
        Self { shared, topics, running: FuturesUnordered::new(), ids: Vec::with_capacity(limit), limit }
    }

    /// Whether one more may come.
    pub fn has_room(&self) -> bool {
        self.running.len() < self.limit
    }

    /// Whether none is being carried out.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Begins to carry out `published`. One that is being carried out already is not begun again.
    pub fn take(&mut self, published: Published, target: Target) -> Result<(), MqttError> {
        if let Some(id) = published.id {
            if self.ids.contains(&id) {
                return again(&published);
            }
            self.ids.push(id);
        }
        let topic = self.topics.outcome(&target);
        let shared = self.shared;
        self.running.push(Box::pin(async move {
            let outcome = write(shared, &target, &published).await;
            let Published { id, response_topic, correlation, .. } = published;
            Done { id, topic, response_topic, correlation, outcome: as_json(outcome) }
        }));
        Ok(())
    }

    /// The next whose outcome is known; `None` when none is being carried out. Cancel-safe.
    pub async fn next(&mut self) -> Option<Done> {
        let done = self.running.next().await?;
        self.ids.retain(|id| Some(*id) != done.id);
        Some(done)
    }
}

/// The broker may send again what is not acknowledged; it may not send anything else under that identifier.
fn again(published: &Published) -> Result<(), MqttError> {
    if published.again {
        return Ok(());
    }
    let expected = "an identifier that is free, or a repeated message";
    Err(MqttError::Unexpected { expected, found: format!("another PUBLISH {:?}", published.id) })
}

async fn write(shared: &Shared, target: &Target, published: &Published) -> Result<(), String> {
    if published.retained {
        return Err("a retained message is no command: it would be carried out at each connect".to_owned());
    }
    let length = published.payload.len();
    if length > VALUE_BYTES_MAX {
        return Err(format!("{length} bytes are no value: at most {VALUE_BYTES_MAX}"));
    }
    let value = serde_json::from_slice(&published.payload)
        .map_err(|error| format!("the payload is no JSON value: {error}"))?;
    let written = command::write(shared, &target.station, &target.tag, &value).await;
    written.map_err(|error| error.to_string())
}

fn as_json(outcome: Result<(), String>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Outcome {
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    }
    let outcome = Outcome { ok: outcome.is_ok(), error: outcome.err() };
    serde_json::to_vec(&outcome).expect("a plain value written into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_json_and_an_error_says_why() {
        assert_eq!(as_json(Ok(())), br#"{"ok":true}"#);
        assert_eq!(as_json(Err("a \"b\"".to_owned())), br#"{"ok":false,"error":"a \"b\""}"#);
    }
}
