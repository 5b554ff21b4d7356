//! One connection to Redis, from connect to close: a single future that holds all there is of it.
//!
//! There is one connection, not two: in RESP3 messages come apart from answers, so that what subscribes can also publish,
//! and results, messages and signs of life share one order, one deadline and one end.

use std::collections::VecDeque;
use std::time::Duration;

use ::redis::{Cmd, PushKind, Value, cmd};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::error::{SessionError, shortened};
use super::events::Events;
use super::inbound::Inbound;
use super::message::{self, Command, NoCommand};
use super::outbound::Outbound;
use super::{Complaints, Side, greeting};
use crate::hub::event;
use crate::meters::Held;
use crate::net::BoxStream;
use crate::station::command::{self, Outcome};
use crate::tls::{self, ClientTls};

/// Commands of ours that wait for the server's answer at most.
const UNANSWERED_MAX: usize = 128;

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The protocol, and who the gateway is.
    Hello,
    /// The database.
    Select,
    /// The channel of commands.
    Subscribe,
    /// A result or an event.
    Publish,
    /// A sign of life.
    Ping,
}

impl Asked {
    const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Select => "SELECT",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
            Self::Ping => "PING",
        }
    }
}

/// A session that is set up.
pub struct Session<'a> {
    side: &'a Side,
    inbound: Inbound<ReadHalf<BoxStream>>,
    outbound: Outbound<WriteHalf<BoxStream>>,
    /// What the server has not answered, oldest first.
    unanswered: VecDeque<Asked>,
    /// Writes under way.
    writes: FuturesUnordered<BoxFuture<'a, (String, Outcome)>>,
    /// When the server was last heard, or asked for the first time since.
    heard: Instant,
    complaints: Complaints,
    _connected: Option<Held<'a>>,
}

impl<'a> Session<'a> {
    /// Connects, and is taken in, within the connect timeout.
    pub async fn open(side: &'a Side) -> Result<Self, SessionError> {
        let within = side.config.connect_timeout;
        let late = |_elapsed| SessionError::ConnectTimeout(within);
        timeout(within, Self::set_up(side)).await.map_err(late)?
    }

    async fn set_up(side: &'a Side) -> Result<Self, SessionError> {
        let greeting = greeting::commands(&side.config)?;
        let stream = dial(side).await?;
        let (reader, writer) = tokio::io::split(stream);
        let mut session = Self {
            side,
            inbound: Inbound::new(reader),
            outbound: Outbound::new(writer),
            unanswered: VecDeque::with_capacity(UNANSWERED_MAX),
            writes: FuturesUnordered::new(),
            heard: Instant::now(),
            complaints: Complaints::default(),
            _connected: None,
        };
        for (asked, command) in &greeting {
            session.ask(*asked, command);
        }
        while session.outbound.waits() {
            session.outbound.write().await.map_err(SessionError::Broke)?;
        }
        while !session.unanswered.is_empty() {
            let value = session.inbound.next().await?;
            session.take(value)?;
        }
        session._connected = Some(side.shared.meters.redis_connected.hold());
        Ok(session)
    }

    /// Takes commands and publishes until something ends the session. After the order to stop, `Ok` once everything that
    /// was under way has been published and answered.
    pub async fn keep(&mut self, events: &mut Events) -> Result<(), SessionError> {
        let stopping = &self.side.stop.accepting;
        loop {
            if stopping.is_cancelled() && self.has_drained(events) {
                return Ok(());
            }
            let room = self.has_room();
            let due = self.due();
            tokio::select! {
                biased;
                value = self.inbound.next() => self.take(value?)?,
                written = self.outbound.write(), if self.outbound.waits() => written.map_err(SessionError::Broke)?,
                Some((id, outcome)) = self.writes.next(), if room => {
                    self.publish(&message::result(&self.side.results, &id, &outcome));
                }
                event = events.next(), if room && !events.ended() => self.publish_event(event),
                () = stopping.cancelled(), if !stopping.is_cancelled() => events.close(),
                () = sleep_until(due) => self.patience_is_over()?,
            }
        }
    }

    fn has_drained(&self, events: &Events) -> bool {
        self.writes.is_empty() && events.ended() && !self.outbound.waits() && self.unanswered.is_empty()
    }

    fn has_room(&self) -> bool {
        self.outbound.has_room() && self.unanswered.len() < UNANSWERED_MAX
    }

    /// When something is due that did not come: room for what waits, an answer, or any word at all.
    fn due(&self) -> Instant {
        let since = if self.outbound.waits() { self.outbound.moved() } else { self.heard };
        since + self.keep_alive()
    }

    fn keep_alive(&self) -> Duration {
        self.side.config.keep_alive
    }

