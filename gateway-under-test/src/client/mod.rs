//! A whole S7 client over any byte stream: handshake, reads, writes, several requests under way, late answers.
//!
//! [`Client::connect`] shakes hands; [`read`](Client::read) and [`write`](Client::write) take any number of items of any
//! length and divide them into PDUs; [`ask_read`](Client::ask_read), [`ask_write`](Client::ask_write) and
//! [`next`](Client::next) are the pipelined form, for callers with a plan of their own.
//!
//! **What is data.** An answer is, when its PDU reference, function, item count and every length match a request that
//! waits for it. Anything else ends the connection, or is an answer that came too late and is dropped.
//!
//! **Cancellation.** Every future may be dropped at any await. `send`, `next` and `watch` lose nothing by it. A dropped
//! `read` or `write` abandons its requests, as [`Client::abandon`] says: those of which nothing has gone out are taken
//! back, those that have gone out are treated as if they had timed out. After that the client is usable, or says with
//! every call that it is over; its stream is closed then. No task runs beside a client, so nothing is left behind.
//!
//! In reading order: [`config`], `link`, `handshake`, `matching`, `pending`, this file, `calls`, [`plan`], [`error`].

mod calls;
pub mod config;
pub mod error;
mod handshake;
mod link;
mod matching;
mod pending;
pub mod plan;
mod stats;

