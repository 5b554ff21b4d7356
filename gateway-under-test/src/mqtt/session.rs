//! One connection to the broker: taken in, kept until something ends it, and ended in order when the gateway is to stop.
//!
//! It is one future, in which everything it holds lives: identifiers, deadlines, the commands being carried out. Whoever
//! drops it has closed the connection and freed the rest.

use std::collections::VecDeque;
use std::future::poll_fn;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::command::{Commands, Done};
use super::events::Events;
use super::in_flight::{InFlight, Kind};
use super::message::{Message, messages};
use super::packet::{self, DISCONNECT, Granted, Incoming, Outgoing, PING, Published};
use super::topic::Topics;
use super::vigil::{Due, Vigil};
use super::wire::{Moved, Wire};
use super::{MqttError, dial};
use crate::config::MqttConfig;
use crate::hub::Subscription;
use crate::meters::Held;
use crate::shared::Shared;

/// With more bytes than this to be written, nothing more is made, and nothing more is taken in.
const OUT_BYTES: usize = 16 * 1024;

/// A connection that the broker has taken in.
pub struct Session<'a> {
    shared: &'a Shared,
    config: &'a MqttConfig,
    wire: Wire,
    granted: Granted,
    vigil: Vigil,
    in_flight: InFlight<'a>,
    commands: Commands<'a>,
    /// What of the last event is still to be published.
    waiting: VecDeque<Message>,
    /// Whether the gateway is to stop: no more commands are taken.
    stopping: bool,
    /// Whether no more events will come.
    drained: bool,
    _connected: Held<'a>,
}

impl<'a> Session<'a> {
    /// Connects and is taken in, both within the connect timeout.
    pub async fn open(shared: &'a Shared, config: &'a MqttConfig) -> Result<Self, MqttError> {
        let deadline = Instant::now() + config.connect_timeout;
        let late = |_elapsed| MqttError::ConnectTimeout(config.connect_timeout);
        timeout_at(deadline, Self::open_in_time(shared, config)).await.map_err(late)?
    }

    async fn open_in_time(shared: &'a Shared, config: &'a MqttConfig) -> Result<Self, MqttError> {
        let password = dial::password(config)?;
        let mut wire = Wire::new(dial::dial(shared, config).await?, config.version);
        let password = password.as_ref().map(|password| password.expose());
        wire.put(&packet::connect(config, password).map_err(MqttError::Unsendable)?);
        let granted = taken_in(&mut wire).await?;
        let in_flight = config.in_flight.min(usize::from(granted.receive_maximum));
        let topics = Topics::new(&config.prefix);
        let mut session = Self {
            shared,
            config,
            wire,
            granted,
            vigil: Vigil::new(granted.keep_alive.unwrap_or(config.keep_alive), config.ack_timeout),
            in_flight: InFlight::new(in_flight, shared.parts.identifiers.open(), &shared.meters.mqtt_unacked),
            commands: Commands::new(shared, topics, config.commands_in_flight),
            waiting: VecDeque::new(),
            stopping: false,
            drained: false,
            _connected: shared.meters.mqtt_connected.hold(),
        };
        if config.commands {
            session.subscribe()?;
        }
        Ok(session)
    }

