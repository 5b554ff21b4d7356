//! The outbox: answers on their way out, in order, each with the time from which it may go. Knows no stream and no clock.
//!
//! A healthy PLC's answers stand in one buffer and go out in one write. Only what a fault delays, cuts or lets be overtaken costs
//! more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use crate::faults::delivery::{Chunk, Delivery, Turn};

/// Answers that may wait unsent, in bytes; a client that pipelines more is not read until some are gone.
const UNSENT_BYTES_MAX: usize = 16 * 1024;
/// Writes and late answers that may wait for their time; the answer that passes it is the last one taken.
const WAITING_MAX: usize = 256;
/// The longest delay: thirty years. More is as good as never, and would overflow the clock.
const DELAY_MAX: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// What one session has to send.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Answers, in order, and behind them what is being written and not committed.
    bytes: BytesMut,
    /// How `bytes` is cut into writes.
    writes: VecDeque<Write>,
    /// Whether the last write that is gone was a piece, so that the rest of its packet comes first in `writes`.
    in_packet: bool,
    /// Bytes in `writes`; the rest of `bytes` is not committed.
    committed: usize,
    /// Answers that others may overtake.
    late: Vec<(Instant, BytesMut)>,
    /// Answers that wait for the next one.
    held: Vec<BytesMut>,
}

#[derive(Debug)]
struct Write {
    /// `None`: at once.
    at: Option<Instant>,
    bytes: usize,
    alone: bool,
    /// Whether a packet ends here: nothing else may come between a packet's pieces.
    ends: bool,
}

impl Write {
    /// Whole packets, from this time on.
    fn at(at: Option<Instant>) -> Self {
        Self { at, bytes: 0, alone: false, ends: true }
    }

    fn joins(&self, next: &Self) -> bool {
        let joins = |write: &Self| write.at.is_none() && !write.alone && write.ends;
        joins(self) && joins(next)
    }
}

impl Outbox {
    /// Where answers are written; [`commit`](Self::commit) or [`take_tail`](Self::take_tail) makes something of them.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Bytes behind what is committed.
    pub(crate) fn tail_bytes(&self) -> usize {
        self.bytes.len() - self.committed
    }

    /// Takes back what was written and not committed.
    pub(crate) fn take_tail(&mut self) -> BytesMut {
        self.bytes.split_off(self.committed)
    }

    /// Lets what was written go out `delay` from now, in order.
    pub(crate) fn commit(&mut self, delay: Duration) {
        if self.tail_bytes() > 0 {
            self.queue(Write::at(due(delay)));
            for bytes in std::mem::take(&mut self.held) {
                self.append(&bytes, Write::at(None));
            }
        }
    }

    /// Lets the chunks go out at their times, counted from `delay` from now.
    pub(crate) fn deliver(&mut self, delivery: Delivery, delay: Duration) {
        let mut waiting = std::mem::take(&mut self.held);
        for mut chunk in delivery.chunks {
            // Two answers that are both to wait for the other are swapped: the second goes first.
            if chunk.turn == Turn::AfterNext && !waiting.is_empty() {
                chunk.turn = Turn::Own;
            }
            let releases = chunk.turn == Turn::Own && chunk.ends && !chunk.bytes.is_empty();
            self.place(chunk, delay);
            if releases {
                waiting.drain(..).for_each(|bytes| self.append(&bytes, Write::at(None)));
            }
        }
        self.held.append(&mut waiting);
    }

    /// Forgets what others have overtaken, and what waits for a next answer.
    pub(crate) fn drop_late(&mut self) {
        self.late.clear();
        self.held.clear();
    }

    fn place(&mut self, chunk: Chunk, delay: Duration) {
        let at = due(delay.saturating_add(chunk.after));
        match (chunk.turn, at) {
            (Turn::AfterNext, _) => self.held.push(chunk.bytes),
            (Turn::Overtaken, Some(at)) => self.late.push((at, chunk.bytes)),
            (Turn::Own, at) | (Turn::Overtaken, at @ None) => {
                self.append(&chunk.bytes, Write { at, bytes: 0, alone: chunk.alone, ends: chunk.ends });
            }
        }
    }

