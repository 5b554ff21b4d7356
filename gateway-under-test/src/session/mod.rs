//! One session with one PLC: connected and agreed, polled until something ends it.
//!
//! A session is one future, in which everything it holds lives. Whoever drops it has closed the connection and freed the
//! rest; its heartbeat, the one task beside it, ends with its token. It stands on a [`Client`], which shakes hands, keeps
//! requests and answers together, and lets no doubtful answer through; the session asks what [`plan`] says and hands data
//! to [`intake`].

use s7_wire::{ConnectionType, ReadAnswer};
use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use self::heartbeat::{BEATS, Beat};
use self::intake::Intake;
use self::plan::Plan;
use crate::client::plan::Merge;
use crate::client::{Client, ClientConfig, ClientError, OnTimeout, Reply};
use crate::config::StationConfig;
use crate::hooks::{Connection, Side};
use crate::meters::Held;
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::Station;
use crate::station::command::{Job, failed};

pub mod error;
pub mod heartbeat;
pub mod intake;
pub mod plan;

pub use error::SessionError;

/// A session that is set up.
pub struct Session<'a> {
    shared: &'a Shared,
    station: &'a Station,
    config: &'a StationConfig,
    client: Client<BoxStream>,
    /// As hooks are told of it.
    pub connection: Connection<'a>,
    merge: Merge,
    plan: Plan,
    /// One for each request under way.
    pending: Vec<Held<'a>>,
    intake: Box<dyn Intake>,
    /// When the PLC last answered.
    heard: Instant,
    _connected: Held<'a>,
    polled: Option<Held<'a>>,
}

/// What an answer is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// The values of a poll.
    Values,
    /// A sign of life; its data is not looked at.
    Life,
}

impl<'a> Session<'a> {
    /// Connects and shakes hands, both within the connect timeout. Requests are numbered from `first_reference`.
    pub async fn open(
        shared: &'a Shared,
        station: &'a Station,
        first_reference: u16,
    ) -> Result<Self, SessionError> {
        let config = &station.config;
        let deadline = Instant::now() + config.connect_timeout;
        let late = || SessionError::ConnectTimeout(config.connect_timeout);
        let connecting = timeout_at(deadline, shared.net.connect(&config.address)).await;
        let stream = connecting.map_err(|_elapsed| late())?.map_err(SessionError::Connect)?;
        let _connected = shared.meters.plc_connections.hold();
        let client = match Client::connect(stream, client_config(config, first_reference), deadline).await {
            Err(ClientError::HandshakeTimeout { .. }) => return Err(late()),
            client => client?,
        };
        let agreed = client.agreed();
        Ok(Self {
            shared,
            station,
            config,
            client,
            connection: shared.connection(Side::Station, &config.name),
            merge: Merge::Neighbours,
            plan: Plan::new(&config.tags, agreed.pdu_length, Merge::Neighbours),
            pending: Vec::with_capacity(agreed.pipeline),
            intake: shared.parts.intake.open(),
            heard: Instant::now(),
            _connected,
            polled: None,
        })
    }

    /// Whether every tag was read since the session was opened.
    pub fn has_polled(&self) -> bool {
        self.polled.is_some()
    }

