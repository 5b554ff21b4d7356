//! The lines that wait to be written: bounded, and whoever logs never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::config::WhenFull;

/// How log lines wait.
pub trait LogPart: Send + Sync {
    /// A queue for so many lines, with a policy that drops.
    fn open(&self, lines_max: usize, when_full: WhenFull) -> Arc<dyn LogQueue>;
}

/// The lines that wait to be written.
pub trait LogQueue: Send + Sync {
    /// Adds a line; `false` if it, or an older one in its place, is gone.
    fn push(&self, line: String) -> bool;

    /// Takes the oldest line; `None` when the queue is closed and empty.
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<String>>;

    /// How many were dropped since this was last asked.
    fn take_dropped(&self) -> u64;

    /// Takes no more lines.
    fn close(&self);

    /// How many wait.
    fn queued(&self) -> usize;
}

/// A queue of fixed length.
pub struct BoundedLog;

impl LogPart for BoundedLog {
    fn open(&self, lines_max: usize, when_full: WhenFull) -> Arc<dyn LogQueue> {
        Arc::new(BoundedQueue::new(lines_max, when_full))
    }
}

/// A queue of fixed length, made at once: it never grows.
pub struct BoundedQueue {
    lines_max: usize,
    when_full: WhenFull,
    state: Mutex<State>,
}

struct State {
    lines: VecDeque<String>,
    writer: Option<Waker>,
    dropped: u64,
    closed: bool,
}

impl BoundedQueue {
    /// An empty queue.
    pub fn new(lines_max: usize, when_full: WhenFull) -> Self {
        let lines = VecDeque::with_capacity(lines_max);
        let state = State { lines, writer: None, dropped: 0, closed: false };
        Self { lines_max, when_full, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogQueue for BoundedQueue {
    fn push(&self, line: String) -> bool {
        let mut state = self.lock();
        let full = state.lines.len() >= self.lines_max;
        if full || state.closed {
            state.dropped += 1;
        }
        if state.closed || (full && self.when_full != WhenFull::DropOldest) {
            return false;
        }
        if full {
            state.lines.pop_front();
        }
        state.lines.push_back(line);
        state.writer.take().into_iter().for_each(Waker::wake);
        !full
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut state = self.lock();
        match state.lines.pop_front() {
            Some(line) => Poll::Ready(Some(line)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    fn queued(&self) -> usize {
        self.lock().lines.len()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn rest(queue: &BoundedQueue) -> Vec<String> {
        queue.close();
        let mut lines = Vec::new();
        while let Some(line) = poll_fn(|context| queue.poll_next(context)).await {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn a_full_queue_drops_by_its_policy_and_counts() {
        for (when_full, left) in [(WhenFull::DropNewest, ["0", "1"]), (WhenFull::DropOldest, ["1", "2"])] {
            let queue = BoundedQueue::new(2, when_full);
            let kept = ["0", "1", "2"].map(|line| queue.push(line.to_owned()));
            assert_eq!((kept, queue.queued()), ([true, true, false], 2));
            assert_eq!((queue.take_dropped(), queue.take_dropped()), (1, 0));
            assert_eq!(rest(&queue).await, left);
        }
    }
}
