//! Requests that wait for an answer, and keys whose answer is overdue.
//!
//! Answer, timeout and cancellation race for each request, and exactly one wins. A request that was given up leaves its key in
//! quarantine until the answer came after all: a late answer is never taken for that of another request.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use thiserror::Error;

use crate::mutant::mutated;
use crate::sync::{Arc, Mutex, lock};

/// Keys in use at once. Half of all there are: every second one is free, so the next free one is near.
pub const KEYS_MAX: usize = 1 << 15;

/// From one key to the next. Far more than 1: a peer that is off by one with a key then names no request that waits. Odd, so
/// that all keys are used; near 2^16 divided by the golden ratio, so that those in use at one time lie far apart.
const KEY_STEP: u16 = 40_503;

/// How much a [`PendingTable`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at once.
    pub waiting: usize,
    /// Keys in use at once: of requests under way and in quarantine together, so that every request can be given up. At most
    /// [`KEYS_MAX`].
    pub keys: usize,
}

/// Why a request cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Full {
    /// As many requests wait as may.
    #[error("{waiting} requests wait for their answers, as many as may: wait for one of them")]
    Waiting {
        /// How many wait.
        waiting: usize,
    },
    /// As many keys are in use as may, most of them in quarantine.
    #[error("{quarantined} answers are overdue, as many as may: the peer does not answer, end the session")]
    Quarantine {
        /// How many answers are overdue.
        quarantined: usize,
    },
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Lost {
    /// The caller's patience ended first.
    #[error("no answer in time")]
    Expired,
    /// The session ended first.
    #[error("the session ended before the answer came")]
    SessionOver,
}

/// What became of an answer. What nobody waits for is handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer that nobody waits for says something about the peer"]
pub enum Replied<T> {
    /// Its request has it.
    Delivered,
    /// Its request was given up; the key is free again.
    Late(T),
    /// No request has this key, or it is answered already.
    Unknown(T),
}

/// How much a [`PendingTable`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests without an answer.
    pub waiting: usize,
    /// Answers that their request has not taken yet.
    pub answered: usize,
    /// Keys whose answer is overdue.
    pub quarantined: usize,
}

/// The requests of one session. Clones are the same table.
///
/// ```
/// use gateway_lifecycle::PendingTable;
/// use gateway_lifecycle::pending::{Limits, Lost, Replied};
///
/// let table = PendingTable::new(Limits { waiting: 8, keys: 24 }, 1);
/// let ticket = table.register()?;
/// let key = ticket.key();
/// assert_eq!(ticket.expire(), Err(Lost::Expired));
/// assert_eq!(table.reply(key, "too late"), Replied::Late("too late"));
/// assert_eq!(table.reply(key, "again"), Replied::Unknown("again"));
/// # Ok::<(), gateway_lifecycle::pending::Full>(())
/// ```
#[derive(Debug)]
pub struct PendingTable<T> {
    table: Arc<Mutex<Table<T>>>,
}

#[derive(Debug)]
struct Table<T> {
    limits: Limits,
    entries: BTreeMap<u16, Entry<T>>,
    next_key: u16,
    registered: u64,
}

#[derive(Debug)]
struct Entry<T> {
    /// Tells requests apart that had the same key one after the other.
    serial: u64,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Answered(T),
    Quarantined,
}

impl<T> PendingTable<T> {
    /// An empty table, whose keys start at `first_key`.
    ///
    /// # Panics
    ///
    /// If more may wait than there may be keys, or there may be more keys than [`KEYS_MAX`].
    pub fn new(limits: Limits, first_key: u16) -> Self {
        let Limits { waiting, keys } = limits;
        assert!(waiting <= keys && keys <= KEYS_MAX, "{waiting} may wait, at {keys} keys of {KEYS_MAX}");
        let table = Table { limits, entries: BTreeMap::new(), next_key: first_key, registered: 0 };
        Self { table: Arc::new(Mutex::new(table)) }
    }

    /// Enters a request under a key that nothing else has, neither a request nor the quarantine.
    pub fn register(&self) -> Result<Ticket<T>, Full> {
        let mut table = lock(&self.table);
        table.check_room()?;
        if mutated!("pending_counts_then_enters") {
            drop(table);
            table = lock(&self.table);
        }
        let key = table.free_key();
        table.registered += 1;
        let serial = table.registered;
        table.entries.insert(key, Entry { serial, state: State::Waiting(None) });
        Ok(Ticket { table: Arc::clone(&self.table), key, serial })
    }

    /// Hands an answer to the request with this key.
    pub fn reply(&self, key: u16, answer: T) -> Replied<T> {
        let mut table = lock(&self.table);
        let Some(entry) = table.entries.get_mut(&key) else { return Replied::Unknown(answer) };
        match &mut entry.state {
            State::Answered(_) => Replied::Unknown(answer),
            State::Quarantined => {
                if !mutated!("pending_late_answer_keeps_its_key") {
                    table.entries.remove(&key);
                }
                Replied::Late(answer)
            }
            State::Waiting(waker) => {
                let waker = waker.take().filter(|_| !mutated!("pending_reply_forgets_to_wake"));
                entry.state = State::Answered(answer);
                drop(table);
                waker.into_iter().for_each(Waker::wake);
                Replied::Delivered
            }
        }
    }

    /// Whether somebody still waits for the answer to this key: if nobody does, the work for it can be skipped.
    ///
    /// Nobody may wait any more by the time the caller has looked at the answer; the reply is then late, which is harmless.
    pub fn is_waiting(&self, key: u16) -> bool {
        matches!(lock(&self.table).entries.get(&key), Some(Entry { state: State::Waiting(_), .. }))
    }