use bytes::BytesMut;
use s7_wire::{EncodeError, Item, Message, Pdu, WriteItem, encode_read_request, encode_write_request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use self::handshake::{shake_hands, unexpected};
use self::link::Link;
use self::matching::Expected;
use self::pending::{Pending, QuarantineFull, Waiting, Whose};

pub use self::calls::{ReadResult, WriteResult};
pub use self::config::{ClientConfig, OnTimeout, PIPELINE_MAX, REQUEST_TIMEOUT_MAX};
pub use self::error::{ClientError, ItemRefusal, Stage};
pub use self::handshake::Agreed;
pub use self::matching::Reply;
pub use self::pending::QUARANTINED_MAX;
pub use self::stats::ClientStats;

/// One connection to one PLC. Dropping it closes the connection.
#[derive(Debug)]
pub struct Client<S> {
    /// The connection; once it is over, the word for why.
    link: Result<Link<S>, &'static str>,
    config: ClientConfig,
    agreed: Agreed,
    pending: Pending,
    stats: ClientStats,
}

/// A request that is settled.
#[derive(Debug)]
pub struct Settled {
    /// The caller's number for the request.
    pub tag: usize,
    /// Its answer, or why there is none; the connection goes on in either case.
    pub reply: Result<Reply, ClientError>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Shakes hands on a fresh connection: CR and CC, then setup communication, both before `deadline`.
    pub async fn connect(stream: S, config: ClientConfig, deadline: Instant) -> Result<Self, ClientError> {
        let mut link = Link::new(stream, Stage::Connect(config.called));
        let shaken = timeout_at(deadline, shake_hands(&mut link, &config)).await;
        let agreed = shaken.unwrap_or_else(|_| Err(ClientError::HandshakeTimeout { stage: link.stage() }))?;
        link.enter(Stage::Jobs);
        let pending = Pending::new(agreed.pipeline, config.first_reference);
        let request_timeout = config.request_timeout.min(REQUEST_TIMEOUT_MAX);
        let config = ClientConfig { request_timeout, ..config };
        Ok(Self { link: Ok(link), config, agreed, pending, stats: ClientStats::default() })
    }

    /// What was agreed in the handshake.
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// What the connection has seen.
    pub fn stats(&self) -> ClientStats {
        ClientStats { quarantined: self.pending.quarantined(), ..self.stats }
    }

    /// Whether the connection is over; then every call says so.
    pub fn is_over(&self) -> bool {
        self.link.is_err()
    }

    /// How many requests are under way. Those in quarantine are not.
    pub fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// Whether another request may be asked now.
    pub fn has_room(&self) -> bool {
        !self.pending.is_full()
    }

    /// Writes down a read, to be sent by the next [`send`](Self::send) or [`next`](Self::next); `tag` comes back with its
    /// answer.
    ///
    /// The request and its answer have to fit one PDU. Its time runs from now on.
    pub fn ask_read(&mut self, tag: usize, items: &[Item]) -> Result<(), ClientError> {
        let expected = Expected::of_read(items, self.agreed.pdu_length);
        self.ask(tag, expected, |out, reference| encode_read_request(out, reference, items))
    }

    /// Writes down a write, to be sent by the next [`send`](Self::send) or [`next`](Self::next); `tag` comes back with
    /// its answer.
    ///
    /// The request has to fit one PDU. Its time runs from now on.
    pub fn ask_write(&mut self, tag: usize, items: &[WriteItem<'_>]) -> Result<(), ClientError> {
        let expected = Expected::of_write(items, self.agreed.pdu_length);
        self.ask(tag, expected, |out, reference| encode_write_request(out, reference, items))
    }

    fn ask(
        &mut self,
        tag: usize,
        expected: Option<Expected>,
        encode: impl FnOnce(&mut BytesMut, u16) -> Result<(), EncodeError>,
    ) -> Result<(), ClientError> {
        if self.pending.is_full() {
            return Err(ClientError::PipelineFull { limit: self.agreed.pipeline });
        }
        let expected = expected.ok_or(ClientError::TooLarge { pdu_length: self.agreed.pdu_length })?;
        let link = open(&mut self.link)?;
        let (reference, from) = (self.pending.free_reference(), link.end());
        encode(link.outbound(), reference)?;
        let (to, deadline) = (link.end(), Instant::now() + self.config.request_timeout);
        self.pending.begin(Waiting { reference, tag, deadline, expected, from, to });
        self.stats.requests += 1;
        Ok(())
    }

    /// Sends all that was asked, in one write where the stream takes it. Cancel-safe.
    pub async fn send(&mut self) -> Result<(), ClientError> {
        let sent = self.send_in_time().await;
        self.end_if_final(sent)
    }

    async fn send_in_time(&mut self) -> Result<(), ClientError> {
        let link = open(&mut self.link)?;
        let Some(deadline) = self.pending.deadline().filter(|_| link.is_unsent()) else { return Ok(()) };
        let sent = timeout_at(deadline, link.send()).await;
        sent.unwrap_or_else(|_elapsed| Err(self.stuck()))
    }

    fn stuck(&mut self) -> ClientError {
        self.stats.timeouts += 1;
        ClientError::SendTimeout { after: self.config.request_timeout }
    }

    /// The next request to be settled, in whatever order the PLC answers; sends what was asked. Cancel-safe.
    ///
    /// An error is of the connection, and final; what goes wrong with one request alone is in [`Settled::reply`].
    pub async fn next(&mut self) -> Result<Settled, ClientError> {
        let settled = self.settle_next().await;
        self.end_if_final(settled)
    }

    async fn settle_next(&mut self) -> Result<Settled, ClientError> {
        loop {
            let link = open(&mut self.link)?;
            let deadline = self.pending.deadline().ok_or(ClientError::NothingAsked)?;
            // What has come already is taken before anything is sent, so that requests and answers travel in batches.
            let message = match link.decode()? {
                Some(message) => message,
                None => match timeout_at(deadline, link.receive()).await {
                    Ok(message) => message?,
                    Err(_elapsed) if link.is_unsent() => return Err(self.stuck()),
                    Err(_elapsed) => return self.give_up_overdue(deadline),
                },
            };
            if let Some(settled) = self.settle(&message)? {
                return Ok(settled);
            }
        }
    }

    /// Waits, while nothing is asked, for the end of the connection. Late answers are dropped meanwhile. Cancel-safe.
    pub async fn watch(&mut self) -> ClientError {
        loop {
            let watched = self.watch_once().await;
            if let Err(error) = self.end_if_final(watched) {
                return error;
            }
        }
    }

    async fn watch_once(&mut self) -> Result<(), ClientError> {
        if !self.pending.is_empty() {
            return Err(ClientError::Busy { under_way: self.pending.len() });
        }
        let message = open(&mut self.link)?.receive().await?;
        self.settle(&message).map(|_nobody_waits| ())
    }

    /// Matches a message with the request it answers; `None` for one that came too late.
    fn settle(&mut self, message: &Message) -> Result<Option<Settled>, ClientError> {
        let Message::Pdu(pdu) = message else {
            return Err(unexpected(Stage::Jobs, "an answer", message));
        };
        let sent = open(&mut self.link)?.sent();
        match self.pending.answered(pdu.reference) {
            // Came before it was asked: a guess, or the answer to another connection's request.
            Whose::Waiting(waiting) if waiting.to > sent => {
                Err(ClientError::Unmatched { reference: pdu.reference })
            }
            Whose::Waiting(waiting) => self.check(&waiting, pdu).map(Some),
            Whose::Late => {
                self.stats.late_answers += 1;
                Ok(None)
            }
            Whose::Nobody => Err(ClientError::Unmatched { reference: pdu.reference }),
        }
    }

    fn check(&mut self, waiting: &Waiting, pdu: &Pdu) -> Result<Settled, ClientError> {
        let reply = match waiting.expected.check(pdu) {
            Err(doubtful) if doubtful.is_final() => return Err(doubtful),
            reply => reply,
        };
        self.stats.answers += 1;
        Ok(Settled { tag: waiting.tag, reply })
    }

    fn give_up_overdue(&mut self, now: Instant) -> Result<Settled, ClientError> {
        let overdue = self.pending.overdue(now).ok_or(ClientError::NothingAsked)?;
        self.stats.timeouts += 1;
        let (after, policy) = (self.config.request_timeout, self.config.on_timeout);
        let error = ClientError::RequestTimeout { after, policy };
        match policy {
            OnTimeout::Disconnect => Err(error),
            OnTimeout::Quarantine => {
                self.quarantine(overdue.reference)?;
                Ok(Settled { tag: overdue.tag, reply: Err(error) })
            }
        }
    }

    fn quarantine(&mut self, reference: u16) -> Result<(), ClientError> {
        let full = |QuarantineFull| ClientError::Quarantine { limit: QUARANTINED_MAX };
        self.pending.quarantine(reference).map_err(full)
    }

    /// Gives up every request under way; nobody learns what became of them.
    ///
    /// Those of which nothing has gone out are taken back. Those that have gone out are treated as if they had timed out:
    /// quarantine, or the end of the connection. One that has gone out in part ends the connection in any case, since
    /// the rest of it could only follow at a time when nobody wants it any more.
    pub fn abandon(&mut self) {
        while let Some(waiting) = self.pending.take_last() {
            self.stats.abandoned += 1;
            let given_up = self.give_up(&waiting);
            let _ended = self.end_if_final(given_up);
        }
    }

    fn give_up(&mut self, waiting: &Waiting) -> Result<(), ClientError> {
        let link = open(&mut self.link)?;
        if link.sent() <= waiting.from {
            link.take_back(waiting.from);
            return Ok(());
        }
        let whole = link.sent() >= waiting.to;
        if whole && self.config.on_timeout == OnTimeout::Quarantine {
            return self.quarantine(waiting.reference);
        }
        Err(ClientError::Over { after: "abandoned" })
    }

    /// Closes the connection with a final error: whoever comes later learns that it is over.
    fn end_if_final<T>(&mut self, result: Result<T, ClientError>) -> Result<T, ClientError> {
        if let Err(error) = &result
            && error.is_final()
            && self.link.is_ok()
        {
            self.link = Err(if let ClientError::Over { after } = error { after } else { error.word() });
            self.pending.clear();
        }
        result
    }
}

/// The connection, unless it is over.
fn open<'l, S>(link: &'l mut Result<Link<S>, &'static str>) -> Result<&'l mut Link<S>, ClientError> {
    link.as_mut().map_err(|after| ClientError::Over { after })
}