    fn append(&mut self, bytes: &[u8], write: Write) {
        self.bytes.extend_from_slice(bytes);
        self.queue(write);
    }

    /// Commits the tail as this write, not before the one in front of it.
    fn queue(&mut self, mut write: Write) {
        write.bytes = self.tail_bytes();
        self.committed = self.bytes.len();
        match self.writes.back_mut() {
            Some(last) if last.joins(&write) => last.bytes += write.bytes,
            last => {
                write.at = write.at.max(last.and_then(|last| last.at));
                self.writes.push_back(write);
            }
        }
    }

    /// Whether another answer may be written.
    pub(crate) fn has_room(&self) -> bool {
        let aside = self.late.iter().map(|(_, bytes)| bytes).chain(&self.held);
        let unsent = self.bytes.len() + aside.map(BytesMut::len).sum::<usize>();
        let waiting = self.writes.len() + self.late.len() + self.held.len();
        unsent < UNSENT_BYTES_MAX && waiting < WAITING_MAX
    }

    /// Whether everything that goes out in order is gone.
    pub(crate) fn is_done(&self) -> bool {
        self.writes.is_empty()
    }

    /// When something is due next that is not yet.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let in_order = self.writes.front().and_then(|write| write.at);
        in_order.into_iter().chain(self.late.iter().map(|&(at, _)| at)).min()
    }

    /// Lets go what is due at `now`.
    pub(crate) fn release(&mut self, now: Instant) {
        for write in self.writes.iter_mut().take_while(|write| write.at.is_none_or(|at| at <= now)) {
            write.at = None;
        }
        let (mut due, late) =
            std::mem::take(&mut self.late).into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.late = late;
        due.sort_by_key(|&(at, _)| at);
        for (_, bytes) in due {
            self.insert_released(&bytes);
        }
    }

    /// Puts an answer that others have overtaken behind the packets of which a piece may go already.
    fn insert_released(&mut self, answer: &[u8]) {
        let released = self.writes.iter().take_while(|write| write.at.is_none()).count();
        let is_boundary = |&index: &usize| match index.checked_sub(1) {
            Some(last) => self.writes[last].ends,
            None => !self.in_packet,
        };
        let index = (released..=self.writes.len()).find(is_boundary).unwrap_or(self.writes.len());
        let before: usize = self.writes.range(..index).map(|write| write.bytes).sum();
        let at = index.checked_sub(1).and_then(|last| self.writes[last].at);
        let rest = self.bytes.split_off(before);
        self.bytes.extend_from_slice(answer);
        self.bytes.extend_from_slice(&rest);
        self.committed += answer.len();
        self.writes.insert(index, Write { bytes: answer.len(), ..Write::at(at) });
    }

    /// What may go out in one write now; empty when nothing may.
    pub(crate) fn ready(&mut self) -> &[u8] {
        // What sends nothing only kept a time.
        while self.writes.front().is_some_and(|write| write.at.is_none() && write.bytes == 0) {
            self.writes.pop_front();
        }
        let bytes = match self.writes.front() {
            Some(first) if first.alone => {
                if first.at.is_none() {
                    first.bytes
                } else {
                    0
                }
            }
            _ => self
                .writes
                .iter()
                .take_while(|write| write.at.is_none() && !write.alone)
                .map(|write| write.bytes)
                .sum(),
        };
        &self.bytes[..bytes]
    }

    /// Forgets `bytes` that were written.
    pub(crate) fn sent(&mut self, mut bytes: usize) {
        self.bytes.advance(bytes);
        self.committed -= bytes;
        while let Some(first) = self.writes.front_mut() {
            let taken = first.bytes.min(bytes);
            first.bytes -= taken;
            bytes -= taken;
            if first.bytes > 0 || first.at.is_some() {
                break;
            }
            self.in_packet = !first.ends;
            self.writes.pop_front();
        }
    }

    /// Gives back all memory, where there is nothing to send.
    pub(crate) fn shrink(&mut self) {
        if self.bytes.is_empty() && self.writes.is_empty() && self.late.is_empty() && self.held.is_empty() {
            *self = Self::default();
        }
    }
}

