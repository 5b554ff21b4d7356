//! An open WebSocket: one future in the connection's own task, from the switch to the close.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig as Bounds};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use super::super::HttpSide;
use super::super::refusal::Refusal;
use super::command;
use super::pulse::{Due, Pulse};
use crate::hub::outbox::Outbox;
use crate::hub::{Subscription, event};

/// Room for what came and is not yet a message; it grows up to the longest message.
const READ_BYTES: usize = 4 * 1024;
/// What may wait to be written: the longest event there can be, and pongs for a peer that pings and does not read.
const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the peer may take to confirm the close.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Why a session ended other than in order.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The switch did not come about.
    #[error("not switched to a websocket: {0}")]
    NotSwitched(#[from] hyper::Error),
    /// The peer broke the protocol or a bound, reset the connection, or does not read.
    #[error("websocket: {0}")]
    // In a box: the error has room for a whole message.
    Broken(#[source] Box<tungstenite::Error>),
    /// The peer does not answer.
    #[error("websocket: no answer to a ping within {}", humantime::format_duration(*.0))]
    NoPong(Duration),
}

impl From<tungstenite::Error> for SessionError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// What a connection goes on with after `GET /ws`.
pub struct Session {
    /// The connection's stream, once the request is answered.
    pub upgrade: OnUpgrade,
    /// The place among the consumers.
    pub subscription: Subscription,
    /// What waits there.
    pub outbox: Arc<dyn Outbox>,
    /// Whether the peer may write, or why not.
    pub may_write: Result<(), Refusal>,
}

impl Session {
    /// Runs until the peer goes, breaks a rule or is mute, or the gateway stops.
    ///
    /// When no more connections are accepted, what waits is sent and what is begun is answered before the close.
    pub async fn run(self, side: &Arc<HttpSide>) -> Result<(), SessionError> {
        let Self { upgrade, subscription, outbox, may_write } = self;
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgrade.await?), Role::Server, Some(bounds(side)));
        let mut open = Open {
            side,
            socket: socket.await,
            pulse: Pulse::new(&side.config.websocket),
            may_write,
            commands: FuturesUnordered::new(),
            stopping: false,
            events_ended: false,
            closing: None,
        };
        while open.closing.is_none() {
            let next = open.next(&subscription, &*outbox).await;
            open.take(next).await?;
        }
        open.close().await
    }
}

/// Everything that a peer can enlarge is bounded here.
fn bounds(side: &HttpSide) -> Bounds {
    let longest = side.config.websocket.max_message;
    Bounds::default()
        .read_buffer_size(READ_BYTES)
        // Each message goes out before the next is made.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest))
}

/// What happens next.
enum Next {
    /// No more commands are taken; events end after what waits.
    Stop,
    Due(Due),
    /// A command's outcome.
    Outcome(String),
    Event(Bytes),
    EventsEnded,
    Came(Option<tungstenite::Result<Message>>),
}

struct Open<'a> {
    side: &'a HttpSide,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    pulse: Pulse,
    may_write: Result<(), Refusal>,
    commands: FuturesUnordered<BoxFuture<'a, String>>,
    stopping: bool,
    events_ended: bool,
    /// Set when it is over: what the peer is told, nothing if it knows.
    closing: Option<Option<CloseFrame>>,
}

impl Open<'_> {
    /// What is rare comes first, and what the peer sends last: a peer that sends all the time gets its events all the same.
    async fn next(&mut self, events: &Subscription, outbox: &dyn Outbox) -> Next {
        let stop = &self.side.stop.accepting;
        tokio::select! {
            biased;
            () = stop.cancelled(), if !self.stopping => {
                outbox.close();
                Next::Stop
            }
            due = self.pulse.due() => Next::Due(due),
            Some(outcome) = self.commands.next() => Next::Outcome(outcome),
            event = poll_fn(|context| events.poll_next(context)), if !self.events_ended => {
                event.map_or(Next::EventsEnded, Next::Event)
            }
            came = self.socket.next() => Next::Came(came),
        }
    }

    async fn take(&mut self, next: Next) -> Result<(), SessionError> {
        match next {
            Next::Stop => self.stopping = true,
            Next::Due(Due::Ping) => self.socket.send(Message::Ping(Bytes::new())).await?,
            Next::Due(Due::GiveUp) => {
                return Err(SessionError::NoPong(self.side.config.websocket.pong_timeout));
            }
            Next::Outcome(outcome) => self.say(outcome).await?,
            Next::Event(event) => self.tell(&event).await?,
            Next::EventsEnded => self.events_ended = true,
            Next::Came(came) => self.came(came).await?,
        }
        if self.events_ended && self.commands.is_empty() {
            self.end(CloseCode::Away, "the gateway stops");
        }
        Ok(())
    }

    async fn came(&mut self, came: Option<tungstenite::Result<Message>>) -> Result<(), SessionError> {
        self.pulse.heard();
        match came {
            Some(Ok(Message::Text(text))) => self.command(text.as_bytes()).await?,
            Some(Ok(Message::Binary(bytes))) => self.command(&bytes).await?,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            // Whoever closes wants no more: what is not begun of its commands is taken back.
            Some(Ok(Message::Close(_))) | None => self.closing = Some(None),
            Some(Err(tungstenite::Error::Capacity(_))) => {
                self.end(CloseCode::Size, "the message is too long")
            }
            Some(Err(error)) => return Err(error.into()),
        }
        Ok(())
    }

    async fn command(&mut self, message: &[u8]) -> Result<(), SessionError> {
        match self.admit(message) {
            Ok(wanted) => {
                self.commands.push(command::carry_out(&self.side.shared, wanted).boxed());
                Ok(())
            }
            Err(refusal) => self.say(refusal).await,
        }
    }

    fn admit(&self, message: &[u8]) -> Result<command::Wanted, String> {
        let wanted = command::parse(message)?;
        let refused = |why: &str| Err(command::refused(Some(wanted.id), why));
        let limit = self.side.config.websocket.max_commands;
        if let Err(refusal) = &self.may_write {
            return refused(&refusal.why);
        }
        if self.stopping {
            return refused("the gateway is stopping: nothing was written");
        }
        if self.commands.len() >= limit {
            return refused(&format!("{limit} commands are under way: wait for one to be answered"));
        }
        Ok(wanted)
    }

    async fn say(&mut self, text: String) -> Result<(), SessionError> {
        Ok(self.socket.send(Message::Text(text.into())).await?)
    }

    async fn tell(&mut self, event: &Bytes) -> Result<(), SessionError> {
        let text = Utf8Bytes::try_from(event::json(event)).expect("an event is made of JSON");
        Ok(self.socket.send(Message::Text(text)).await?)
    }

    fn end(&mut self, code: CloseCode, why: &'static str) {
        self.closing = Some(Some(CloseFrame { code, reason: Utf8Bytes::from_static(why) }));
    }

    /// Says that it is over, if the peer does not know, and waits a moment for it to agree.
    async fn close(mut self) -> Result<(), SessionError> {
        self.commands.clear();
        if let Some(Some(frame)) = self.closing {
            self.socket.send(Message::Close(Some(frame))).await?;
        }
        let agreed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        // One that does not is closed upon.
        let _ = timeout(CLOSE_WITHIN, agreed).await;
        Ok(())
    }
}
