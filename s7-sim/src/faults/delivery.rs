//! A delivery: what becomes of one answer. Chunks with times, and what happens to the session after them.

use std::time::Duration;

use bytes::BytesMut;

/// What the chunks of one answer may hold together; a repetition that would pass it is not made.
pub(crate) const DELIVERY_BYTES_MAX: usize = 16 * 1024;

/// One answer on its way out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    /// What is sent, in this order where times are equal. An empty chunk sends nothing and keeps its time.
    pub chunks: Vec<Chunk>,
    /// What the session does after it.
    pub then: Then,
}

/// Bytes and when they are due.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    pub bytes: BytesMut,
    /// Counted from when the answer would have gone out.
    pub after: Duration,
    pub turn: Turn,
    /// Goes out in a write of its own.
    pub alone: bool,
    /// Whether it ends its answer, and is no piece before the last.
    pub ends: bool,
}

/// Where a chunk stands among other answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// In the order of the requests: later answers wait for it.
    Own,
    /// Others may overtake it.
    Overtaken,
    /// Right behind the next answer, whenever that comes.
    AfterNext,
}

/// What a session does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Goes on.
    GoOn,
    /// Reads on, says nothing more.
    Mute,
    /// Reads nothing more, says nothing more, does not close.
    Vanish,
    /// Ends in order.
    Close,
    /// Ends by a reset.
    Reset,
}

impl Delivery {
    /// The answer as it is, at once.
    pub(crate) fn whole(bytes: BytesMut) -> Self {
        let chunk = Chunk { bytes, after: Duration::ZERO, turn: Turn::Own, alone: false, ends: true };
        Self { chunks: vec![chunk], then: Then::GoOn }
    }

    /// Bytes of all chunks.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Sends nothing; times stay, for what happens then.
    pub(crate) fn empty(&mut self) {
        self.chunks.iter_mut().for_each(|chunk| chunk.bytes.clear());
    }
}
