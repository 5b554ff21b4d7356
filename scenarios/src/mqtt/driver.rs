//! Who works at the broker beside the gateway: subscribers of what it publishes, and a commander that has tags written.
//!
//! They are MQTT clients like any other, so that they play at the simulated broker and at a real one alike, and reach it past
//! the link: its faults are the gateway's alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::connection::role::Client;
use mqtt_protocol_core::mqtt::packet::Qos;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use watertight::world::{BoxFuture, Dial, Load, Party, Setting, WorldError};

use super::line::{End, Line};
use super::message::Message;
use super::packet::{self, Received};
use crate::command::{self, Answer, Target};
use crate::peers::{MqttBroker, S7Peer};

/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a connection and the answer to it may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What the clients count.
#[derive(Debug, Default)]
struct Counts {
    images: AtomicU64,
    commands: command::Counts,
}

/// Clients of a broker that are running; they end when this is dropped.
pub struct Driver {
    counts: Arc<Counts>,
    images_per_cycle: u64,
    has_commander: bool,
    _cancel: DropGuard,
}

impl Driver {
    /// Starts the clients of the broker that `dial` leads to.
    pub fn start(setting: &Setting<'_, S7Peer>, spec: &MqttBroker, dial: &Arc<dyn Dial>) -> Self {
        let counts = Arc::new(Counts::default());
        let cancel = CancellationToken::new();
        let client = |name: String| Session {
            name,
            qos: if spec.qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce },
            dial: Arc::clone(dial),
            counts: Arc::clone(&counts),
        };
        for ordinal in 0..spec.subscribers {
            let bytes_per_second = spec.read.map(|rate| rate.0 as f64 * setting.pace);
            let subscriber =
                Subscriber { session: client(format!("subscriber-{ordinal}")), bytes_per_second };
            spawn_until(&cancel, subscriber.run());
        }
        if let Some(commands) = &spec.commands {
            let commander = Commander {
                session: client("commander".to_owned()),
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

/// What every client of the broker needs.
struct Session {
    name: String,
    qos: Qos,
    dial: Arc<dyn Dial>,
    counts: Arc<Counts>,
}

impl Session {
    /// Connects, and subscribes to `filter`.
    async fn connect(&self, filter: &str) -> Result<Line<Client>, End> {
        let connected = timeout(CONNECT_WITHIN, async {
            let mut line = Line::new(self.dial.dial(0).await?, Version::V3_1_1);
            // No keep-alive: nothing lies between this client and the broker that could fail in silence.
            line.send(packet::connect(Version::V3_1_1, &self.name, 0)?);
            loop {
                match line.next().await? {
                    Received::Connack(true) => line.subscribe(filter, self.qos)?,
                    Received::Suback(granted) if granted == [true] => return Ok(line),
                    Received::Connack(false) | Received::Suback(_) => return Err(End::Closed),
                    _ => {}
                }
            }
        });
        connected.await.map_err(io::Error::from)?
    }
}

struct Subscriber {
    session: Session,
    bytes_per_second: Option<f64>,
}

impl Subscriber {
    async fn run(self) {
        loop {
            // Whatever ended the connection, the client's answer is the same: connect again.
            let _ended: Result<(), End> = self.listen().await;
            sleep(RETRY).await;
        }
    }

    async fn listen(&self) -> Result<(), End> {
        let mut line = self.session.connect(&format!("{}/#", command::PREFIX)).await?;
        loop {
            let Received::Publish(message) = line.next().await? else { continue };
            if is_image(&message.topic) {
                self.session.counts.images.fetch_add(1, Relaxed);
            }
            command::digest(self.bytes_per_second, message.payload.len()).await;
        }
    }
}

/// Whether a station's image stands at `topic`, and not a command or an acknowledgement.
fn is_image(topic: &str) -> bool {
    topic.split('/').count() == 2
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

    /// Sends a command each period, from number `next` on, and counts what is answered.
    async fn command(&self, next: &mut usize) -> Result<(), End> {
        let counts = &self.session.counts.commands;
        let mut line = self.session.connect(&format!("{}/+/+/ack", command::PREFIX)).await?;
        let mut due = Instant::now() + self.every;
        loop {
            tokio::select! {
                biased;
                received = line.next() => if let Received::Publish(message) = received? {
                    counts.answered(Answer::of(&message.payload));
                },
                () = sleep_until(due), if line.has_room() => {
                    line.publish(&self.message(*next))?;
                    counts.sent();
                    *next += 1;
                    due += self.every;
                }
            }
        }
    }

    fn message(&self, number: usize) -> Message {
        let Target { station, tag } = &self.targets[number % self.targets.len()];
        let topic = format!("{}/{station}/{tag}/set", command::PREFIX);
        Message::new(&topic, command::value(number).to_string().as_bytes(), self.session.qos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_stand_at_topics_of_two_levels() {
        assert!(is_image("s7/plc-0"));
        assert!(!is_image("s7/plc-0/t0/ack") && !is_image("s7"));
    }
}
