//! Consumers: programs on the far side of the gateway's HTTP, the same in every engine.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use watertight::world::{BoxFuture, BoxStream, Dial, Load, Party, WorldError};

use crate::peers::{SseConsumers, ValueReader};

/// An answer larger than this is not one of the gateway's: the reader gives up on it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How long a consumer that never reads holds its connection, in units of its patience.
const NAP_IN_PATIENCES: u32 = 3;

/// What a consumer that never reads counts, in scenario time, while it holds a connection.
const HELD: Duration = Duration::from_secs(1);

/// What consumers count; shared by all instances of one peer.
#[derive(Debug, Default)]
struct Counts {
    held: AtomicU64,
    bytes: AtomicU64,
    right: AtomicU64,
    wrong: AtomicU64,
}

/// Consumers that are running; they end when this is dropped.
pub struct Consumers {
    counts: Arc<Counts>,
    load: fn(&Counts) -> Vec<Load>,
    _cancel: DropGuard,
}

impl Party for Consumers {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        let load = (self.load)(&self.counts);
        Box::pin(async { Ok(load) })
    }
}

/// Starts `spec.count` consumers of the event stream, each of which reads at its rate and reconnects when cut.
pub fn start_sse(spec: &SseConsumers, pace: f64, dial: &Arc<dyn Dial>) -> Consumers {
    let counts = Arc::new(Counts::default());
    let cancel = CancellationToken::new();
    for ordinal in 0..spec.count {
        let consumer = SseConsumer {
            ordinal,
            bytes_per_second: spec.read.0 as f64 * pace,
            chunk_bytes: usize::try_from(spec.chunk.0).unwrap_or(usize::MAX).clamp(1, 1 << 20),
            retry: spec.retry.0.div_f64(pace),
            patience: spec.patience.0.div_f64(pace),
            held: HELD.div_f64(pace),
            dial: Arc::clone(dial),
            counts: Arc::clone(&counts),
        };
        spawn_until(&cancel, consumer.run());
    }
    let load = if spec.read.0 == 0 { load_of_sleepers } else { load_of_readers };
    Consumers { counts, load, _cancel: cancel.drop_guard() }
}

fn load_of_readers(counts: &Counts) -> Vec<Load> {
    vec![Load {
        what: "bytes of events read",
        count: counts.bytes.load(Relaxed),
        at_least_per_cycle: 1,
        at_most: None,
    }]
}

fn load_of_sleepers(counts: &Counts) -> Vec<Load> {
    vec![Load {
        what: "seconds in which a connection was held and nothing read",
        count: counts.held.load(Relaxed),
        at_least_per_cycle: 1,
        at_most: None,
    }]
}

/// Starts a reader that checks values each period.
pub fn start_values(spec: &ValueReader, pace: f64, dial: Arc<dyn Dial>) -> Consumers {
    let counts = Arc::new(Counts::default());
    let cancel = CancellationToken::new();
    let reader = Checker {
        every: spec.every.0.div_f64(pace),
        expect: spec.expect.clone(),
        dial,
        counts: Arc::clone(&counts),
    };
    spawn_until(&cancel, reader.run());
    Consumers { counts, load: load_of_checker, _cancel: cancel.drop_guard() }
}

fn load_of_checker(counts: &Counts) -> Vec<Load> {
    vec![
        Load {
            what: "right values read",
            count: counts.right.load(Relaxed),
            at_least_per_cycle: 1,
            at_most: None,
        },
        Load {
            what: "wrong values read",
            count: counts.wrong.load(Relaxed),
            at_least_per_cycle: 0,
            at_most: Some(0),
        },
    ]
}

/// A consumer ends with the token its [`Consumers`] holds.
fn spawn_until(cancel: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let cancel = cancel.clone();
    tokio::spawn(async move {
        cancel.run_until_cancelled_owned(work).await;
    });
}

struct SseConsumer {
    ordinal: usize,
    bytes_per_second: f64,
    chunk_bytes: usize,
    retry: Duration,
    patience: Duration,
    held: Duration,
    dial: Arc<dyn Dial>,
    counts: Arc<Counts>,
}

impl SseConsumer {
    async fn run(self) {
        let mut buffer = vec![0; self.chunk_bytes];
        loop {
            // Whatever ended the connection, the consumer's answer is the same: connect again.
            let _ended: io::Result<()> = self.consume(&mut buffer).await;
            sleep(self.retry).await;
        }
    }

    async fn consume(&self, buffer: &mut [u8]) -> io::Result<()> {
        let mut stream = timeout(self.patience, self.dial.dial(self.ordinal)).await??;
        stream
            .write_all(b"GET /events HTTP/1.1\r\nHost: gateway\r\nAccept: text/event-stream\r\n\r\n")
            .await?;
        if self.bytes_per_second == 0.0 {
            // Holds the connection without reading: it is for the gateway to let go. Without reading it cannot see
            // that, so it comes back after a while, as a stuck browser does when its user reloads.
            let _slept = timeout(self.patience * NAP_IN_PATIENCES, self.hold()).await;
            return Ok(());
        }
        loop {
            let read = timeout(self.patience, stream.read(buffer)).await??;
            if read == 0 {
                return Ok(());
            }
            self.counts.bytes.fetch_add(read as u64, Relaxed);
            sleep(Duration::from_secs_f64(read as f64 / self.bytes_per_second)).await;
        }
    }

    /// Counts for how long the connection is held.
    async fn hold(&self) {
        loop {
            sleep(self.held).await;
            self.counts.held.fetch_add(1, Relaxed);
        }
    }
}

struct Checker {
    every: Duration,
    expect: BTreeMap<String, f64>,
    dial: Arc<dyn Dial>,
    counts: Arc<Counts>,
}

impl Checker {
    async fn run(self) {
        let mut next = Instant::now();
        loop {
            next += self.every;
            for (name, want) in &self.expect {
                // A refused or cut request is not a wrong value; the audit asks for right ones in every cycle.
                if let Ok(Ok(Some(found))) = timeout(self.every * 5, self.read(name)).await {
                    let counter = if found == *want { &self.counts.right } else { &self.counts.wrong };
                    counter.fetch_add(1, Relaxed);
                }
            }
            sleep_until(next).await;
        }
    }

    /// The value of `station/tag`; `None` while the gateway has no good one.
    async fn read(&self, name: &str) -> io::Result<Option<f64>> {
        let mut stream = self.dial.dial(0).await?;
        let request = format!("GET /values/{name} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let answer = read_answer(stream).await?;
        Ok(good_value(&answer))
    }
}

async fn read_answer(stream: BoxStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The number in `{"value": …, "quality": "good"}` of a 200 answer.
fn good_value(answer: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    let body: Value = serde_json::from_str(body).ok()?;
    if body.get("quality")?.as_str()? != "good" {
        return None;
    }
    match body.get("value")? {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_value_of_a_200_answer_counts() {
        let answer =
            |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nx: y\r\n\r\n{body}").into_bytes();
        assert_eq!(good_value(&answer("200 OK", r#"{"value":42,"quality":"good"}"#)), Some(42.0));
        assert_eq!(good_value(&answer("200 OK", r#"{"value":42,"quality":"stale"}"#)), None);
        assert_eq!(good_value(&answer("404 Not Found", r#"{"value":42,"quality":"good"}"#)), None);
        assert_eq!(good_value(b"HTTP/1.1 200 OK"), None);
    }
}
