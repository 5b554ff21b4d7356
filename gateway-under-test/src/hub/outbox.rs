//! What waits for one consumer: bounded, with a declared policy for when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::config::{HttpConfig, WhenFull};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the consumer.
    Kept,
    /// It, or an older one in its place, is gone.
    Lost,
    /// It is gone, and the consumer has to go too.
    Cut,
}

/// How events get to slow consumers.
pub trait Delivery: Send + Sync {
    /// The outbox of a new consumer.
    fn open(&self, http: &HttpConfig) -> Arc<dyn Outbox>;

    /// How long a consumer may take nothing while bytes wait for it; `None` is for ever.
    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration>;
}

/// The events that wait for one consumer.
pub trait Outbox: Send + Sync {
    /// Adds an event, or does what the policy says.
    fn push(&self, event: &Bytes) -> Pushed;

    /// Takes the oldest event; `None` when the stream has ended.
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;

    /// Ends the stream after what waits.
    fn close(&self);

    /// How many events wait.
    fn queued(&self) -> usize;
}

/// A queue of fixed length for each consumer, and a deadline on its connection.
pub struct BoundedDelivery;

impl Delivery for BoundedDelivery {
    fn open(&self, http: &HttpConfig) -> Arc<dyn Outbox> {
        Arc::new(BoundedOutbox::new(http.events.queue, http.events.when_full))
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        Some(http.write_timeout)
    }
}

/// A queue of fixed length.
pub struct BoundedOutbox {
    limit: usize,
    when_full: WhenFull,
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Bytes>,
    consumer: Option<Waker>,
    closed: bool,
}

impl BoundedOutbox {
    /// An empty queue for `limit` events. All its room is made at once, so that it never grows.
    pub fn new(limit: usize, when_full: WhenFull) -> Self {
        let state = State { queue: VecDeque::with_capacity(limit), consumer: None, closed: false };
        Self { limit, when_full, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for BoundedOutbox {
    fn push(&self, event: &Bytes) -> Pushed {
        let mut state = self.lock();
        if state.closed {
            return Pushed::Lost;
        }
        let full = state.queue.len() >= self.limit;
        match (full, self.when_full) {
            (true, WhenFull::DropNewest) => return Pushed::Lost,
            (true, WhenFull::Disconnect) => {
                state.closed = true;
                state.queue.clear();
                state.wake();
                return Pushed::Cut;
            }
            (true, WhenFull::DropOldest) => drop(state.queue.pop_front()),
            (false, _) => {}
        }
        state.queue.push_back(event.clone());
        state.wake();
        if full { Pushed::Lost } else { Pushed::Kept }
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        match state.queue.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.consumer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wake();
    }

    fn queued(&self) -> usize {
        self.lock().queue.len()
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn event(number: u8) -> Bytes {
        Bytes::copy_from_slice(&[number])
    }

    fn fill(when_full: WhenFull) -> (BoundedOutbox, [Pushed; 3]) {
        let outbox = BoundedOutbox::new(2, when_full);
        let pushed = [0, 1, 2].map(|number| outbox.push(&event(number)));
        (outbox, pushed)
    }

    async fn next(outbox: &BoundedOutbox) -> Option<Bytes> {
        poll_fn(|context| outbox.poll_next(context)).await
    }

    #[tokio::test]
    async fn drop_oldest_keeps_the_newest_events() {
        let (outbox, pushed) = fill(WhenFull::DropOldest);
        assert_eq!(pushed, [Pushed::Kept, Pushed::Kept, Pushed::Lost]);
        assert_eq!(outbox.queued(), 2);
        assert_eq!([next(&outbox).await, next(&outbox).await], [Some(event(1)), Some(event(2))]);
    }

    #[tokio::test]
    async fn drop_newest_keeps_the_oldest_events() {
        let (outbox, pushed) = fill(WhenFull::DropNewest);
        assert_eq!(pushed, [Pushed::Kept, Pushed::Kept, Pushed::Lost]);
        assert_eq!([next(&outbox).await, next(&outbox).await], [Some(event(0)), Some(event(1))]);
    }

    #[tokio::test]
    async fn disconnect_ends_the_stream_and_frees_its_queue() {
        let (outbox, pushed) = fill(WhenFull::Disconnect);
        assert_eq!(pushed, [Pushed::Kept, Pushed::Kept, Pushed::Cut]);
        assert_eq!(outbox.queued(), 0);
        assert_eq!(next(&outbox).await, None);
        assert_eq!(outbox.push(&event(3)), Pushed::Lost);
    }

    #[tokio::test]
    async fn a_closed_outbox_gives_out_what_waits_and_then_ends() {
        let (outbox, _) = fill(WhenFull::DropNewest);
        outbox.close();
        assert_eq!(outbox.push(&event(9)), Pushed::Lost);
        let all = [next(&outbox).await, next(&outbox).await, next(&outbox).await];
        assert_eq!(all, [Some(event(0)), Some(event(1)), None]);
    }

    #[test]
    fn a_waiting_consumer_is_woken_by_the_next_event() {
        let outbox = BoundedOutbox::new(1, WhenFull::DropOldest);
        let mut waiting = tokio_test::task::spawn(next(&outbox));
        assert!(waiting.poll().is_pending());
        outbox.push(&event(5));
        assert!(waiting.is_woken());
        assert_eq!(waiting.poll(), Poll::Ready(Some(event(5))));
    }
}