/// The time `delay` from now; `None` for at once.
fn due(delay: Duration) -> Option<Instant> {
    (!delay.is_zero()).then(|| Instant::now() + delay.min(DELAY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn chunk(bytes: &str, after: Duration, turn: Turn) -> Chunk {
        Chunk { after, turn, ..Delivery::whole(bytes.as_bytes().into()).chunks.remove(0) }
    }

    fn deliver(outbox: &mut Outbox, bytes: &str, after: Duration, turn: Turn) {
        let then = crate::faults::delivery::Then::GoOn;
        outbox.deliver(Delivery { chunks: vec![chunk(bytes, after, turn)], then }, Duration::ZERO);
    }

    /// All that goes out now, write by write.
    fn writes(outbox: &mut Outbox) -> Vec<String> {
        let next = |outbox: &mut Outbox| {
            let write = outbox.ready().to_vec();
            outbox.sent(write.len());
            (!write.is_empty()).then(|| String::from_utf8(write).unwrap())
        };
        std::iter::from_fn(|| next(outbox)).collect()
    }

    /// All bytes that go out now.
    fn drain(outbox: &mut Outbox) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !outbox.ready().is_empty() {
            bytes.extend_from_slice(outbox.ready());
            let sent = outbox.ready().len();
            outbox.sent(sent);
        }
        bytes
    }

    async fn pass(outbox: &mut Outbox, time: Duration) {
        tokio::time::advance(time).await;
        outbox.release(Instant::now());
    }

    #[test]
    fn answers_without_delay_go_out_in_one_write() {
        let mut outbox = Outbox::default();
        for answer in ["one", "two"] {
            outbox.tail().extend_from_slice(answer.as_bytes());
            outbox.commit(Duration::ZERO);
        }
        assert_eq!(outbox.ready(), b"onetwo");
        outbox.sent(4);
        assert_eq!(outbox.ready(), b"wo");
        assert!(!outbox.is_done());
        outbox.sent(2);
        assert!(outbox.is_done() && outbox.next_due().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_delayed_holds_up_what_comes_behind_and_what_is_overtaken_does_not() {
        let mut outbox = Outbox::default();
        deliver(&mut outbox, "late", 3 * SECOND, Turn::Overtaken);
        deliver(&mut outbox, "slow", SECOND, Turn::Own);
        deliver(&mut outbox, "next", Duration::ZERO, Turn::Own);
        assert!(writes(&mut outbox).is_empty());
        pass(&mut outbox, SECOND).await;
        assert_eq!(writes(&mut outbox).concat(), "slownext");
        assert!(outbox.is_done());
        assert_eq!(outbox.next_due(), Some(Instant::now() + 2 * SECOND));
        pass(&mut outbox, 2 * SECOND).await;
        assert_eq!(writes(&mut outbox), ["late"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_never_comes_between_the_pieces_of_another() {
        let mut outbox = Outbox::default();
        deliver(&mut outbox, "late", 2 * SECOND, Turn::Overtaken);
        let piece = |text, after, ends| Chunk { alone: true, ends, ..chunk(text, after, Turn::Own) };
        let chunks = vec![piece("a", SECOND, false), piece("b", 3 * SECOND, true)];
        outbox.deliver(Delivery { chunks, then: crate::faults::delivery::Then::GoOn }, Duration::ZERO);
        deliver(&mut outbox, "next", 9 * SECOND, Turn::Own);
        pass(&mut outbox, 2 * SECOND).await;
        assert_eq!(writes(&mut outbox), ["a"]);
        pass(&mut outbox, SECOND).await;
        assert_eq!(writes(&mut outbox), ["b", "late"]);
    }

    #[test]
    fn single_bytes_share_their_write_with_nothing() {
        let mut outbox = Outbox::default();
        deliver(&mut outbox, "one", Duration::ZERO, Turn::Own);
        let piece = |text, ends| Chunk { alone: true, ends, ..chunk(text, Duration::ZERO, Turn::Own) };
        let chunks = vec![piece("a", false), piece("b", true)];
        outbox.deliver(Delivery { chunks, then: crate::faults::delivery::Then::GoOn }, Duration::ZERO);
        deliver(&mut outbox, "two", Duration::ZERO, Turn::Own);
        assert_eq!(writes(&mut outbox), ["one", "a", "b", "two"]);
    }

    #[test]
    fn a_held_answer_comes_right_behind_the_next_and_two_of_them_are_swapped() {
        let mut outbox = Outbox::default();
        deliver(&mut outbox, "1", Duration::ZERO, Turn::AfterNext);
        assert!(writes(&mut outbox).is_empty() && outbox.is_done());
        deliver(&mut outbox, "", Duration::ZERO, Turn::Own);
        assert!(writes(&mut outbox).is_empty(), "silence is no answer");
        deliver(&mut outbox, "2", Duration::ZERO, Turn::Own);
        assert_eq!(writes(&mut outbox).concat(), "21");
        for answer in ["3", "4", "5", "6"] {
            deliver(&mut outbox, answer, Duration::ZERO, Turn::AfterNext);
        }
        assert_eq!(writes(&mut outbox).concat(), "4365");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_past_the_end_of_time_is_never_and_no_panic() {
        let mut outbox = Outbox::default();
        deliver(&mut outbox, "x", Duration::MAX, Turn::Own);
        pass(&mut outbox, 1000 * SECOND).await;
        assert!(writes(&mut outbox).is_empty());
    }

    #[test]
    fn room_is_bounded_in_bytes_and_in_answers() {
        let mut outbox = Outbox::default();
        for _ in 0..WAITING_MAX {
            assert!(outbox.has_room());
            deliver(&mut outbox, "x", SECOND, Turn::Overtaken);
        }
        assert!(!outbox.has_room());
        let mut outbox = Outbox::default();
        deliver(&mut outbox, &"x".repeat(UNSENT_BYTES_MAX), Duration::ZERO, Turn::AfterNext);
        assert!(!outbox.has_room());
    }

    /// One answer of a property test: how long, in how many pieces, when, and in whose turn.
    type Made = (usize, bool, u64, u8);

    fn made(id: u8, (bytes, cut, after, turn): Made) -> Delivery {
        let turn = [Turn::Own, Turn::Own, Turn::Overtaken, Turn::AfterNext][usize::from(turn)];
        let piece = |index: usize, text: &[u8]| Chunk {
            bytes: text.into(),
            after: Duration::from_millis(after * (index as u64 + 1)),
            turn,
            alone: cut,
            ends: !cut || index + 1 == bytes,
        };
        // Only what keeps its turn is cut: whatever others overtake is one write.
        let cut = cut && turn == Turn::Own;
        let whole = vec![id; bytes];
        let chunks = whole.chunks(if cut { 1 } else { bytes }).enumerate();
        let chunks = chunks.map(|(index, text)| Chunk { alone: cut, ..piece(index, text) }).collect();
        Delivery { chunks, then: crate::faults::delivery::Then::GoOn }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_answer_comes_out_once_and_in_one_piece(
            all in proptest::collection::vec((1..5_usize, proptest::bool::ANY, 0..40_u64, 0..4_u8), 1..30),
            taken in 1..7_usize,
        ) {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_time().start_paused(true).build().unwrap();
            let out = runtime.block_on(async {
                let (mut outbox, mut out) = (Outbox::default(), Vec::new());
                for (id, &answer) in (0..).zip(&all) {
                    outbox.deliver(made(id, answer), Duration::ZERO);
                    // A stream that takes a little at a time, so that packets are often half sent.
                    let write: Vec<u8> = outbox.ready().iter().copied().take(taken).collect();
                    outbox.sent(write.len());
                    out.extend(write);
                    pass(&mut outbox, Duration::from_millis(7)).await;
                }
                // The last answer that anybody may wait for.
                outbox.deliver(Delivery::whole(b"\xff"[..].into()), Duration::ZERO);
                for _ in 0..20 {
                    pass(&mut outbox, Duration::from_secs(1)).await;
                    out.extend(drain(&mut outbox));
                }
                outbox.shrink();
                assert!(outbox.is_done() && outbox.next_due().is_none() && outbox.bytes.is_empty());
                out
            });
            let mut runs: Vec<(u8, usize)> = out.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
            runs.sort_unstable();
            let mut expected: Vec<(u8, usize)> = (0..).zip(&all).map(|(id, &(bytes, ..))| (id, bytes)).collect();
            expected.push((0xff, 1));
            assert_eq!(runs, expected);
        }
    }
}
