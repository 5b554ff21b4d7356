//! D06: producers wait for ever on a channel whose consumer has stopped reading but was not dropped.
//!
//! What it looks like: tasks grow by one, and heap by an event and a task, with every event that met a full queue while a
//! consumer was stuck. They stay when the consumer is long gone. One suspended laptop in a night of polls each second
//! leaves thousands.
//!
//! Why it passes review: a bounded channel is what one is told to use, polls do not wait for slow readers, and no event
//! is lost. And a send ends with an error when its receiver is dropped, as everyone knows. But here it is not dropped:
//! both halves are in one `Arc`, and every task that waits for room holds a share of it, so of the receiver too.
//!
//! The fix: no task per event, but a policy for a full queue (`try_send`, and say what is lost); or at least give the waiting
//! task the sender alone, so that the receiver ends with its consumer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::config::HttpConfig;
use crate::hub::outbox::{Delivery, Limits, Outbox, Pushed};
use crate::tasks::{TaskKind, Tasks};

/// Gives each consumer a bounded channel, and loses no event.
pub struct SendToDeadConsumer;

impl Delivery for SendToDeadConsumer {
    fn open(&self, tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox> {
        let (sender, receiver) = mpsc::channel(limits.queue);
        let channel = Channel { sender, receiver: Mutex::new(receiver) };
        let (channel, tasks) = (Arc::new(channel), tasks.clone());
        Arc::new(ChannelOutbox {
            channel,
            tasks,
            closed: AtomicBool::new(false),
            consumer: AtomicWaker::new(),
        })
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        Some(http.write_timeout)
    }
}

/// Both ends: events go in at one and out at the other.
struct Channel {
    sender: mpsc::Sender<Bytes>,
    receiver: Mutex<mpsc::Receiver<Bytes>>,
}

impl Channel {
    fn receiver(&self) -> MutexGuard<'_, mpsc::Receiver<Bytes>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ChannelOutbox {
    channel: Arc<Channel>,
    tasks: Tasks,
    closed: AtomicBool,
    consumer: AtomicWaker,
}

impl ChannelOutbox {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Outbox for ChannelOutbox {
    fn push(&self, event: &Bytes) -> Pushed {
        if self.is_closed() {
            return Pushed::Lost;
        }
        if let Err(TrySendError::Full(event)) = self.channel.sender.try_send(event.clone()) {
            let channel = Arc::clone(&self.channel);
            // Not here: whoever polls a PLC must not wait for a reader.
            self.tasks.spawn(TaskKind::Connection, async move {
                // An error says that the consumer is gone, and its events with it.
                let _ = channel.sender.send(event).await;
            });
        }
        Pushed::Kept
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.consumer.register(context.waker());
        match self.channel.receiver().poll_recv(context) {
            Poll::Pending if self.is_closed() => Poll::Ready(None),
            polled => polled,
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.consumer.wake();
    }

    fn queued(&self) -> usize {
        self.channel.receiver().len()
    }

    /// Not known without taking them out; their number tells as much.
    fn queued_bytes(&self) -> usize {
        self.queued()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::yield_now;

    use super::*;
    use crate::config::WhenFull;

    /// An outbox with room for 2 events, after 5.
    fn crowded(tasks: &Tasks) -> Arc<dyn Outbox> {
        let outbox = SendToDeadConsumer.open(tasks, Limits { queue: 2, when_full: WhenFull::DropOldest });
        (0..5_u8)
            .for_each(|number| assert_eq!(outbox.push(&Bytes::copy_from_slice(&[number])), Pushed::Kept));
        outbox
    }

    #[tokio::test]
    async fn a_slow_consumer_gets_every_event_in_order_and_leaves_nothing() {
        let tasks = Tasks::default();
        let outbox = crowded(&tasks);
        // Those that found no room stand in line.
        yield_now().await;
        for number in 0..5_u8 {
            let event = poll_fn(|context| outbox.poll_next(context)).await;
            assert_eq!(event.as_deref(), Some(&[number][..]));
        }
        tasks.ended().await;
    }

    #[tokio::test]
    async fn a_consumer_that_went_away_leaves_a_task_for_each_event_that_found_no_room() {
        let tasks = Tasks::default();
        let outbox = crowded(&tasks);
        yield_now().await;
        outbox.close();
        drop(outbox);
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(tasks.alive(), 3);
    }
}
