//! One direction of one connection, without streams or clock: what entered, when it may leave, what holds it.
//!
//! Both the simulated stream and the TCP proxy drive this. Bytes enter through [`Lane::push`] (or
//! [`Lane::spare`] and [`Lane::commit`]), wait out their delay, and leave through [`Lane::front`] and [`Lane::consume`]
//! as far as [`Lane::exit`] allows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::chaos::effect::Tally;
use crate::chaos::fault::FaultId;
use crate::chaos::ring::Ring;
use crate::chaos::toxic::{Chunk, Cut, Gate, Moment, OnHeal, Toxic};
use crate::seed::Seed;

/// A toxic that has taken hold of a lane.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: FaultId,
    pub(super) toxic: Box<dyn Toxic>,
    pub(super) on_heal: OnHeal,
    /// This connection's and direction's own dice.
    pub(super) dice: Seed,
    pub(super) since: Instant,
    /// Bytes that had left the lane at `since`.
    pub(super) passed_before: u64,
    /// What it does is counted here.
    pub(super) tally: Arc<Tally>,
    /// Up to here bytes were counted as withheld.
    pub(super) withheld_to: u64,
}

impl Held {
    /// Counts what has arrived, after `passed` bytes that have left, and does not get through `gate`.
    fn note_withheld(&mut self, passed: u64, waiting: usize, gate: Gate) {
        let through = match gate {
            Gate::Open => return,
            Gate::UpTo { bytes, .. } => bytes.min(waiting),
            Gate::Shut => 0,
        };
        let arrived = passed + waiting as u64;
        let from = self.withheld_to.max(passed + through as u64);
        self.tally.withheld(arrived.saturating_sub(from));
        self.withheld_to = self.withheld_to.max(arrived);
    }
}

/// Bytes under way that are not due yet.
#[derive(Debug, Clone, Copy)]
struct Segment {
    chunk: Chunk,
    entered: Instant,
    due: Instant,
}

/// How the writer ended its direction.
#[derive(Debug, Clone, Copy)]
enum Fin {
    /// It has not.
    Open,
    /// The FIN is under way, or has arrived once `due` is over.
    Sent { entered: Instant, due: Instant },
}

/// What may leave a lane now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// So many bytes, more than 0.
    Bytes(usize),
    /// Nothing more will ever come.
    End,
    /// Nothing now; ask again then, or when something changes.
    Wait(Option<Instant>),
}

/// What became of bytes that entered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) taken: usize,
    pub(super) delayed: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    ring: Ring,
    /// Bytes at the front of the ring that have arrived.
    ready: usize,
    /// The rest of the ring, in order.
    segments: VecDeque<Segment>,
    /// What every byte takes without any fault.
    base: Duration,
    entered: u64,
    passed: u64,
    fin: Fin,
    held: Vec<Held>,
}

impl Lane {
    /// A lane that holds at most `limit` bytes, keeps `rest` of them while empty, and delays each by `base`.
    pub(super) fn new(limit: usize, rest: usize, base: Duration) -> Self {
        Self {
            ring: Ring::new(limit, rest),
            ready: 0,
            segments: VecDeque::new(),
            base,
            entered: 0,
            passed: 0,
            fin: Fin::Open,
            held: Vec::new(),
        }
    }

    /// Bytes that may still enter.
    pub(super) fn room(&self) -> usize {
        self.ring.room()
    }

    /// Whether its writer has ended it.
    pub(super) fn is_finished(&self) -> bool {
        !matches!(self.fin, Fin::Open)
    }

    /// Whether time plays no part in it: whatever enters may leave at once.
    pub(super) fn is_plain(&self) -> bool {
        self.held.is_empty() && self.base.is_zero() && self.segments.is_empty()
    }

    /// Whether it holds no bytes.
    pub(super) fn is_empty(&self) -> bool {
        self.ring.len() == 0
    }

    /// Counts bytes that went past it.
    pub(super) fn pass(&mut self, count: usize) {
        self.entered += count as u64;
        self.passed += count as u64;
    }

    /// Whether a toxic has hold of it.
    pub(super) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether a fault has it for good: no other can make it worse.
    pub(super) fn is_lost(&self) -> bool {
        self.held.iter().any(|held| held.toxic.outlives_heal())
    }

    /// Whether the fault of this id has it for good.
    pub(super) fn is_lost_to(&self, id: FaultId) -> bool {
        self.held.iter().any(|held| held.id == id && held.toxic.outlives_heal())
    }

    /// Whether a fault lets nothing out.
    pub(super) fn is_shut(&mut self, now: Instant, idle_since: Instant) -> bool {
        self.gate(now, idle_since).is_shut()
    }

