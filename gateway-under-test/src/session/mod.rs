//! One session with one PLC: connected and agreed, polled until something ends it.
//!
//! A session is one future, in which everything it holds lives. Whoever drops it has closed the connection and freed
//! the rest; its heartbeat, the one task beside it, ends with its token. The steps: [`handshake`], then polls as
//! [`plan`] says, requests under way in [`pending`], data through [`intake`].

use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use s7_wire::read::ItemError;
use s7_wire::{Answer, Item, ItemData, Message, Pdu, ReadAnswer, encode_read_request};

use self::handshake::{Agreed, shake_hands};
use self::heartbeat::{BEATS, Beat};
use self::intake::Intake;
use self::link::Link;
use self::pending::Pending;
use self::plan::{Merge, Plan};
use crate::config::StationConfig;
use crate::gateway::Shared;
use crate::meters::Held;

pub mod error;
mod handshake;
pub mod heartbeat;
pub mod intake;
mod link;
mod pending;
pub mod plan;

pub use error::SessionError;

/// A session that is set up.
pub struct Session<'a> {
    shared: &'a Shared,
    station: usize,
    config: &'a StationConfig,
    link: Link,
    agreed: Agreed,
    merge: Merge,
    plan: Plan,
    pending: Pending<'a>,
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
        station: usize,
        first_reference: u16,
    ) -> Result<Self, SessionError> {
        let config = &shared.config.stations[station];
        let limit = config.connect_timeout;
        let opening = async {
            let stream = shared.net.connect(&config.address).await.map_err(SessionError::Connect)?;
            let connected = shared.meters.plc_connections.hold();
            let mut link = Link::new(stream);
            let agreed = shake_hands(&mut link, config).await?;
            Ok((link, agreed, connected))
        };
        let opened = timeout(limit, opening).await.unwrap_or(Err(SessionError::ConnectTimeout(limit)));
        let (link, agreed, _connected) = opened?;
        Ok(Self {
            shared,
            station,
            config,
            link,
            agreed,
            merge: Merge::Neighbours,
            plan: Plan::new(&config.tags, agreed.pdu_length, Merge::Neighbours),
            pending: Pending::new(&shared.meters.pending_requests, agreed.pipeline, first_reference),
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
                // Between polls nothing is asked: a message now is the end of the session, or too late.
                unasked = self.link.receive() => Err(unasked.map_or_else(|error| error, |message| self.unasked(&message))),
            };
            if let Err(error) = step {
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
                self.shared.publish(self.station);
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
            while requests < self.plan.requests.len() && !self.pending.is_full() {
                self.ask(requests)?;
                requests += 1;
            }
            if requests > asked {
                self.send().await?;
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
            self.plan = Plan::new(&self.config.tags, self.agreed.pdu_length, self.merge);
        }
    }

    /// Asks for a sign of life, unless the PLC has just given one.
    async fn beat(&mut self) -> Result<(), SessionError> {
        if self.heard.elapsed() < self.config.heartbeat {
            return Ok(());
        }
        self.shared.meters.heartbeats.up();
        self.ask(0)?;
        self.send().await?;
        self.settle_one(Purpose::Life).await
    }

    fn ask(&mut self, request: usize) -> Result<(), SessionError> {
        let deadline = Instant::now() + self.config.request_timeout;
        let reference = self.pending.begin(request, deadline);
        let items = &self.plan.items[self.plan.requests[request].clone()];
        Ok(encode_read_request(self.link.outbound(), reference, items)?)
    }

    async fn send(&mut self) -> Result<(), SessionError> {
        let deadline = self.pending.deadline().unwrap_or_else(Instant::now);
        match timeout_at(deadline, self.link.send()).await {
            Ok(sent) => sent,
            Err(_elapsed) => Err(self.overdue()),
        }
    }

    /// Waits for the next answer and takes it in.
    async fn settle_one(&mut self, purpose: Purpose) -> Result<(), SessionError> {
        let deadline = self.pending.deadline().unwrap_or_else(Instant::now);
        let message = match timeout_at(deadline, self.link.receive()).await {
            Ok(message) => message?,
            Err(_elapsed) => return Err(self.overdue()),
        };
        let Message::Pdu(pdu) = message else { return Err(self.unasked(&message)) };
        self.heard = Instant::now();
        self.settle(&pdu, purpose)
    }

    /// Matches an answer with its request: by reference, then function, item count, and each item's length.
    fn settle(&mut self, pdu: &Pdu, purpose: Purpose) -> Result<(), SessionError> {
        let reference = pdu.reference;
        let Some(request) = self.pending.answered(reference) else {
            self.shared.meters.unmatched_answers.up();
            return Err(SessionError::Unmatched { reference });
        };
        let answer = match Answer::decode(pdu)? {
            Answer::Read(answer) => answer,
            Answer::Refused(error) => return Err(SessionError::Refused(error)),
            Answer::Setup(_) | Answer::Write(_) => {
                return Err(SessionError::Unexpected { expected: "the answer to a read", found: "another" });
            }
        };
        self.check(request, reference, &answer)?;
        if let Purpose::Values = purpose {
            self.take(request, &answer);
        }
        Ok(())
    }

    /// Checks the whole answer before any of it becomes data.
    fn check(&self, request: usize, reference: u16, answer: &ReadAnswer) -> Result<(), SessionError> {
        let items = &self.plan.items[self.plan.requests[request].clone()];
        let (expected, found) = (items.len(), answer.items.len());
        if expected != found {
            return Err(SessionError::ItemCount { reference, expected, found });
        }
        let wrong = |(item, data): (&Item, ItemData)| match data.for_item(item) {
            Err(error @ ItemError::Length { .. }) => Some(SessionError::Item(error)),
            Ok(_) | Err(ItemError::Refused(_)) => None,
        };
        items.iter().zip(answer.items.iter()).find_map(wrong).map_or(Ok(()), Err)
    }

    fn take(&mut self, request: usize, answer: &ReadAnswer) {
        let (cache, tags) = (&self.shared.cache, &self.config.tags);
        for (index, data) in self.plan.requests[request].clone().zip(answer.items.iter()) {
            let placed = &self.plan.tags[index];
            match data.for_item(&self.plan.items[index]) {
                Ok(payload) => self.intake.take(cache, self.station, tags, placed, payload),
                Err(_refused) => {
                    self.shared.meters.bad_items.up();
                    placed.iter().for_each(|place| cache.spoil(self.station, place.tag));
                }
            }
        }
    }

    fn unasked(&self, message: &Message) -> SessionError {
        match message {
            Message::DisconnectRequest(over) => SessionError::Disconnected { reason: over.reason },
            Message::Pdu(pdu) => {
                self.shared.meters.unmatched_answers.up();
                SessionError::Unmatched { reference: pdu.reference }
            }
            other => SessionError::Unexpected { expected: "an answer", found: link::name(other) },
        }
    }

    fn overdue(&self) -> SessionError {
        self.shared.meters.request_timeouts.up();
        SessionError::RequestTimeout(self.config.request_timeout)
    }
}
