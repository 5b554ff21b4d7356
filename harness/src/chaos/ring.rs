//! The bytes of a lane: a ring that keeps its memory, and gives back what a burst made it grow to.

/// A byte ring that grows by doubling up to a limit and shrinks to its first size when it runs empty.
///
/// So a lane at rest holds the same memory whatever went through it.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: Vec<u8>,
    head: usize,
    len: usize,
    first: usize,
    limit: usize,
}

impl Ring {
    /// A ring that holds at most `limit` bytes, and keeps memory for `rest` while empty: none at all for 0.
    pub(super) fn new(limit: usize, rest: usize) -> Self {
        let limit = limit.max(1);
        let first = rest.min(limit);
        Self { bytes: vec![0; first], head: 0, len: 0, first, limit }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Free space to write into, in one piece; empty only when the ring is full.
    pub(super) fn spare(&mut self) -> &mut [u8] {
        if self.len == self.bytes.len() && self.len < self.limit {
            self.grow();
        }
        let (size, tail) = (self.bytes.len(), self.head + self.len);
        if tail < size { &mut self.bytes[tail..] } else { &mut self.bytes[tail - size..self.head] }
    }

    /// Takes over `count` bytes that were written into [`Ring::spare`].
    pub(super) fn commit(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.len, "commits no more than the spare held");
        self.len += count;
    }

    /// Copies in as much of `data` as there is room for.
    pub(super) fn push(&mut self, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let spare = self.spare();
            let count = spare.len().min(data.len() - done);
            if count == 0 {
                break;
            }
            spare[..count].copy_from_slice(&data[done..done + count]);
            self.commit(count);
            done += count;
        }
        done
    }

    /// The oldest bytes, in one piece; empty only when the ring is.
    pub(super) fn front(&self) -> &[u8] {
        let end = (self.head + self.len).min(self.bytes.len());
        &self.bytes[self.head..end]
    }

    /// Drops the oldest `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        assert!(count <= self.len, "consumes no more than it holds");
        self.len -= count;
        if self.len == 0 {
            return self.rest();
        }
        self.head = (self.head + count) % self.bytes.len();
    }

    /// Drops the newest `count` bytes.
    pub(super) fn truncate_by(&mut self, count: usize) {
        assert!(count <= self.len, "drops no more than it holds");
        self.len -= count;
        if self.len == 0 {
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.head = 0;
        if self.bytes.len() > self.first {
            self.bytes.truncate(self.first);
            self.bytes.shrink_to_fit();
        }
    }

    fn grow(&mut self) {
        let size = (self.bytes.len() * 2).max(GROWN_MIN).min(self.limit);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&self.bytes[self.head..]);
        bytes.extend_from_slice(&self.bytes[..self.head]);
        bytes.resize(size, 0);
        (self.bytes, self.head) = (bytes, 0);
    }
}

/// The size of a ring that held nothing and then must.
const GROWN_MIN: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_ring_never_holds_more_than_its_limit_and_rests_at_its_first_size() {
        let mut ring = Ring::new(5_000, 1_000);
        assert_eq!(ring.push(&[7; 9_000]), 5_000);
        assert_eq!((ring.room(), ring.bytes.len()), (0, 5_000));
        ring.consume(ring.front().len());
        assert_eq!((ring.room(), ring.bytes.len(), ring.bytes.capacity()), (5_000, 1_000, 1_000));
    }

    #[test]
    fn a_ring_without_rest_holds_no_memory_while_it_is_empty() {
        let mut ring = Ring::new(5_000, 0);
        assert_eq!((ring.bytes.capacity(), ring.room()), (0, 5_000));
        assert_eq!(ring.push(&[7; 100]), 100);
        ring.consume(100);
        assert_eq!(ring.bytes.capacity(), 0);
    }

    proptest! {
        #[test]
        fn a_ring_is_a_queue(steps in proptest::collection::vec((any::<bool>(), 0_usize..900), 1..200)) {
            let rest = if steps.len() % 2 == 0 { 64 } else { 0 };
            let (mut ring, mut model, mut next) = (Ring::new(3_000, rest), VecDeque::new(), 0_u8);
            for (write, count) in steps {
                if write {
                    let data: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let done = ring.push(&data);
                    model.extend(&data[..done]);
                } else {
                    let count = count.min(ring.front().len());
                    let taken: Vec<u8> = model.drain(..count).collect();
                    prop_assert_eq!(&ring.front()[..count], &taken[..]);
                    ring.consume(count);
                }
                prop_assert_eq!(ring.len(), model.len());
            }
        }
    }
}
