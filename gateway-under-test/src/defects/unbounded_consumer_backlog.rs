//! D24: a slow consumer's backlog grows without limit.
//!
//! What it looks like: live heap grows with every poll for as long as one consumer reads slower than events are made,
//! in plain blocks of the size of an event. One browser tab on a suspended laptop is enough.
//!
//! Why it passes review: "no consumer ever loses an event" reads like a virtue, and a queue that is empty in every
//! test needs no limit there. The copy looks careful: the hub's buffer is not held hostage by a slow reader. And
//! without the write deadline no slow consumer is ever cut off unfairly.
//!
//! The fix: a bound, and a declared policy for when it is reached (drop oldest, drop newest, disconnect), and a
//! deadline on writing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::config::HttpConfig;
use crate::hub::outbox::{Delivery, Limits, Outbox, Pushed};
use crate::tasks::Tasks;

/// Keeps every event until its consumer takes it.
pub struct UnboundedDelivery;

impl Delivery for UnboundedDelivery {
    fn open(&self, _tasks: &Tasks, _limits: Limits) -> Arc<dyn Outbox> {
        Arc::new(UnboundedOutbox::default())
    }

    fn write_timeout(&self, _http: &HttpConfig) -> Option<Duration> {
        None
    }
}

#[derive(Default)]
struct UnboundedOutbox(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    consumer: Option<Waker>,
    closed: bool,
}

impl UnboundedOutbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for UnboundedOutbox {
    fn push(&self, event: &Bytes) -> Pushed {
        let mut state = self.lock();
        if state.closed {
            return Pushed::Lost;
        }
        // A copy of its own: the shared buffer is free as soon as everyone else has read it.
        state.queue.push_back(Bytes::copy_from_slice(event));
        state.consumer.take().into_iter().for_each(Waker::wake);
        Pushed::Kept
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
        state.consumer.take().into_iter().for_each(Waker::wake);
    }

    fn queued(&self) -> usize {
        self.lock().queue.len()
    }

    fn queued_bytes(&self) -> usize {
        self.lock().queue.iter().map(Bytes::len).sum()
    }
}