    /// Copies in as much of `data` as there is room for.
    pub(super) fn push(&mut self, data: &[u8], now: Instant) -> Entry {
        let taken = self.ring.push(data);
        self.commit_pushed(taken, now)
    }

    /// Free space to read into; then [`Lane::commit`].
    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.ring.spare()
    }

    /// Takes over `count` bytes that were put into [`Lane::spare`].
    pub(super) fn commit(&mut self, count: usize, now: Instant) -> Entry {
        self.ring.commit(count);
        self.commit_pushed(count, now)
    }

    fn commit_pushed(&mut self, count: usize, now: Instant) -> Entry {
        let mut entry = Entry { taken: count, ..Entry::default() };
        if count == 0 {
            return entry;
        }
        let chunk = Chunk { offset: self.entered, bytes: count };
        self.entered += count as u64;
        if self.is_plain() {
            self.ready += count;
            return entry;
        }
        let after = self.delay(chunk);
        let due = self.last_due(now).max(now + after);
        entry.delayed = after > self.base;
        self.segments.push_back(Segment { chunk, entered: now, due });
        self.note_delays(chunk);
        if self.is_held() {
            // Nobody may ever ask for these bytes: the end that would is perhaps gone.
            self.arrive(now);
            self.gate(now, now);
        }
        entry
    }

    fn note_delays(&self, chunk: Chunk) {
        let delays = self.held.iter().filter(|held| !held.toxic.delay(chunk, held.dice).is_zero());
        delays.for_each(|held| held.tally.delayed(chunk.bytes));
    }

    /// Ends the direction: a FIN follows the bytes under way.
    pub(super) fn finish(&mut self, now: Instant) {
        if self.is_finished() {
            return;
        }
        let after = self.delay(Chunk { offset: self.entered, bytes: 0 });
        self.fin = Fin::Sent { entered: now, due: self.last_due(now).max(now + after) };
    }

    /// A fault ends the direction: what its toxics would never let through is lost, and a FIN follows the rest.
    pub(super) fn end(&mut self, now: Instant) {
        let left = |held: &Held| {
            let most = held.passed_before.saturating_add(held.toxic.most()?);
            Some(most.saturating_sub(self.passed))
        };
        if let Some(left) = self.held.iter().filter_map(left).min() {
            self.keep_first(usize::try_from(left).unwrap_or(usize::MAX));
        }
        self.finish(now);
    }

    fn keep_first(&mut self, bytes: usize) {
        let mut lost = self.ring.len().saturating_sub(bytes);
        self.ring.truncate_by(lost);
        while let Some(last) = self.segments.back_mut().filter(|_| lost > 0) {
            let cut = last.chunk.bytes.min(lost);
            (last.chunk.bytes, lost) = (last.chunk.bytes - cut, lost - cut);
            if last.chunk.bytes == 0 {
                self.segments.pop_back();
            }
        }
        self.ready -= lost;
    }

    /// Loses everything that lies in it.
    pub(super) fn clear(&mut self) -> usize {
        let lost = self.ring.len();
        self.ring.truncate_by(lost);
        self.ready = 0;
        self.segments = VecDeque::new();
        lost
    }

    /// Loses everything that lies in it, and every toxic lets go.
    pub(super) fn release(&mut self) {
        self.clear();
        self.held = Vec::new();
    }

    /// What may leave at `now`.
    pub(super) fn exit(&mut self, now: Instant, idle_since: Instant) -> Exit {
        self.arrive(now);
        let gate = self.gate(now, idle_since);
        if gate.is_shut() {
            return Exit::Wait(None);
        }
        if self.ready == 0 {
            return self.exit_when_empty(now);
        }
        match gate {
            Gate::UpTo { bytes: 0, again } => Exit::Wait(again),
            Gate::UpTo { bytes, .. } => Exit::Bytes(bytes.min(self.ready)),
            _ => Exit::Bytes(self.ready),
        }
    }

    /// What may leave a plain lane; needs no clock.
    pub(super) fn exit_plain(&self) -> Exit {
        match self.fin {
            _ if self.ready > 0 => Exit::Bytes(self.ready),
            Fin::Sent { .. } => Exit::End,
            _ => Exit::Wait(None),
        }
    }

    fn exit_when_empty(&self, now: Instant) -> Exit {
        if let Some(first) = self.segments.front() {
            return Exit::Wait(Some(first.due));
        }
        match self.fin {
            Fin::Sent { due, .. } if due <= now => Exit::End,
            Fin::Sent { due, .. } => Exit::Wait(Some(due)),
            Fin::Open => Exit::Wait(None),
        }
    }

    /// The bytes that have arrived, in one piece as far as they lie so.
    pub(super) fn front(&self) -> &[u8] {
        let front = self.ring.front();
        &front[..front.len().min(self.ready)]
    }

    /// Takes `count` bytes out.
    pub(super) fn consume(&mut self, count: usize) {
        self.ring.consume(count);
        self.ready -= count;
        self.passed += count as u64;
        for held in &mut self.held {
            held.toxic.took(count);
        }
    }

    /// Copies out as many as `into` and `allowed` hold.
    pub(super) fn take(&mut self, into: &mut [u8], allowed: usize) -> usize {
        let wanted = into.len().min(allowed).min(self.ready);
        let mut done = 0;
        while done < wanted {
            let front = self.ring.front();
            let count = front.len().min(wanted - done);
            into[done..done + count].copy_from_slice(&front[..count]);
            self.consume(count);
            done += count;
        }
        done
    }

    /// A toxic takes hold; what is already under way keeps its schedule.
    pub(super) fn hold(&mut self, mut held: Held) {
        held.passed_before = self.passed;
        self.held.push(held);
    }

    /// A fault heals. Returns what becomes of the connection, if the fault had hold of it.
    pub(super) fn heal(&mut self, id: FaultId, now: Instant) -> Option<OnHeal> {
        let at = self.held.iter().position(|held| held.id == id)?;
        if self.held[at].toxic.outlives_heal() {
            return None;
        }
        self.arrive(now);
        // What has arrived since somebody last asked was withheld as well.
        let (passed, waiting, moment) = (self.passed, self.ready, self.moment(&self.held[at], now, now));
        let mut healed = self.held.remove(at);
        let gate = healed.toxic.gate(&moment);
        healed.note_withheld(passed, waiting, gate);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        match healed.on_heal {
            OnHeal::Drop => healed.tally.dropped(self.lose_held_back(healed.toxic.holds_arrived())),
            OnHeal::Deliver | OnHeal::Reset => self.reschedule(),
        }
        Some(healed.on_heal)
    }

    /// When a toxic ends this connection, how, and where that is counted; the earliest.
    pub(super) fn cut(&self, now: Instant, idle_since: Instant) -> Option<(Instant, Cut, &Arc<Tally>)> {
        let cuts = self.held.iter().filter_map(|held| {
            let (at, cut) = held.toxic.cut(&self.moment(held, now, idle_since))?;
            Some((at, cut, &held.tally))
        });
        cuts.min_by_key(|(at, cut, _)| (*at, std::cmp::Reverse(*cut)))
    }

    fn moment(&self, held: &Held, now: Instant, idle_since: Instant) -> Moment {
        Moment {
            now,
            since: held.since,
            idle_since: idle_since.max(held.since),
            passed: self.passed - held.passed_before,
            waiting: self.ready,
        }
    }

    fn gate(&mut self, now: Instant, idle_since: Instant) -> Gate {
        let (passed, waiting) = (self.passed, self.ready);
        let gates = self.held.iter_mut().map(|held| {
            let gate = held.toxic.gate(&Moment {
                now,
                since: held.since,
                idle_since: idle_since.max(held.since),
                passed: passed - held.passed_before,
                waiting,
            });
            held.note_withheld(passed, waiting, gate);
            gate
        });
        gates.fold(Gate::Open, Gate::meet)
    }

    /// From the entry of `chunk` until it arrives.
    fn delay(&self, chunk: Chunk) -> Duration {
        self.held.iter().fold(self.base, |sum, held| sum + held.toxic.delay(chunk, held.dice))
    }

    fn last_due(&self, now: Instant) -> Instant {
        self.segments.back().map_or(now, |last| last.due)
    }

    fn arrive(&mut self, now: Instant) {
        while let Some(first) = self.segments.front().filter(|first| first.due <= now) {
            self.ready += first.chunk.bytes;
            self.segments.pop_front();
        }
        if self.segments.is_empty() && self.segments.capacity() > SEGMENTS_AT_REST {
            self.segments = VecDeque::new();
        }
    }

    /// Works out anew when what is under way arrives, now that one delay is gone.
    fn reschedule(&mut self) {
        let mut before = None;
        for at in 0..self.segments.len() {
            let Segment { chunk, entered, .. } = self.segments[at];
            let earliest = entered + self.delay(chunk);
            let due = before.map_or(earliest, |before: Instant| before.max(earliest));
            self.segments[at].due = due;
            before = Some(due);
        }
        if let Fin::Sent { entered, .. } = self.fin {
            let after = self.delay(Chunk { offset: self.entered, bytes: 0 });
            let due = before.map_or(entered + after, |before| before.max(entered + after));
            self.fin = Fin::Sent { entered, due };
        }
    }

    /// Loses what a fault held back; how many bytes that were.
    fn lose_held_back(&mut self, arrived_too: bool) -> usize {
        let lost = if arrived_too {
            self.clear()
        } else {
            let under_way = self.ring.len() - self.ready;
            self.ring.truncate_by(under_way);
            self.segments = VecDeque::new();
            under_way
        };
        self.reschedule();
        lost
    }
}