    /// Whether the request with this key was given up. If so its key is free again: the caller promises that no answer will come,
    /// because the work for it is skipped.
    pub fn skip_abandoned(&self, key: u16) -> bool {
        let mut table = lock(&self.table);
        let is_abandoned = matches!(table.entries.get(&key), Some(Entry { state: State::Quarantined, .. }));
        if is_abandoned {
            table.entries.remove(&key);
        }
        is_abandoned
    }

    /// The session is over, no more answers will come: frees the quarantine, and tells whoever waits. Answers that came before
    /// still reach their requests.
    pub fn forget_all(&self) {
        let mut table = lock(&self.table);
        let entries = std::mem::take(&mut table.entries);
        let (answered, over) = entries.into_iter().partition(|(_, entry)| entry.is_answered());
        table.entries = answered;
        drop(table);
        let over: BTreeMap<u16, Entry<T>> = over;
        if !mutated!("pending_forgets_silently") {
            over.into_values().filter_map(Entry::into_waker).for_each(Waker::wake);
        }
    }

    /// How much the table holds.
    pub fn counts(&self) -> Counts {
        lock(&self.table).counts()
    }

    /// Has the next request begin its search for a free key here.
    #[cfg(test)]
    pub(crate) fn set_next_key(&self, key: u16) {
        lock(&self.table).next_key = key;
    }
}

impl<T> Clone for PendingTable<T> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

impl<T> Table<T> {
    /// Every request may come to be given up, so it is entered only if the quarantine would take it.
    fn check_room(&self) -> Result<(), Full> {
        let Counts { waiting, answered, quarantined } = self.counts();
        if waiting + answered >= self.limits.waiting {
            return Err(Full::Waiting { waiting: waiting + answered });
        }
        if self.entries.len() >= self.limits.keys {
            return Err(Full::Quarantine { quarantined });
        }
        Ok(())
    }

    /// A key that is not in use. There is one: see [`KEYS_MAX`].
    fn free_key(&mut self) -> u16 {
        while let Some(entry) = self.entries.get(&self.next_key) {
            if mutated!("pending_takes_a_key_from_quarantine") && matches!(entry.state, State::Quarantined) {
                break;
            }
            self.next_key = self.next_key.wrapping_add(KEY_STEP);
        }
        let key = self.next_key;
        self.next_key = key.wrapping_add(KEY_STEP);
        key
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values() {
            match entry.state {
                State::Waiting(_) => counts.waiting += 1,
                State::Answered(_) => counts.answered += 1,
                State::Quarantined => counts.quarantined += 1,
            }
        }
        counts
    }
}

impl<T> Entry<T> {
    fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered(_))
    }

    fn into_waker(self) -> Option<Waker> {
        if let State::Waiting(waker) = self.state { waker } else { None }
    }
}

/// A request under way, and a future of its answer, polled until it is ready and no more. Dropping it gives the request up.
#[derive(Debug)]
#[must_use = "dropping it gives the request up"]
pub struct Ticket<T> {
    table: Arc<Mutex<Table<T>>>,
    key: u16,
    serial: u64,
}

impl<T> Ticket<T> {
    /// The key to send with the request.
    pub fn key(&self) -> u16 {
        self.key
    }

    /// Ends the wait: with the answer, if it came first.
    pub fn expire(self) -> Result<T, Lost> {
        self.give_up()
    }

    /// Takes the request back before it was sent: no answer can come, so its key is free at once.
    pub fn withdraw(self) {
        let mut table = lock(&self.table);
        let entry = if self.state(&mut table).is_some() { table.entries.remove(&self.key) } else { None };
        drop(table);
        drop(entry);
    }

    fn give_up(&self) -> Result<T, Lost> {
        let mut table = lock(&self.table);
        if let Some(end) = self.take_end(&mut table) {
            return end;
        }
        if mutated!("pending_expiry_checks_then_acts") {
            drop(table);
            table = lock(&self.table);
        }
        if mutated!("pending_expiry_frees_the_key") {
            table.entries.remove(&self.key);
        }
        let state = self.state(&mut table).map(|state| std::mem::replace(state, State::Quarantined));
        drop(table);
        drop(state);
        Err(Lost::Expired)
    }

    /// Takes the answer out, or says that none can come; `None` while the request waits.
    fn take_end(&self, table: &mut Table<T>) -> Option<Result<T, Lost>> {
        match self.state(table) {
            None => return Some(Err(Lost::SessionOver)),
            Some(State::Waiting(_) | State::Quarantined) => return None,
            Some(State::Answered(_)) => {}
        }
        match table.entries.remove(&self.key)?.state {
            State::Answered(answer) => Some(Ok(answer)),
            State::Waiting(_) | State::Quarantined => None,
        }
    }

    /// The state of this request, not that of another which has had its key since.
    fn state<'t>(&self, table: &'t mut Table<T>) -> Option<&'t mut State<T>> {
        let entry = table.entries.get_mut(&self.key)?;
        (entry.serial == self.serial).then_some(&mut entry.state)
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut table = lock(&self.table);
        if let Some(end) = self.take_end(&mut table) {
            return Poll::Ready(end);
        }
        if mutated!("pending_looks_then_waits") {
            drop(table);
            table = lock(&self.table);
        }
        let Some(State::Waiting(waker)) = self.state(&mut table) else { return Poll::Pending };
        let replaced = match waker {
            Some(known) if known.will_wake(cx.waker()) => None,
            _ => waker.replace(cx.waker().clone()),
        };
        drop(table);
        drop(replaced);
        Poll::Pending
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        if !mutated!("pending_dropped_ticket_stays") {
            drop(self.give_up());
        }
    }
}