    /// Publishes `events` and carries out commands until something ends the connection: `stop`, in order, or an error.
    /// From `stop` on nothing more is `queue`d.
    pub async fn keep(
        mut self,
        events: &mut dyn Events,
        queue: &Subscription,
        stop: &CancellationToken,
    ) -> Result<(), MqttError> {
        while !self.is_done() {
            self.fill();
            let listening = self.commands.has_room() && self.wire.waiting() < OUT_BYTES;
            let deaf = self.vigil.listen(listening);
            self.in_flight.forgive(deaf, Instant::now());
            let (at, due) = self.vigil.next(self.in_flight.oldest());
            let wants_event = !self.drained && self.waiting.is_empty() && self.has_room();
            tokio::select! {
                biased;
                moved = self.wire.next(listening) => self.take_in(moved?)?,
                Some(done) = self.commands.next() => self.answer(&done)?,
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    queue.close();
                }
                event = poll_fn(|context| events.poll_next(context)), if wants_event => self.take(event),
                () = sleep_until(at) => self.act(due)?,
            }
        }
        self.take_leave().await
    }

    /// Whether everything that was to be done before the end is done.
    fn is_done(&self) -> bool {
        let nothing_waits = self.waiting.is_empty() && self.in_flight.is_empty() && self.commands.is_empty();
        self.stopping && self.drained && nothing_waits && self.wire.is_flushed()
    }

    fn has_room(&self) -> bool {
        self.wire.waiting() < OUT_BYTES && (self.qos() == 0 || self.in_flight.has_room())
    }

    fn qos(&self) -> u8 {
        self.config.qos.min(self.granted.qos)
    }

    fn take(&mut self, event: Option<Bytes>) {
        match event {
            Some(event) => {
                self.waiting = messages(&event, Topics::new(&self.config.prefix), self.config.topics);
            }
            None => self.drained = true,
        }
    }

    /// Publishes what waits, as far as there is room.
    fn fill(&mut self) {
        while self.has_room() {
            let Some(message) = self.waiting.pop_front() else {
                // Its room goes with the event.
                self.waiting = VecDeque::new();
                return;
            };
            let retain = self.config.retain && self.granted.retain;
            self.publish(&message.topic, &message.body, self.qos(), retain, None);
        }
    }

    /// Publishes one message. Where the answer to a command goes is its sender's choice: a wrong topic is no one else's fault.
    fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool, correlation: Option<&[u8]>) {
        let meters = &self.shared.meters;
        let id = (qos > 0).then(|| self.in_flight.add(Kind::Message, Instant::now()));
        let message = Outgoing { topic, payload, id, retain, correlation };
        let packet = match packet::publish(self.config.version, message) {
            Ok(packet) if packet.len() <= self.granted.packet_bytes_max => packet,
            unsendable => {
                let why = unsendable.map_or_else(|error| error.to_string(), |_| "too long".to_owned());
                debug!(topic, why, "a message that the broker would not take");
                id.map(|id| self.in_flight.settle(id, Kind::Message));
                meters.mqtt_dropped.up();
                return;
            }
        };
        if id.is_none() {
            meters.mqtt_published.up();
        }
        self.put(&packet);
    }

    fn put(&mut self, packet: &[u8]) {
        self.wire.put(packet);
        self.vigil.want_to_send();
    }

    fn subscribe(&mut self) -> Result<(), MqttError> {
        let id = self.in_flight.add(Kind::Subscription, Instant::now());
        let filter = Topics::new(&self.config.prefix).commands();
        let packet = packet::subscribe(self.config.version, id, &filter).map_err(MqttError::Unsendable)?;
        self.put(&packet);
        Ok(())
    }

    fn take_in(&mut self, moved: Moved) -> Result<(), MqttError> {
        let received = match moved {
            Moved::Sent { more } => {
                self.vigil.send(more);
                return Ok(());
            }
            Moved::Received(received) => received,
        };
        self.vigil.hear();
        match received {
            Incoming::Published(published) => self.command(*published),
            Incoming::Acknowledged(id, refused) => self.acknowledged(id, refused),
            Incoming::Subscribed(id, refused) => self.subscribed(id, refused),
            Incoming::Pong => Ok(()),
            Incoming::Disconnected(reason) => Err(MqttError::Disconnected(reason)),
            Incoming::Connack(_) => Err(unexpected("one CONNACK", "another")),
        }
    }

    fn acknowledged(&mut self, id: u16, refused: Option<String>) -> Result<(), MqttError> {
        if !self.in_flight.settle(id, Kind::Message) {
            return Err(unexpected("PUBACK of a message under way", &format!("PUBACK {id}")));
        }
        match refused {
            None => self.shared.meters.mqtt_published.up(),
            Some(reason) => {
                debug!(reason, "the broker did not take a message");
                self.shared.meters.mqtt_dropped.up();
            }
        }
        Ok(())
    }

    fn subscribed(&mut self, id: u16, refused: Option<String>) -> Result<(), MqttError> {
        if !self.in_flight.settle(id, Kind::Subscription) {
            return Err(unexpected("SUBACK of a subscription under way", &format!("SUBACK {id}")));
        }
        if let Some(reason) = refused {
            warn!(
                reason,
                "the broker refuses the subscription: values are published, commands are not taken"
            );
        }
        Ok(())
    }

    fn command(&mut self, published: Published) -> Result<(), MqttError> {
        if self.stopping || !self.config.commands {
            // Not acknowledged: a broker that keeps the session hands it to whoever comes after.
            return Ok(());
        }
        match Topics::new(&self.config.prefix).target(&published.topic) {
            Some(target) => self.commands.take(published, target),
            None => {
                debug!(topic = published.topic, "not a topic of commands");
                self.acknowledge(published.id)
            }
        }
    }

    /// Tells everyone what became of a command, and the broker that it need not be sent again.
    fn answer(&mut self, done: &Done) -> Result<(), MqttError> {
        self.publish_outcome(&done.topic, done, None);
        if let Some(topic) = &done.response_topic {
            self.publish_outcome(topic, done, done.correlation.as_deref());
        }
        self.acknowledge(done.id)
    }

    /// An outcome does not wait for room: if there is none, its message may be lost.
    fn publish_outcome(&mut self, topic: &str, done: &Done, correlation: Option<&[u8]>) {
        let qos = if self.in_flight.has_room() { self.qos() } else { 0 };
        self.publish(topic, &done.outcome, qos, false, correlation);
    }

    fn acknowledge(&mut self, id: Option<u16>) -> Result<(), MqttError> {
        let Some(id) = id else { return Ok(()) };
        let packet = packet::acknowledge(self.config.version, id).map_err(MqttError::Unsendable)?;
        self.put(&packet);
        Ok(())
    }

    fn act(&mut self, due: Due) -> Result<(), MqttError> {
        match due {
            Due::Ping => {
                self.vigil.ask();
                self.put(&PING);
                Ok(())
            }
            Due::Silent(patience) => Err(MqttError::Silent(patience)),
            Due::Unacknowledged => Err(MqttError::AckTimeout(self.config.ack_timeout)),
            Due::Stuck => Err(MqttError::SendTimeout(self.config.ack_timeout)),
        }
    }

    async fn take_leave(&mut self) -> Result<(), MqttError> {
        self.wire.put(&DISCONNECT);
        let patience = self.config.ack_timeout;
        let late = |_elapsed| MqttError::SendTimeout(patience);
        timeout(patience, self.wire.close()).await.map_err(late)?
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // What is under way may have arrived; nobody will know.
        let lost = self.in_flight.messages() + self.waiting.len() as u64;
        self.shared.meters.mqtt_dropped.add(lost);
    }
}

/// Waits until the broker has said CONNACK.
async fn taken_in(wire: &mut Wire) -> Result<Granted, MqttError> {
    loop {
        match wire.next(true).await? {
            Moved::Sent { .. } => {}
            Moved::Received(Incoming::Connack(answer)) => return answer.map_err(MqttError::Refused),
            Moved::Received(Incoming::Disconnected(reason)) => return Err(MqttError::Disconnected(reason)),
            Moved::Received(other) => return Err(unexpected("CONNACK", other.name())),
        }
    }
}

fn unexpected(expected: &'static str, found: &str) -> MqttError {
    MqttError::Unexpected { expected, found: found.to_owned() }
}
