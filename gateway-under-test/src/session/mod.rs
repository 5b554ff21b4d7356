//! One session with one PLC: connected and agreed, polled until something ends it.
//!
//! A session is one future, in which everything it holds lives. Whoever drops it has closed the connection and freed the
//! rest; its heartbeat, the one task beside it, ends with its token. It stands on a [`Client`], which shakes hands, keeps
//! requests and answers together, and lets no doubtful answer through; the session asks what [`plan`] says and hands data
//! to [`intake`].

use gateway_lifecycle::{Cancel, Stamp};
use s7_wire::ReadAnswer;
use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior};

use self::heartbeat::{BEATS, Beat};
use self::intake::Intake;
use self::plan::Plan;
use crate::client::plan::Merge;
use crate::client::{ClientError, Reply};
use crate::config::StationConfig;
use crate::hooks::{Connection, Side};
use crate::meters::Held;
use crate::shared::Shared;
use crate::station::Station;
use crate::station::carry_out::{beside_the_session, write_next};
use crate::station::connect::connection;
use crate::station::pool::InUse;

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
    lease: InUse<'a>,
    stamp: Stamp,
    /// As hooks are told of it.
    pub connection: Connection<'a>,
    merge: Merge,
    plan: Plan,
    /// One for each request under way.
    pending: Vec<Held<'a>>,
    intake: Box<dyn Intake>,
    /// When the PLC last answered.
    heard: Instant,
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
    /// Gets a connection within the connect timeout. Requests are numbered from `first_reference`.
    pub async fn open(
        shared: &'a Shared,
        station: &'a Station,
        first_reference: u16,
    ) -> Result<Self, SessionError> {
        let config = &station.config;
        let lease = connection(shared, station, first_reference).await?;
        let agreed = lease.client.agreed();
        Ok(Self {
            shared,
            station,
            config,
            lease,
            stamp: station.sessions.open(),
            connection: shared.connection(Side::Station, &config.name),
            merge: Merge::Neighbours,
            plan: Plan::new(&config.tags, agreed.pdu_length, Merge::Neighbours),
            pending: Vec::with_capacity(agreed.pipeline),
            intake: shared.parts.intake.open(station.ordinal),
            heard: Instant::now(),
            polled: None,
        })
    }

    /// Whether every tag was read since the session was opened.
    pub fn has_polled(&self) -> bool {
        self.polled.is_some()
    }

    /// Polls until something ends the session. Its heartbeat lives until `ended` is cancelled.
    pub async fn keep(&mut self, ended: Cancel) -> SessionError {
        let (beats, mut wishes) = mpsc::channel(BEATS);
        let parts = &self.shared.parts;
        parts.heartbeat.start(&self.shared.tasks, ended, self.config.heartbeat, beats);
        let station = self.station;
        let is_alone = || !beside_the_session(station);
        let mut ticks = time::interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                biased;
                _ = ticks.tick() => self.poll().await,
                Some(Beat) = wishes.recv() => self.beat().await,
                () = station.commands.there_is_one(is_alone) => self.carry_out().await,
                // Between polls nothing is asked: a message now is the end of the session, or too late.
                unasked = self.lease.client.watch() => Err(unasked.into()),
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
                self.polled.get_or_insert_with(|| {
                    self.station.breaker().succeeded();
                    meters.sessions.hold()
                });
                self.shared.publish(self.station).await;
            }
            Err(_) => meters.poll_errors.up(),
        }
        polled
    }

    /// Reads every tag, with as many requests under way as the PLC grants.
    async fn read_all(&mut self) -> Result<(), SessionError> {
        let refused_before = self.shared.meters.bad_items.read();
        let began = Instant::now();
        let mut requests = 0;
        while requests < self.plan.requests.len() || !self.pending.is_empty() {
            let asked = requests;
            while requests < self.plan.requests.len() && self.lease.client.has_room() {
                self.ask(requests)?;
                requests += 1;
            }
            if requests > asked {
                self.lease.client.send().await?;
            }
            self.settle_one(Purpose::Values).await?;
        }
        self.station.status.note_latency(began.elapsed() / requests.max(1) as u32);
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
            self.plan = Plan::new(&self.config.tags, self.lease.client.agreed().pdu_length, self.merge);
        }
    }

    /// Asks for a sign of life, unless the PLC has just given one.
    async fn beat(&mut self) -> Result<(), SessionError> {
        if self.heard.elapsed() < self.config.heartbeat {
            return Ok(());
        }
        self.shared.meters.heartbeats.up();
        self.ask(0)?;
        self.lease.client.send().await?;
        self.settle_one(Purpose::Life).await
    }

    /// Writes what a northbound side asked for, where the PLC grants no second connection for that.
    async fn carry_out(&mut self) -> Result<(), SessionError> {
        write_next(self.shared, self.station, &mut self.lease).await?;
        self.heard();
        Ok(())
    }

    fn ask(&mut self, request: usize) -> Result<(), SessionError> {
        let items = &self.plan.items[self.plan.requests[request].clone()];
        self.lease.client.ask_read(request, items)?;
        self.pending.push(self.shared.meters.pending_requests.hold());
        Ok(())
    }

    /// Waits for the next answer and takes it in.
    async fn settle_one(&mut self, purpose: Purpose) -> Result<(), SessionError> {
        let settled = self.lease.client.next().await?;
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
        let stamp = self.stamp.clone();
        // Whatever comes of a session that is over stays out of the cache.
        stamp.while_current(|| self.put(request, answer));
    }

    fn put(&mut self, request: usize, answer: &ReadAnswer) {
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
