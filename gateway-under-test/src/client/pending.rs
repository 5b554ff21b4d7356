//! Requests that wait for an answer, and references whose answer is overdue. Few of both; each is answered once. Pure.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::config::PIPELINE_MAX;
use super::matching::Expected;

/// References in quarantine at once: a full pipeline may be late twice before the connection is given up.
pub const QUARANTINED_MAX: usize = 2 * PIPELINE_MAX as usize;

/// From one reference to the next. Far more than 1: a PLC that is off by one with a reference then names no request that waits, so
/// its answer cannot pass for that of a neighbour. Odd, so that all references are used; near 2^16 divided by the golden
/// ratio, so that those in use at one time lie far apart.
const REFERENCE_STEP: u16 = 40_503;

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Its PDU reference.
    pub reference: u16,
    /// The caller's number for it.
    pub tag: usize,
    /// When its answer is overdue.
    pub deadline: Instant,
    /// What its answer has to be.
    pub expected: Expected,
    /// Where it begins in the stream.
    pub from: u64,
    /// Where it ends in the stream.
    pub to: u64,
}

/// Whose answer a reference means.
#[derive(Debug)]
pub enum Whose {
    /// That of a request that waits; it waits no more.
    Waiting(Waiting),
    /// That of a request in quarantine; its reference is free again.
    Late,
    /// Nobody's.
    Nobody,
}

/// More references than may be are in quarantine.
#[derive(Debug, PartialEq, Eq)]
pub struct QuarantineFull;

/// The pending table of one connection.
#[derive(Debug)]
pub struct Pending {
    waiting: VecDeque<Waiting>,
    quarantined: Vec<u16>,
    limit: usize,
    next_reference: u16,
}

impl Pending {
    /// An empty table for `limit` requests, whose references start at `first_reference`.
    pub fn new(limit: usize, first_reference: u16) -> Self {
        let waiting = VecDeque::with_capacity(limit);
        Self { waiting, quarantined: Vec::new(), limit, next_reference: first_reference }
    }

    /// The reference of the next request: different from all that wait or are in quarantine.
    pub fn free_reference(&mut self) -> u16 {
        // 65,536 references, and at most 16 + 32 in use: there is always a free one.
        while self.is_used(self.next_reference) {
            self.next_reference = self.next_reference.wrapping_add(REFERENCE_STEP);
        }
        self.next_reference
    }

    fn is_used(&self, reference: u16) -> bool {
        self.quarantined.contains(&reference)
            || self.waiting.iter().any(|waiting| waiting.reference == reference)
    }

    /// Enters a request under a free reference. Check [`is_full`](Self::is_full) before.
    pub fn begin(&mut self, request: Waiting) {
        debug_assert!(!self.is_full(), "the caller respects what the PLC granted");
        self.next_reference = request.reference.wrapping_add(REFERENCE_STEP);
        self.waiting.push_back(request);
    }

    /// Takes out what an answer with this reference belongs to.
    pub fn answered(&mut self, reference: u16) -> Whose {
        let waiting = self.waiting.iter().position(|waiting| waiting.reference == reference);
        if let Some(waiting) = waiting.and_then(|position| self.waiting.remove(position)) {
            return Whose::Waiting(waiting);
        }
        match self.quarantined.iter().position(|&quarantined| quarantined == reference) {
            Some(position) => {
                self.quarantined.swap_remove(position);
                Whose::Late
            }
            None => Whose::Nobody,
        }
    }

    /// When the first answer is overdue.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// Takes out a request that is overdue at `now`, the longest overdue first.
    pub fn overdue(&mut self, now: Instant) -> Option<Waiting> {
        let deadline = self.deadline().filter(|deadline| *deadline <= now)?;
        let position = self.waiting.iter().position(|waiting| waiting.deadline == deadline)?;
        self.waiting.remove(position)
    }

    /// Takes out the request that was entered last.
    pub fn take_last(&mut self) -> Option<Waiting> {
        self.waiting.pop_back()
    }

    /// Keeps a reference from being used until its answer came.
    pub fn quarantine(&mut self, reference: u16) -> Result<(), QuarantineFull> {
        if self.quarantined.len() >= QUARANTINED_MAX {
            return Err(QuarantineFull);
        }
        self.quarantined.push(reference);
        Ok(())
    }

    /// How many references are in quarantine.
    pub fn quarantined(&self) -> usize {
        self.quarantined.len()
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another request would be one too many.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.limit
    }

    /// Whether every request is answered or given up.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets everything: the connection is over.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.quarantined.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use s7_wire::Item;

    use super::*;

    fn begin(pending: &mut Pending, tag: usize, deadline: Instant) -> u16 {
        let reference = pending.free_reference();
        let expected = Expected::of_read(&[Item::db_bytes(1, 0, 1)], 240).expect("one byte fits");
        pending.begin(Waiting { reference, tag, deadline, expected, from: 0, to: 0 });
        reference
    }

    fn tag(whose: Whose) -> Option<usize> {
        if let Whose::Waiting(waiting) = whose { Some(waiting.tag) } else { None }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_find_their_request_in_any_order_and_only_once() {
        let mut pending = Pending::new(2, u16::MAX);
        let now = Instant::now();
        let first = begin(&mut pending, 7, now + Duration::from_secs(2));
        let second = begin(&mut pending, 8, now + Duration::from_secs(1));
        assert_eq!((first, second), (u16::MAX, u16::MAX.wrapping_add(REFERENCE_STEP)));
        assert!(pending.is_full());
        assert_eq!(pending.deadline(), Some(now + Duration::from_secs(1)));
        assert_eq!(tag(pending.answered(second)), Some(8));
        assert!(matches!(pending.answered(second), Whose::Nobody));
        assert!(matches!(pending.answered(1), Whose::Nobody));
        assert_eq!(tag(pending.answered(first)), Some(7));
        assert!(pending.is_empty());
        assert_eq!(pending.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reference_in_quarantine_is_passed_over_until_its_answer_came() {
        let mut pending = Pending::new(1, 5);
        let now = Instant::now();
        let late = begin(&mut pending, 0, now);
        assert_eq!(pending.overdue(now).map(|waiting| waiting.reference), Some(late));
        assert_eq!(pending.quarantine(late), Ok(()));
        pending.next_reference = late;
        assert_eq!(pending.free_reference(), late + REFERENCE_STEP);
        assert!(matches!(pending.answered(late), Whose::Late));
        assert!(matches!(pending.answered(late), Whose::Nobody));
        pending.next_reference = late;
        assert_eq!(pending.free_reference(), late);
    }

    #[test]
    fn the_quarantine_has_an_end() {
        let mut pending = Pending::new(1, 0);
        for reference in 0..QUARANTINED_MAX {
            assert_eq!(pending.quarantine(reference as u16), Ok(()));
        }
        assert_eq!(pending.quarantine(u16::MAX), Err(QuarantineFull));
        assert_eq!(pending.quarantined(), QUARANTINED_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_overdue_is_taken_out_the_longest_first() {
        let mut pending = Pending::new(3, 0);
        let now = Instant::now();
        begin(&mut pending, 1, now + Duration::from_secs(2));
        begin(&mut pending, 2, now + Duration::from_secs(1));
        begin(&mut pending, 3, now + Duration::from_secs(3));
        let mut overdue = || pending.overdue(now + Duration::from_secs(2)).map(|waiting| waiting.tag);
        assert_eq!([overdue(), overdue(), overdue()], [Some(2), Some(1), None]);
        assert_eq!(pending.len(), 1);
    }
}
