//! Clients of the target over TCP that say what a scenario has them say: load for a target whose protocol nobody here knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, BufStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::conversation::{Exchange, Heard};
use crate::scenario::model::PeerSpec;
use crate::units::Time;
use crate::world::{BoxFuture, BoxStream, Dial, Load, Party, Setting, WorldError};

/// Clients that connect to the target over TCP, and say their `talk` in turn, over and over.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct TcpClients {
    /// How many.
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 10_000))]
    pub count: usize,
    /// Said once on each new connection.
    #[serde(default)]
    #[garde(dive)]
    pub hello: Vec<Exchange>,
    /// Said one after the other, from the first again after the last.
    #[garde(length(min = 1), dive)]
    pub talk: Vec<Exchange>,
    /// How often each client says something.
    #[serde(default = "one_second")]
    #[garde(custom(crate::chaos::toxics::positive))]
    pub every: Time,
    /// So much of its talk, and it hangs up and connects anew; without it, it stays as long as it can.
    #[serde(default)]
    #[garde(inner(range(min = 1)))]
    pub stay: Option<u64>,
    /// How long it waits before it connects again.
    #[serde(default = "one_second")]
    #[garde(custom(crate::chaos::toxics::positive))]
    pub retry: Time,
    /// How long it waits for an answer before it takes the connection for dead.
    #[serde(default = "ten_seconds")]
    #[garde(custom(crate::chaos::toxics::positive))]
    pub patience: Time,
    /// What ends a line that is sent.
    #[serde(default = "newline")]
    #[garde(skip)]
    pub newline: String,
}

impl TcpClients {
    /// What each of them sends first, for connections that are given up after it.
    pub fn first_bytes(&self) -> Bytes {
        let first = self.hello.first().or(self.talk.first());
        first.map_or_else(Bytes::new, |first| first.bytes(&self.newline).into())
    }
}

/// Starts the clients `spec` of the target behind `dial`; they end when what this gives back is dropped.
pub fn start_clients<P: PeerSpec>(
    setting: &Setting<'_, P>,
    spec: &TcpClients,
    dial: &Arc<dyn Dial>,
) -> Box<dyn Party> {
    let (counts, cancel) = (Arc::new(Counts::default()), CancellationToken::new());
    let every = setting.paced(spec.every.0);
    for ordinal in 0..spec.count {
        let client = Client {
            ordinal,
            spec: spec.clone(),
            // They do not all speak at once.
            starts_after: every.mul_f64(ordinal as f64 / spec.count as f64),
            every,
            retry: setting.paced(spec.retry.0),
            patience: setting.paced(spec.patience.0),
            dial: Arc::clone(dial),
            counts: Arc::clone(&counts),
        };
        let cancel = cancel.clone();
        tokio::spawn(async move {
            cancel.run_until_cancelled_owned(client.run()).await;
        });
    }
    let expects = spec.hello.iter().chain(&spec.talk).any(Exchange::has_answer);
    Box::new(Clients { counts, expects, _cancel: cancel.drop_guard() })
}

/// What all clients of one peer have done.
#[derive(Debug, Default)]
struct Counts {
    connected: AtomicU64,
    sent: AtomicU64,
    right: AtomicU64,
    wrong: AtomicU64,
}

struct Clients {
    counts: Arc<Counts>,
    /// Whether anything they say must be answered.
    expects: bool,
    _cancel: DropGuard,
}

impl Party for Clients {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        let figure = |what, count: &AtomicU64, at_least_per_cycle, at_most| Load {
            what,
            count: count.load(Relaxed),
            at_least_per_cycle,
            at_most,
        };
        let mut load = vec![
            figure("connections made", &self.counts.connected, 0, None),
            figure("messages sent", &self.counts.sent, 1, None),
        ];
        if self.expects {
            load.push(figure("right answers", &self.counts.right, 1, None));
            load.push(figure("wrong answers", &self.counts.wrong, 0, Some(0)));
        }
        Box::pin(async { Ok(load) })
    }
}

struct Client {
    ordinal: usize,
    spec: TcpClients,
    starts_after: Duration,
    every: Duration,
    retry: Duration,
    patience: Duration,
    dial: Arc<dyn Dial>,
    counts: Arc<Counts>,
}

/// The connection is over: it broke, or the client hung up.
struct Over;

impl Client {
    async fn run(self) {
        sleep(self.starts_after).await;
        loop {
            if let Ok(Ok(stream)) = timeout(self.patience, self.dial.dial(self.ordinal)).await {
                self.counts.connected.fetch_add(1, Relaxed);
                // Whatever ended it, the next one follows.
                let Err(Over) = self.converse(BufStream::new(stream)).await;
            }
            sleep(self.retry).await;
        }
    }

    async fn converse(&self, mut stream: BufStream<BoxStream>) -> Result<std::convert::Infallible, Over> {
        for exchange in &self.spec.hello {
            self.say(exchange, &mut stream).await?;
        }
        let (mut next, mut said) = (Instant::now(), 0);
        for exchange in self.spec.talk.iter().cycle() {
            if self.spec.stay == Some(said) {
                return Err(Over);
            }
            drop_until(next, &mut stream).await?;
            self.say(exchange, &mut stream).await?;
            next = Instant::now().max(next + self.every);
            said += 1;
        }
        Err(Over)
    }

    async fn say(&self, exchange: &Exchange, stream: &mut BufStream<BoxStream>) -> Result<(), Over> {
        let answered = timeout(self.patience, exchange.carry_out(stream, &self.spec.newline)).await;
        let Ok(Ok(heard)) = answered else { return Err(Over) };
        self.counts.sent.fetch_add(1, Relaxed);
        match heard {
            Heard::Nothing => {}
            Heard::Right => drop(self.counts.right.fetch_add(1, Relaxed)),
            Heard::Wrong => {
                self.counts.wrong.fetch_add(1, Relaxed);
                return Err(Over);
            }
        }
        Ok(())
    }
}

/// Reads and drops what nobody asked for until it is time to speak again, so that it does not pile up.
async fn drop_until(at: Instant, stream: &mut BufStream<BoxStream>) -> Result<(), Over> {
    let mut dropped = [0; 4096];
    loop {
        tokio::select! {
            biased;
            () = sleep_until(at) => return Ok(()),
            read = stream.read(&mut dropped) => match read {
                Ok(0) | Err(_) => return Err(Over),
                Ok(_) => {}
            },
        }
    }
}

fn one() -> usize {
    1
}

fn one_second() -> Time {
    Time(Duration::from_secs(1))
}

fn ten_seconds() -> Time {
    Time(Duration::from_secs(10))
}

fn newline() -> String {
    "\n".to_owned()
}
