//! What waits for one consumer: bounded, with a declared policy for when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::{HttpConfig, WhenFull};
use crate::tasks::Tasks;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the consumer.
    Kept,
    /// It, or an older one in its place, is gone.
    Lost,
    /// It is gone, and the consumer has to go too.
    Cut,
    /// There is no room for it now, and whoever has it is to wait until there is.
    Full,
}

/// How many events wait for one consumer, and what happens when there are as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events that wait at most.
    pub queue: usize,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// How events get to slow consumers.
pub trait Delivery: Send + Sync {
    /// The outbox of a new consumer. What has to be done beside it is done in `tasks`.
    fn open(&self, tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox>;

    /// How long a consumer may take nothing while bytes wait for it; `None` is for ever.
    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration>;
}

/// The events that wait for one consumer.
pub trait Outbox: Send + Sync {
    /// Adds an event, or does what the policy says.
    fn push(&self, event: &Bytes) -> Pushed;

    /// Takes the oldest event; `None` when the stream has ended.
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;

    /// Notified whenever there may be room after [`Pushed::Full`], and at the end; `None` if it is never full.
    fn room(&self) -> Option<&Notify> {
        None
    }

    /// Ends the stream after what waits.
    fn close(&self);

    /// How many events wait.
    fn queued(&self) -> usize;

    /// How many bytes wait.
    fn queued_bytes(&self) -> usize;
}

/// Pushes an event when there is room for it. Ends in any case when the outbox is closed.
pub async fn push_when_there_is_room(outbox: &dyn Outbox, event: &Bytes) -> Pushed {
    loop {
        let Some(room) = outbox.room() else { return outbox.push(event) };
        // Before the attempt: room that is made between the two must not be missed.
        let mut room = std::pin::pin!(room.notified());
        room.as_mut().enable();
        match outbox.push(event) {
            Pushed::Full => room.await,
            pushed => return pushed,
        }
    }
}

/// A queue of fixed length for each consumer, and a deadline on its connection.
pub struct BoundedDelivery;

impl Delivery for BoundedDelivery {
    fn open(&self, _tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox> {
        Arc::new(BoundedOutbox::new(limits))
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        Some(http.write_timeout)
    }
}

/// A queue of fixed length.
pub struct BoundedOutbox {
    limits: Limits,
    state: Mutex<State>,
    room: Notify,
}

struct State {
    queue: VecDeque<Bytes>,
    consumer: Option<Waker>,
    closed: bool,
}

impl BoundedOutbox {
    /// An empty queue. All its room is made at once, so that it never grows.
    pub fn new(limits: Limits) -> Self {
        let state = State { queue: VecDeque::with_capacity(limits.queue), consumer: None, closed: false };
        Self { limits, state: Mutex::new(state), room: Notify::new() }
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
        let full = state.queue.len() >= self.limits.queue;
        match (full, self.limits.when_full) {
            (true, WhenFull::Block) => return Pushed::Full,
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
            Some(event) => {
                self.room.notify_waiters();
                Poll::Ready(Some(event))
            }
            None if state.closed => Poll::Ready(None),
            None => {
                state.consumer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn room(&self) -> Option<&Notify> {
        Some(&self.room)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wake();
        self.room.notify_waiters();
    }

    fn queued(&self) -> usize {
        self.lock().queue.len()
    }

    fn queued_bytes(&self) -> usize {
        self.lock().queue.iter().map(Bytes::len).sum()
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
        let outbox = BoundedOutbox::new(Limits { queue: 2, when_full });
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

    #[tokio::test]
    async fn block_keeps_whoever_has_an_event_until_there_is_room() {
        let (outbox, pushed) = fill(WhenFull::Block);
        assert_eq!(pushed, [Pushed::Kept, Pushed::Kept, Pushed::Full]);
        let third = event(2);
        let mut waiting = tokio_test::task::spawn(push_when_there_is_room(&outbox, &third));
        assert!(waiting.poll().is_pending());
        assert_eq!(next(&outbox).await, Some(event(0)));
        assert!(waiting.is_woken());
        assert_eq!(waiting.poll(), Poll::Ready(Pushed::Kept));
        assert_eq!([next(&outbox).await, next(&outbox).await], [Some(event(1)), Some(event(2))]);
    }

    #[test]
    fn nobody_waits_for_room_in_an_outbox_that_is_closed() {
        let (outbox, _) = fill(WhenFull::Block);
        let third = event(2);
        let mut waiting = tokio_test::task::spawn(push_when_there_is_room(&outbox, &third));
        assert!(waiting.poll().is_pending());
        outbox.close();
        assert!(waiting.is_woken());
        assert_eq!(waiting.poll(), Poll::Ready(Pushed::Lost));
    }

    #[test]
    fn a_waiting_consumer_is_woken_by_the_next_event() {
        let outbox = BoundedOutbox::new(Limits { queue: 1, when_full: WhenFull::DropOldest });
        let mut waiting = tokio_test::task::spawn(next(&outbox));
        assert!(waiting.poll().is_pending());
        outbox.push(&event(5));
        assert!(waiting.is_woken());
        assert_eq!(waiting.poll(), Poll::Ready(Some(event(5))));
    }
}