    /// Polls until something ends the session. Its heartbeat lives until `ended` is cancelled.
    pub async fn keep(&mut self, ended: CancellationToken) -> SessionError {
        let (beats, mut wishes) = mpsc::channel(BEATS);
        let parts = &self.shared.parts;
        parts.heartbeat.start(&self.shared.tasks, ended, self.config.heartbeat, beats);
        let mut ticks = time::interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                biased;
                _ = ticks.tick() => self.poll().await,
                Some(Beat) = wishes.recv() => self.beat().await,
                job = self.station.commands.next() => self.carry_out(job).await,
                // Between polls nothing is asked: a message now is the end of the session, or too late.
                unasked = self.client.watch() => Err(unasked.into()),
            };
            if let Err(error) = step {
                self.count(&error);
                return error;
            }
        }
    }

    async fn poll(&mut self) -> Result<(), SessionError> {
        let polled = self.read_all().await;
        let meters = &self.shared.meters;
        match &polled {
            Ok(()) => {
                meters.polls.up();
                self.polled.get_or_insert_with(|| meters.sessions.hold());
                self.shared.publish(self.station).await;
            }
            Err(_) => meters.poll_errors.up(),
        }
        polled
    }

    /// Reads every tag, with as many requests under way as the PLC grants.
    async fn read_all(&mut self) -> Result<(), SessionError> {
        let refused_before = self.shared.meters.bad_items.read();
        let mut requests = 0;
        while requests < self.plan.requests.len() || !self.pending.is_empty() {
            let asked = requests;
            while requests < self.plan.requests.len() && self.client.has_room() {
                self.ask(requests)?;
                requests += 1;
            }
            if requests > asked {
                self.client.send().await?;
            }
            self.settle_one(Purpose::Values).await?;
        }
        if self.shared.meters.bad_items.read() != refused_before {
            self.plan_apart();
        }
        Ok(())
    }

    /// A refused item may hold the tags of several: from now on each tag answers for itself.
    fn plan_apart(&mut self) {
        let merged = self.plan.items.len() < self.config.tags.len();
        if merged && self.merge == Merge::Neighbours {
            self.merge = Merge::Nothing;
            self.plan = Plan::new(&self.config.tags, self.client.agreed().pdu_length, self.merge);
        }
    }

    /// Asks for a sign of life, unless the PLC has just given one.
    async fn beat(&mut self) -> Result<(), SessionError> {
        if self.heard.elapsed() < self.config.heartbeat {
            return Ok(());
        }
        self.shared.meters.heartbeats.up();
        self.ask(0)?;
        self.client.send().await?;
        self.settle_one(Purpose::Life).await
    }

    /// Writes what a northbound side asked for, and tells it what became of that.
    async fn carry_out(&mut self, job: Job) -> Result<(), SessionError> {
        let (item, payload, length) = job.write(&self.config.tags);
        let Some(begun) = job.begin() else { return Ok(()) };
        let written = self.client.write_one(item, &payload[..length]).await;
        let heard = begun.settle(written.as_ref().map_or_else(|error| Err(failed(error)), |()| Ok(())));
        if !heard {
            self.shared.meters.late_acks.up();
        }
        match written {
            Err(error) if error.is_final() => Err(error.into()),
            Ok(()) | Err(_) => {
                self.heard();
                Ok(())
            }
        }
    }

    fn ask(&mut self, request: usize) -> Result<(), SessionError> {
        let items = &self.plan.items[self.plan.requests[request].clone()];
        self.client.ask_read(request, items)?;
        self.pending.push(self.shared.meters.pending_requests.hold());
        Ok(())
    }

    /// Waits for the next answer and takes it in.
    async fn settle_one(&mut self, purpose: Purpose) -> Result<(), SessionError> {
        let settled = self.client.next().await?;
        self.pending.pop();
        self.heard();
        if let (Reply::Read(answer), Purpose::Values) = (settled.reply?, purpose) {
            self.take(settled.tag, &answer);
        }
        Ok(())
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.shared.embedding.hooks.on_message(&self.connection);
    }

    fn take(&mut self, request: usize, answer: &ReadAnswer) {
        let (cache, tags) = (&self.station.cache, &self.config.tags);
        for (index, data) in self.plan.requests[request].clone().zip(answer.items.iter()) {
            let placed = &self.plan.tags[index];
            match data.for_item(&self.plan.items[index]) {
                Ok(payload) => self.intake.take(cache, tags, placed, payload),
                Err(_refused) => {
                    self.shared.meters.bad_items.up();
                    placed.iter().for_each(|place| cache.spoil(place.tag));
                }
            }
        }
    }

    fn count(&self, error: &SessionError) {
        let meters = &self.shared.meters;
        match error {
            SessionError::Client(ClientError::Unmatched { .. }) => meters.unmatched_answers.up(),
            SessionError::Client(ClientError::RequestTimeout { .. } | ClientError::SendTimeout { .. }) => {
                meters.request_timeouts.up();
            }
            _ => {}
        }
    }
}

/// A gateway observes like an operator panel, and so leaves the programming device's slots alone. After a timeout it
/// starts afresh: what it wants is the latest value, and a new connection gives that sooner than an old answer.
fn client_config(config: &StationConfig, first_reference: u16) -> ClientConfig {
    ClientConfig {
        pdu_length: config.pdu_length,
        pipeline: config.pipeline,
        request_timeout: config.request_timeout,
        on_timeout: OnTimeout::Disconnect,
        first_reference,
        ..ClientConfig::new(ConnectionType::Op, config.rack, config.slot)
    }
}
