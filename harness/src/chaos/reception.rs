//! How a link receives who connects: at once, later, without a word, or not at all.

use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

use tokio::time::Instant;

use crate::chaos::door::Welcome;
use crate::chaos::effect::Tally;
use crate::chaos::link::{Link, LinkEvent};
use crate::chaos::toxic::Admission;

/// Whether the accepting side hears of a connection that a kernel has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// It does.
    Now,
    /// Not before that time, or not before faults change.
    Later(Option<Instant>),
}

impl Link {
    /// What becomes of a connect at this moment.
    pub(super) fn admission(&self, ordinal: u64) -> Admission {
        let active = &self.lock().active;
        active.iter().map(|active| active.admission(ordinal)).max().unwrap_or(Admission::Accept)
    }

    /// Waits until no fault holds the connect of `ordinal` up, and says whether it goes through.
    pub(super) async fn admit(&self, ordinal: u64) -> Admission {
        let mut hung = false;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.admission(ordinal) {
                Admission::Hang => {}
                decided => {
                    if decided == Admission::Refuse {
                        self.refuse(ordinal);
                    }
                    return decided;
                }
            }
            if !std::mem::replace(&mut hung, true) {
                self.counters.hung.fetch_add(1, Relaxed);
                self.blame(ordinal, |decided| decided == Admission::Hang, Tally::hung);
            }
            changed.await;
        }
    }

    /// Waits until the accepting side may hear of the connect of `ordinal`, which a kernel has accepted already, and says
    /// whether it goes through.
    pub(super) async fn receive(&self, ordinal: u64) -> Admission {
        if self.lock().active.is_empty() {
            return Admission::Accept;
        }
        let accepted = Instant::now();
        if self.admit(ordinal).await == Admission::Refuse {
            return Admission::Refuse;
        }
        self.count_if_waiting(ordinal);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.reception(ordinal, accepted, None) {
                Reception::Now => return Admission::Accept,
                Reception::Later(None) => changed.await,
                Reception::Later(Some(at)) => _ = tokio::time::timeout_at(at, changed).await,
            }
        }
    }

    /// Whether the accepting side may hear of the connection `ordinal`, accepted by a kernel at `accepted`. If not, `waker` is
    /// called when faults change.
    pub(super) fn reception(&self, ordinal: u64, accepted: Instant, waker: Option<&Waker>) -> Reception {
        let mut state = self.lock();
        let waits =
            state.active.iter().map(|active| active.admission(ordinal)).filter(Admission::is_wait).max();
        let reception = match waits {
            None => Reception::Now,
            Some(Admission::AcceptLate(delay)) if accepted + delay <= Instant::now() => Reception::Now,
            Some(Admission::AcceptLate(delay)) => Reception::Later(Some(accepted + delay)),
            Some(_) => Reception::Later(None),
        };
        let is_new = |waker: &&Waker| !state.acceptors.iter().any(|known| known.will_wake(waker));
        if let Some(waker) = waker.filter(|_| reception != Reception::Now).filter(is_new) {
            state.acceptors.push(waker.clone());
        }
        reception
    }

    /// Counts the connection of `ordinal`, just accepted by a kernel, if the accepting side does not hear of it yet.
    pub(super) fn count_if_waiting(&self, ordinal: u64) {
        if self.admission(ordinal).is_wait() {
            self.counters.hung.fetch_add(1, Relaxed);
            self.blame(ordinal, |decided| decided.is_wait(), Tally::hung);
        }
    }

    fn refuse(&self, ordinal: u64) {
        self.counters.refused.fetch_add(1, Relaxed);
        self.blame(ordinal, |decided| decided == Admission::Refuse, Tally::refused);
        self.observe_now(ordinal, LinkEvent::Refused);
    }

    /// Notes with each fault that decided so about the connect of `ordinal` that it did.
    fn blame(&self, ordinal: u64, guilty: fn(Admission) -> bool, note: fn(&Tally)) {
        let state = self.lock();
        let guilty = state.active.iter().filter(|active| guilty(active.admission(ordinal)));
        guilty.for_each(|active| note(&active.tally));
    }

    /// Notes that nobody listens from now on, because a fault refuses every connect.
    pub(super) fn shut(&self) {
        self.note(Admission::Refuse, Tally::refused);
    }

    /// Notes that `count` connects were dropped unheard, because a fault has every connect hang.
    pub(super) fn unheard(&self, count: u64) {
        self.counters.hung.fetch_add(count, Relaxed);
        (0..count).for_each(|_| self.note(Admission::Hang, Tally::hung));
    }

    fn note(&self, welcome: Admission, note: fn(&Tally)) {
        let state = self.lock();
        state
            .active
            .iter()
            .filter(|active| active.welcome() == welcome)
            .for_each(|active| note(&active.tally));
    }

    /// How connects are received that no draw can spare.
    pub(super) fn welcome(&self) -> Welcome {
        match self.lock().active.iter().map(|active| active.welcome()).max() {
            Some(Admission::Refuse) => Welcome::Refused,
            Some(Admission::Hang) => Welcome::Silent,
            _ => Welcome::Open,
        }
    }
}
