//! One connection: two lanes, two ends, and what a kernel would tell each end.
//!
//! Both engines drive this: in sim the streams are the ends, in the proxy the two sockets are. Errors follow Linux: a
//! RST is reported once, as `ConnectionReset`, to whichever of read and write comes first; after that reads give end of
//! file and writes `BrokenPipe`. The first write to a peer that has closed still succeeds, as its RST is yet to come.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::time::Instant;

use crate::chaos::effect::Tally;
use crate::chaos::lane::{Entry, Exit, Held, Lane};
use crate::chaos::link::{Active, Link, LinkEvent};
use crate::chaos::toxic::{Cut, Direction, OnHeal, Side};

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Step<T> {
    /// It is done.
    Ready(T),
    /// The waker is kept; also try again then, if a time is given.
    Park(Option<Instant>),
}

/// Which way bytes went, or must go.
#[derive(Debug)]
pub(super) enum Way<T> {
    /// Past the lane, and what came of it.
    Past(T),
    /// Past the lane too, once that is empty.
    Behind,
    /// Through the lane: something plays a part.
    Through,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Conn {
    link: Arc<Link>,
    ordinal: u64,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Up, down.
    lanes: [Lane; 2],
    /// Client, server.
    ends: [End; 2],
    idle_since: Instant,
    cut: Option<Cut>,
    /// A fault that is over took one end for good.
    lost: bool,
    /// Whether a fault has told the ends something else than their peer would.
    audited: bool,
}

#[derive(Debug, Default)]
struct End {
    /// The party has let go of it.
    dropped: bool,
    /// The party has shut down its writing half.
    shut: bool,
    /// A RST has come and was not reported yet.
    reset: bool,
    /// A RST has come.
    dead: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Why bytes go nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// A fault swallows them.
    ToFault,
    /// The far end has closed: they are answered with a RST.
    AtClosedEnd,
}

/// Wakers to be called once the lock is free: a woken task may drop an end of this very connection.
#[derive(Default)]
struct Wakes([Option<Waker>; 4]);

impl Wakes {
    fn fire(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Conn {
    /// A connection whose lanes keep `rest_bytes` of memory each while they are empty.
    pub(super) fn new(link: Arc<Link>, ordinal: u64, now: Instant, rest_bytes: usize) -> Self {
        let lane = || Lane::new(link.buffer_bytes(), rest_bytes, link.base_latency());
        let state = State {
            lanes: [lane(), lane()],
            ends: [End::default(), End::default()],
            idle_since: now,
            cut: None,
            lost: false,
            audited: false,
        };
        Self { link, ordinal, opened: now, state: Mutex::new(state) }
    }

    pub(super) fn ordinal(&self) -> u64 {
        self.ordinal
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// When it was established.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// How a fault ended this connection, if one did.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.lock().cut
    }

    /// Whether one end is gone for good, and the fault that took it is over.
    pub(super) fn is_lost(&self) -> bool {
        self.lock().lost
    }

    /// The state of the end at `side`, as `ss` would print it; or what a kernel does not know: `half-open`.
    pub(super) fn state_at(&self, side: Side) -> &'static str {
        let state = self.lock();
        let [mine, theirs] = [side, side.other()].map(|side| &state.ends[side as usize]);
        let heard_fin = theirs.dropped || theirs.shut || matches!(state.cut, Some(Cut::Close));
        match (mine.dead, mine.shut, heard_fin) {
            (true, ..) => "reset",
            _ if state.lost || theirs.dead || state.lanes.iter().any(Lane::is_lost) => "half-open",
            (_, false, true) => "CLOSE-WAIT",
            (_, true, true) => "LAST-ACK",
            (_, true, false) => "FIN-WAIT",
            (_, false, false) => "ESTAB",
        }
    }

    /// Reads for `side`: `take` moves at most the given number of bytes out of the lane.
    pub(super) fn read_with(
        &self,
        side: Side,
        cx: &Context<'_>,
        mut take: impl FnMut(&mut Lane, usize) -> io::Result<usize>,
    ) -> Step<io::Result<usize>> {
        let (mut state, mut wakes) = (self.lock(), Wakes::default());
        let now = self.clock(&state);
        self.cut_if_due(&mut state, now, &mut wakes);
        let step = self.read_step(&mut state, now, side, cx, &mut take);
        if let Step::Ready(Ok(1..)) = step {
            wakes.0[3] = state.ends[side.other() as usize].writer.take();
            self.cut_if_due(&mut state, now, &mut wakes);
        }
        drop(state);
        wakes.fire();
        step
    }

    fn read_step(
        &self,
        state: &mut State,
        now: Instant,
        side: Side,
        cx: &Context<'_>,
        take: &mut impl FnMut(&mut Lane, usize) -> io::Result<usize>,
    ) -> Step<io::Result<usize>> {
        if std::mem::take(&mut state.ends[side as usize].reset) {
            return Step::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (direction, idle_since) = (side.reads(), state.idle_since);
        let lane = &mut state.lanes[direction as usize];
        let exit = if lane.is_plain() { lane.exit_plain() } else { lane.exit(now, idle_since) };
        match exit {
            Exit::Bytes(allowed) => match take(lane, allowed) {
                Ok(count) => {
                    state.idle_since = now;
                    self.link.counters().delivered(direction, count);
                    Step::Ready(Ok(count))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.park(state, side, cx, None, false)
                }
                Err(error) => Step::Ready(Err(error)),
            },
            Exit::End => Step::Ready(Ok(0)),
            Exit::Wait(None) if state.ends[side as usize].dead => Step::Ready(Ok(0)),
            Exit::Wait(at) => self.park(state, side, cx, at, false),
        }
    }

    /// Writes for `side`: `put` moves bytes into the lane and says what became of them; without a lane they are lost.
    pub(super) fn write_with(
        &self,
        side: Side,
        cx: &Context<'_>,
        mut put: impl FnMut(Option<&mut Lane>, Instant) -> io::Result<Entry>,
    ) -> Step<io::Result<usize>> {
        let (mut state, mut wakes) = (self.lock(), Wakes::default());
        let now = self.clock(&state);
        self.cut_if_due(&mut state, now, &mut wakes);
        let step = self.write_step(&mut state, now, side, cx, &mut put);
        if let Step::Ready(Ok(1..)) = step {
            wakes.0[3] = state.ends[side.other() as usize].reader.take();
        }
        drop(state);
        wakes.fire();
        step
    }

    /// Hands on what `side` writes past its lane, where neither time nor a fault plays a part: `pass` moves bytes to the far
    /// end, leaves in the lane what that does not take at once, and says how many it took.
    ///
    /// As long as it is under way no fault takes hold; the waker is kept for the one that does next.
    pub(super) fn pass_with<T>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        pass: impl FnOnce(&mut Lane, &mut Context<'_>) -> (usize, T),
    ) -> Way<T> {
        let mut state = self.lock();
        if !state.is_calm(side) {
            return Way::Through;
        }
        let lane = &mut state.lanes[side.writes() as usize];
        if !lane.is_empty() {
            return Way::Behind;
        }
        let (count, passed) = pass(lane, cx);
        lane.pass(count);
        self.link.counters().delivered(side.writes(), count);
        keep(&mut state.ends[side as usize].writer, cx);
        Way::Past(passed)
    }

    fn write_step(
        &self,
        state: &mut State,
        now: Instant,
        side: Side,
        cx: &Context<'_>,
        put: &mut impl FnMut(Option<&mut Lane>, Instant) -> io::Result<Entry>,
    ) -> Step<io::Result<usize>> {
        let end = &mut state.ends[side as usize];
        if std::mem::take(&mut end.reset) {
            return Step::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if end.dead || end.shut {
            return Step::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let lost = state.destination(side, now);
        let lane = &mut state.lanes[side.writes() as usize];
        if lost.is_none() && lane.room() == 0 {
            return self.park(state, side, cx, None, true);
        }
        match put(lost.is_none().then_some(lane), now) {
            Ok(entry) => {
                state.idle_since = now;
                state.ends[side as usize].dead |= lost == Some(Lost::AtClosedEnd) && entry.taken > 0;
                self.link.counters().entered(entry, lost == Some(Lost::ToFault));
                Step::Ready(Ok(entry.taken))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.park(state, side, cx, None, true),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn park<T>(
        &self,
        state: &mut State,
        side: Side,
        cx: &Context<'_>,
        at: Option<Instant>,
        writer: bool,
    ) -> Step<T> {
        let end = &mut state.ends[side as usize];
        let slot = if writer { &mut end.writer } else { &mut end.reader };
        keep(slot, cx);
        let cut = self.cut_due(state, at.unwrap_or(self.opened)).map(|(at, ..)| at);
        Step::Park(match (at, cut) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        })
    }

    /// `side` has nothing more to say.
    pub(super) fn shutdown(&self, side: Side) -> io::Result<()> {
        let mut state = self.lock();
        let now = self.clock(&state);
        let end = &mut state.ends[side as usize];
        if end.dead {
            end.reset = false;
            return Err(io::ErrorKind::NotConnected.into());
        }
        end.shut = true;
        state.lanes[side.writes() as usize].finish(now);
        let reader = state.ends[side.other() as usize].reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// The party at `side` lets go, as a close of its socket.
    pub(super) fn drop_end(&self, side: Side) {
        let mut state = self.lock();
        let now = self.clock(&state);
        let end = &mut state.ends[side as usize];
        if std::mem::replace(&mut end.dropped, true) {
            return;
        }
        let mine = (end.reader.take(), end.writer.take());
        state.lanes[side.reads() as usize].clear();
        state.lanes[side.writes() as usize].finish(now);
        let other = &mut state.ends[side.other() as usize];
        let theirs = [other.reader.take(), other.writer.take()];
        drop(state);
        drop(mine);
        theirs.into_iter().flatten().for_each(Waker::wake);
    }

    /// Resets the connection on behalf of `side`: a RST to the other end only.
    pub(super) fn reset_from(&self, side: Side) {
        let (mut state, mut wakes) = (self.lock(), Wakes::default());
        state.reset(side.other());
        state.lanes.iter_mut().for_each(|lane| _ = lane.clear());
        state.wake_all(&mut wakes);
        drop(state);
        wakes.fire();
    }

    /// The end at `side` has met a RST. The far end is reset too, unless a fault hides it or took only this one.
    pub(super) fn tear(&self, side: Side) {
        let hidden = {
            let state = self.lock();
            state.cut == Some(Cut::Reset) || state.lanes[side.writes() as usize].is_lost()
        };
        if !hidden {
            self.reset_from(side);
        }
        self.drop_end(side);
    }

    /// A fault takes hold, if its draw for this connection says so.
    pub(super) fn hold(&self, active: &Active, now: Instant) {
        if !active.draws(self.ordinal) {
            return;
        }
        let (mut state, mut wakes) = (self.lock(), Wakes::default());
        if state.cut == Some(Cut::Reset) || state.lanes.iter().all(Lane::is_lost) {
            return;
        }
        for direction in Direction::BOTH {
            if let Some((toxic, on_heal)) = active.toxic(direction) {
                let dice = active.id.dice.stream(direction.name(), self.ordinal);
                let tally = Arc::clone(&active.tally);
                let (id, passed_before, withheld_to) = (active.id, 0, 0);
                let held = Held { id, toxic, on_heal, dice, since: now, passed_before, tally, withheld_to };
                state.lanes[direction as usize].hold(held);
            }
        }
        if let Some(gone) = active.gone(self.link.peer_side()) {
            state.reset(gone);
            active.tally.taken();
            active.tally.dropped(state.lanes[gone.reads() as usize].clear());
        }
        self.cut_if_due(&mut state, now, &mut wakes);
        state.wake_all(&mut wakes);
        drop(state);
        wakes.fire();
    }

    /// A fault heals.
    pub(super) fn heal(&self, active: &Active, now: Instant) {
        let id = active.id;
        let (mut state, mut wakes) = (self.lock(), Wakes::default());
        let healed = [state.lanes[0].heal(id, now), state.lanes[1].heal(id, now)];
        state.lost |= state.lanes.iter().any(|lane| lane.is_lost_to(id));
        if healed.contains(&Some(OnHeal::Reset)) {
            self.end_by(&mut state, Cut::Reset, &active.tally, now, &mut wakes);
        }
        state.reject_what_nobody_reads(now);
        state.wake_all(&mut wakes);
        drop(state);
        wakes.fire();
    }

    fn cut_due<'s>(&self, state: &'s State, now: Instant) -> Option<(Instant, Cut, &'s Arc<Tally>)> {
        if state.cut == Some(Cut::Reset) {
            return None;
        }
        let due = state
            .lanes
            .iter()
            .filter_map(|lane| lane.cut(now, state.idle_since))
            .min_by_key(|(at, ..)| *at)?;
        (state.cut < Some(due.1)).then_some(due)
    }

    fn cut_if_due(&self, state: &mut State, now: Instant, wakes: &mut Wakes) {
        if state.is_plain() {
            return;
        }
        let due = self.cut_due(state, now).filter(|(at, ..)| *at <= now);
        if let Some((cut, tally)) = due.map(|(_, cut, tally)| (cut, Arc::clone(tally))) {
            self.end_by(state, cut, &tally, now, wakes);
        }
    }

    fn end_by(&self, state: &mut State, cut: Cut, by: &Tally, now: Instant, wakes: &mut Wakes) {
        if state.cut >= Some(cut) {
            return;
        }
        match cut {
            Cut::Fin(direction) => state.lanes[direction as usize].end(now),
            Cut::Close => state.lanes.iter_mut().for_each(|lane| lane.end(now)),
            Cut::Reset => {
                state.lanes.iter_mut().for_each(Lane::release);
                [Side::Client, Side::Server].into_iter().for_each(|side| state.reset(side));
            }
        }
        state.cut = Some(cut);
        by.cut();
        if !std::mem::replace(&mut state.audited, true) {
            self.link.counters().cut();
        }
        self.link.observe(now, self.ordinal, LinkEvent::Cut(cut));
        state.wake_all(wakes);
    }

    /// Now; any moment will do where time plays no part.
    fn clock(&self, state: &State) -> Instant {
        if state.is_plain() { self.opened } else { Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.link.forget(self.ordinal);
    }
}

fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl State {
    /// Whether neither time nor a fault nor an end plays a part in what `side` writes.
    fn is_calm(&self, side: Side) -> bool {
        let (mine, theirs) = (&self.ends[side as usize], &self.ends[side.other() as usize]);
        let is_whole = |end: &End| !(end.dropped || end.dead || end.reset);
        let lane = &self.lanes[side.writes() as usize];
        self.cut.is_none() && is_whole(mine) && is_whole(theirs) && self.is_plain() && !lane.is_finished()
    }

    fn is_plain(&self) -> bool {
        self.lanes.iter().all(Lane::is_plain)
    }

    /// Where what `side` writes goes: `None` for into its lane.
    fn destination(&mut self, side: Side, now: Instant) -> Option<Lost> {
        let lane = &mut self.lanes[side.writes() as usize];
        let closed = self.cut == Some(Cut::Close);
        if lane.is_finished() && !closed {
            return Some(Lost::ToFault);
        }
        let mut kept = || lane.is_held() && lane.is_shut(now, self.idle_since);
        if closed || self.ends[side.other() as usize].dropped && !kept() {
            return Some(Lost::AtClosedEnd);
        }
        None
    }

    /// A RST reaches `side`.
    fn reset(&mut self, side: Side) {
        let end = &mut self.ends[side as usize];
        end.reset = !end.dead;
        end.dead = true;
    }

    /// What a healed fault lets through to a closed end is answered with a RST.
    fn reject_what_nobody_reads(&mut self, now: Instant) {
        for side in [Side::Client, Side::Server] {
            let lane = &mut self.lanes[side.reads() as usize];
            let arrived = matches!(lane.exit(now, self.idle_since), Exit::Bytes(_));
            if self.ends[side as usize].dropped && arrived {
                lane.clear();
                self.ends[side.other() as usize].dead = true;
            }
        }
    }

    fn wake_all(&mut self, wakes: &mut Wakes) {
        let parked = self.ends.iter_mut().flat_map(|end| [&mut end.reader, &mut end.writer]);
        for (slot, waker) in wakes.0.iter_mut().zip(parked) {
            if let Some(waker) = waker.take() {
                *slot = Some(waker);
            }
        }
    }
}
