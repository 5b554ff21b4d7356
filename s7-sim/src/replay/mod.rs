//! Replay: plays the client's side of a recording against a server, and compares what it answers with what was recorded.
//!
//! [`conversations`](conversation::conversations) makes conversations of packets, [`compare`](compare::compare) tells two answers
//! apart; both are pure. What is here only sends and waits.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use s7_wire::{DecodeError, Decoder, Message};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use compare::Difference;
use conversation::{Conversation, Step};

pub mod compare;
pub mod conversation;

/// How to replay.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// Whether answers must have the same values, beside the same references, codes and lengths.
    pub values: bool,
    /// Longest wait for an answer, and for the server to take what is sent.
    pub within: Duration,
}

/// The first thing that was not as recorded, or why it cannot be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// An answer differs.
    #[error("answer {number}: {difference}")]
    Difference {
        /// Which of its conversation's answers, from 1; the CC is one.
        number: usize,
        /// What differs.
        difference: Difference,
    },
    /// The recording's own answers make no sense, as after a fault; nothing can be compared with them.
    #[error("answer {number} as recorded cannot be read: {error}")]
    Recording {
        /// Which, from 1.
        number: usize,
        /// Why.
        error: DecodeError,
    },
    /// The server cannot be reached, or the connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server takes nothing any more.
    #[error("the server took nothing for {after:?}")]
    Stuck {
        /// The limit.
        after: Duration,
    },
}

/// A replay as it goes on.
struct Player<'r, S> {
    replay: &'r Replay,
    stream: S,
    recorded: (Decoder, BytesMut),
    live: (Decoder, BytesMut),
    answers: usize,
}

impl Replay {
    /// Replays one conversation over TCP: how many answers were compared.
    pub async fn connect(&self, conversation: &Conversation, to: SocketAddr) -> Result<usize, ReplayError> {
        let stream = timeout(self.within, TcpStream::connect(to)).await;
        let stream = stream.map_err(|_| ReplayError::Stuck { after: self.within })??;
        stream.set_nodelay(true)?;
        self.play(conversation, stream).await
    }

    /// Replays one conversation over any stream: how many answers were compared.
    pub async fn play<S>(&self, conversation: &Conversation, stream: S) -> Result<usize, ReplayError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let fresh = || (Decoder::new(), BytesMut::new());
        let mut player = Player { replay: self, stream, recorded: fresh(), live: fresh(), answers: 0 };
        for step in &conversation.steps {
            match step {
                Step::Client(bytes) => player.send(bytes).await?,
                Step::Server(bytes) => player.expect(bytes).await?,
            }
        }
        Ok(player.answers)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Player<'_, S> {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), ReplayError> {
        let after = self.replay.within;
        Ok(timeout(after, self.stream.write_all(bytes)).await.map_err(|_| ReplayError::Stuck { after })??)
    }

    /// Waits for each answer that these recorded bytes complete, and compares the two.
    async fn expect(&mut self, recorded: &[u8]) -> Result<(), ReplayError> {
        self.recorded.1.extend_from_slice(recorded);
        loop {
            let number = self.answers + 1;
            let (decoder, input) = &mut self.recorded;
            let expected = decoder.decode(input).map_err(|error| ReplayError::Recording { number, error })?;
            let Some(expected) = expected else { return Ok(()) };
            let compared = match self.answer().await? {
                Ok(found) => compare::compare(&expected, &found, self.replay.values),
                Err(difference) => Err(difference),
            };
            compared.map_err(|difference| ReplayError::Difference { number, difference })?;
            self.answers = number;
        }
    }

    /// The server's next answer, or what came in its place.
    async fn answer(&mut self) -> Result<Result<Message, Difference>, ReplayError> {
        let (decoder, input) = &mut self.live;
        loop {
            match decoder.decode(input) {
                Ok(Some(message)) => return Ok(Ok(message)),
                Ok(None) => {}
                Err(error) => return Ok(Err(Difference::Nonsense { error })),
            }
            let after = self.replay.within;
            match timeout(after, self.stream.read_buf(input)).await {
                Err(_) => return Ok(Err(Difference::Silence { after })),
                Ok(Ok(0)) => return Ok(Err(Difference::Closed)),
                Ok(read) => read?,
            };
        }
    }
}