/// Segments for which memory is kept while none are under way.
const SEGMENTS_AT_REST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::effect::Effects;
    use crate::chaos::fault::Fault;

    const MILLI: Duration = Duration::from_millis(1);

    fn fault(yaml: &str) -> Fault {
        serde_saphyr::from_str(yaml).expect("a fault")
    }

    fn held(yaml: &str, since: Instant) -> Held {
        let fault = fault(yaml);
        let link_fault = fault.on_link().expect("a fault on a link");
        let (id, on_heal) = (fault.id(0, Seed(7)), link_fault.common().on_heal);
        let (toxic, tally) = (link_fault.toxic(), Arc::default());
        Held { id, toxic, on_heal, dice: Seed(7), since, passed_before: 0, tally, withheld_to: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_when_they_are_due_and_the_fin_after_them() {
        let now = Instant::now();
        let mut lane = Lane::new(100, 10, 5 * MILLI);
        lane.push(b"abc", now);
        lane.finish(now + MILLI);
        assert_eq!(lane.exit(now, now), Exit::Wait(Some(now + 5 * MILLI)));
        assert_eq!(lane.exit(now + 5 * MILLI, now), Exit::Bytes(3));
        lane.consume(3);
        assert_eq!(lane.exit(now + 5 * MILLI, now), Exit::Wait(Some(now + 6 * MILLI)));
        assert_eq!(lane.exit(now + 6 * MILLI, now), Exit::End);
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunk_never_overtakes_the_one_before_it() {
        let now = Instant::now();
        let mut lane = Lane::new(100, 10, Duration::ZERO);
        let slow = held("latency: { link: plc, delay: 9ms }", now);
        let id = slow.id;
        lane.hold(slow);
        lane.push(b"first", now);
        lane.hold(held("blackhole: { link: plc }", now));
        assert_eq!(lane.heal(id, now), Some(OnHeal::Deliver));
        lane.push(b"second", now);
        assert_eq!(lane.exit(now, now), Exit::Wait(None), "the black hole holds");
        let hole = lane.held[0].id;
        lane.heal(hole, now);
        assert_eq!(lane.exit(now, now), Exit::Bytes(11));
        assert_eq!(lane.front(), b"firstsecond");
    }

    #[tokio::test(start_paused = true)]
    async fn healing_one_delay_leaves_the_other() {
        let now = Instant::now();
        let mut lane = Lane::new(100, 10, MILLI);
        let (a, b) = (
            held("latency: { link: plc, delay: 9ms }", now),
            held("latency: { link: other, delay: 4ms }", now),
        );
        let id = a.id;
        lane.hold(a);
        lane.hold(b);
        assert!(lane.push(b"x", now).delayed);
        assert_eq!(lane.exit(now, now), Exit::Wait(Some(now + 14 * MILLI)));
        lane.heal(id, now);
        assert_eq!(lane.exit(now, now), Exit::Wait(Some(now + 5 * MILLI)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_a_limit_ends_keeps_what_the_limit_allows_and_its_fin_is_not_held_up() {
        let now = Instant::now();
        let mut lane = Lane::new(100, 10, 5 * MILLI);
        lane.push(b"before", now);
        lane.hold(held("limit: { link: plc, bytes: 9B }", now));
        lane.push(b"behind", now + MILLI);
        lane.end(now + MILLI);
        assert_eq!(lane.exit(now + 9 * MILLI, now), Exit::Bytes(9));
        assert_eq!(lane.front(), b"beforebeh");
        lane.consume(9);
        assert_eq!(lane.exit(now + 9 * MILLI, now), Exit::End);
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_at_a_shut_gate_was_withheld_though_nobody_asked_for_it() {
        let now = Instant::now();
        let mut lane = Lane::new(100, 10, 5 * MILLI);
        let hole = held("blackhole: { link: plc }", now);
        let (id, tally) = (hole.id, Arc::clone(&hole.tally));
        lane.push(b"before", now);
        lane.hold(hole);
        lane.push(b"during", now);
        lane.heal(id, now + 9 * MILLI);
        let (fault, mut effects) = (fault("blackhole: { link: plc }"), Effects::new());
        tally.end(&fault, &mut effects);
        assert_eq!((effects["blackhole"].spells, effects["blackhole"].bytes_withheld), (1, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_takes_no_more_than_its_limit() {
        let now = Instant::now();
        let mut lane = Lane::new(8, 4, MILLI);
        assert_eq!(lane.push(b"0123456789", now).taken, 8);
        assert_eq!((lane.room(), lane.push(b"x", now).taken), (0, 0));
    }
}