    fn patience_is_over(&mut self) -> Result<(), SessionError> {
        if self.outbound.waits() {
            return Err(SessionError::Stuck(self.keep_alive()));
        }
        if !self.unanswered.is_empty() {
            return Err(SessionError::Silent(self.keep_alive()));
        }
        self.ask(Asked::Ping, &cmd("PING"));
        Ok(())
    }

    fn ask(&mut self, asked: Asked, command: &Cmd) {
        if self.unanswered.is_empty() {
            self.heard = Instant::now();
        }
        self.unanswered.push_back(asked);
        self.outbound.add(command);
    }

    fn publish(&mut self, command: &Cmd) {
        self.ask(Asked::Publish, command);
    }

    fn publish_event(&mut self, event: Option<Bytes>) {
        if let Some((station, image)) = event.as_ref().and_then(event::station_and_image) {
            let channel = format!("{}:values:{station}", self.side.config.prefix);
            self.publish(&message::publish(&channel, &image));
        }
    }

    fn take(&mut self, value: Value) -> Result<(), SessionError> {
        self.heard = Instant::now();
        match value {
            Value::Push { kind: PushKind::Message, data } => {
                if let [_channel, Value::BulkString(message)] = &data[..] {
                    self.command(message);
                }
                Ok(())
            }
            // The one message that is an answer.
            Value::Push { kind: PushKind::Subscribe, .. } => self.answered(Value::Okay, true),
            Value::Push { .. } => Err(unexpected("nothing", &value)),
            answer => self.answered(answer, false),
        }
    }

    fn answered(&mut self, answer: Value, subscribed: bool) -> Result<(), SessionError> {
        let Some(asked) = self.unanswered.pop_front() else { return Err(unexpected("nothing", &answer)) };
        match (asked, &answer) {
            (Asked::Subscribe, _) if subscribed => Ok(()),
            (Asked::Hello, Value::Map(_)) | (Asked::Select, Value::Okay) => Ok(()),
            (Asked::Ping, Value::SimpleString(pong)) if pong == "PONG" => Ok(()),
            (Asked::Publish, Value::Int(_)) => {
                self.side.shared.meters.redis_published.up();
                Ok(())
            }
            (Asked::Publish, Value::ServerError(error)) => {
                self.not_published(&error.to_string());
                Ok(())
            }
            (asked, Value::ServerError(error)) => {
                Err(SessionError::Refused { asked: asked.name(), answer: shortened(&error.to_string()) })
            }
            (asked, answer) => Err(unexpected(asked.name(), answer)),
        }
    }

    fn not_published(&mut self, answer: &str) {
        self.side.shared.meters.redis_errors.up();
        if let Some(more) = self.complaints.errors.note() {
            warn!(answer = shortened(answer), more, "redis refuses what is published");
        }
    }

    fn command(&mut self, message: &[u8]) {
        match message::parse(message) {
            Ok(command) => self.begin(command),
            Err(NoCommand { id, why }) => self.no_command(id, why),
        }
    }

    fn begin(&mut self, command: Command) {
        let side = self.side;
        if side.stop.accepting.is_cancelled() {
            return self.refuse(&command.id, "the gateway is stopping: nothing was written".to_owned());
        }
        let limit = side.config.commands_in_flight;
        if self.writes.len() >= limit {
            return self
                .refuse(&command.id, format!("{limit} commands are under way already: try again later"));
        }
        self.writes.push(Box::pin(async move {
            let Command { id, station, tag, value } = command;
            let outcome = command::write(&side.shared, &station, &tag, &value).await;
            (id, outcome)
        }));
    }

    /// Tells the asker, if there is room to. Messages cannot be made to wait: who floods goes without an answer.
    fn refuse(&mut self, id: &str, why: String) {
        self.side.shared.meters.redis_refused.up();
        if self.has_room() {
            self.publish(&message::refusal(&self.side.results, id, why));
        }
    }

    fn no_command(&mut self, id: Option<String>, why: String) {
        self.side.shared.meters.redis_bad_messages.up();
        if let Some(id) = id {
            if self.has_room() {
                self.publish(&message::refusal(&self.side.results, &id, why));
            }
        } else if let Some(more) = self.complaints.messages.note() {
            warn!(why = shortened(&why), more, "a message from redis is no command");
        }
    }
}

fn unexpected(asked: &'static str, found: &Value) -> SessionError {
    SessionError::Unexpected { asked, found: shortened(&format!("{found:?}")) }
}

/// A stream to the server; within TLS where that is configured.
async fn dial(side: &Side) -> Result<BoxStream, SessionError> {
    let deadline = Instant::now() + side.config.connect_timeout;
    let stream = side.shared.net.connect(&side.config.address).await.map_err(SessionError::Connect)?;
    match &side.config.tls {
        // In a box: the many connections without TLS need not have room for it.
        Some(tls) => Ok(Box::pin(tls::connect(stream, &ClientTls::load(tls)?, deadline)).await?),
        None => Ok(stream),
    }
}
