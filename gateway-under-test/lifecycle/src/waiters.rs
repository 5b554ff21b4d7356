//! The wakers of the futures that wait for one event. Pure: the caller has the lock.

use std::collections::BTreeMap;
use std::task::Waker;

/// At most one waker for each future alive.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// A future's place among the waiters; empty until it has waited.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Waiters {
    /// Has `waker` called for this place. Returns the one it replaces: drop it when the lock is released.
    #[must_use = "a waker is dropped without the lock"]
    pub fn enter(&mut self, place: &mut Place, waker: &Waker) -> Option<Waker> {
        let id = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.wakers.get(&id) {
            Some(known) if known.will_wake(waker) => None,
            _ => self.wakers.insert(id, waker.clone()),
        }
    }

    /// Takes this place's waker out: its future waits no more.
    #[must_use = "a waker is dropped without the lock"]
    pub fn leave(&mut self, place: &Place) -> Option<Waker> {
        place.0.and_then(|id| self.wakers.remove(&id))
    }

    /// Takes out all, in the order in which they began to wait.
    pub fn take(&mut self) -> Woken {
        Woken(std::mem::take(&mut self.wakers).into_values().collect())
    }

    /// Takes out the one that has waited longest.
    pub fn take_first(&mut self) -> Woken {
        Woken(self.wakers.pop_first().map(|(_, waker)| waker).into_iter().collect())
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.wakers.len()
    }
}

/// Wakers to be called when the lock is released.
#[derive(Debug, Default)]
#[must_use = "whoever is not woken waits for ever"]
pub(crate) struct Woken(Vec<Waker>);

impl Woken {
    /// Adds `more` behind these.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Calls them.
    pub fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}
