//! The requests that wait for an answer: few, each with its deadline, each answered once.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::meters::{Held, Meter};

/// A request under way.
#[derive(Debug)]
struct Waiting<'a> {
    reference: u16,
    request: usize,
    deadline: Instant,
    _counted: Held<'a>,
}

/// The pending table of one session.
#[derive(Debug)]
pub struct Pending<'a> {
    meter: &'a Meter,
    waiting: VecDeque<Waiting<'a>>,
    limit: usize,
    next_reference: u16,
}

impl<'a> Pending<'a> {
    /// An empty table for `limit` requests, whose references start at `first_reference`; `meter` counts who waits.
    pub fn new(meter: &'a Meter, limit: usize, first_reference: u16) -> Self {
        Self { meter, waiting: VecDeque::with_capacity(limit), limit, next_reference: first_reference }
    }

    /// Enters a request; its reference is different from all that wait. Check [`is_full`](Self::is_full) before.
    pub fn begin(&mut self, request: usize, deadline: Instant) -> u16 {
        debug_assert!(!self.is_full(), "the caller respects what the PLC granted");
        let reference = self.next_reference;
        // 65,536 references and at most 16 under way: the next one is always free.
        self.next_reference = reference.wrapping_add(1);
        self.waiting.push_back(Waiting { reference, request, deadline, _counted: self.meter.hold() });
        reference
    }

    /// Takes out the request that an answer belongs to; `None` for an answer that nobody waits for.
    pub fn answered(&mut self, reference: u16) -> Option<usize> {
        let position = self.waiting.iter().position(|waiting| waiting.reference == reference)?;
        self.waiting.remove(position).map(|waiting| waiting.request)
    }

    /// When the first answer is overdue.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// Whether another request would be one too many.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.limit
    }

    /// Whether every request is answered.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_find_their_request_in_any_order_and_only_once() {
        let meter = Meter::default();
        let mut pending = Pending::new(&meter, 2, u16::MAX);
        let now = Instant::now();
        let first = pending.begin(7, now + Duration::from_secs(2));
        let second = pending.begin(8, now + Duration::from_secs(1));
        assert_eq!((first, second), (u16::MAX, 0));
        assert!(pending.is_full());
        assert_eq!(meter.read(), 2);
        assert_eq!(pending.deadline(), Some(now + Duration::from_secs(1)));
        assert_eq!(pending.answered(second), Some(8));
        assert_eq!(pending.answered(second), None);
        assert_eq!(pending.answered(1), None);
        assert_eq!(pending.answered(first), Some(7));
        assert!(pending.is_empty());
        assert_eq!(pending.deadline(), None);
        assert_eq!(meter.read(), 0);
    }
}
