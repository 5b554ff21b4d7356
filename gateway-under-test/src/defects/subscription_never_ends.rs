//! D11: a subscription loop survives its connection, one more with each that is made.
//!
//! What it looks like: tasks grow by one with every reconnect to the broker, and none of them ever does anything again. What
//! is published while the broker is away is gone, though it was to wait. At the end the shutdown misses its deadline, and
//! names tasks of a side that has long been closed.
//!
//! Why it passes review: the loop ends when the subscription ends, which is when the gateway says so, and a connection
//! that cannot be sent to is "no longer interested", which is no error. But the subscription outlasts its connections; the
//! loop of the old one waits on it beside the loop of the new one, and a queue wakes one consumer: the last that waited.
//! The others sleep through the end.
//!
//! The fix: the connection takes its events itself; or the loop ends when its receiver is gone (`Sender::closed`).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::hub::Subscription;
use crate::mqtt::events::{Events, EventsPart};
use crate::tasks::{TaskKind, Tasks};

/// Events that are taken ahead of the connection, so that it finds one when it has room.
const AHEAD: usize = 4;

/// Has a loop bring events to each connection.
pub struct SubscriptionNeverEnds;

impl EventsPart for SubscriptionNeverEnds {
    fn open(&self, tasks: &Tasks, queue: &Arc<Subscription>) -> Box<dyn Events> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let queue = Arc::clone(queue);
        tasks.spawn(TaskKind::Mqtt, async move {
            while let Some(event) = poll_fn(|context| queue.poll_next(context)).await {
                // Without a receiver the connection is gone, and has no use for it.
                let _ = sender.send(event).await;
            }
        });
        Box::new(Brought(receiver))
    }
}

struct Brought(mpsc::Receiver<Bytes>);

impl Events for Brought {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::WhenFull;
    use crate::hub::outbox::{BoundedOutbox, Limits};
    use crate::hub::{ConsumerKind, Hub};

    #[tokio::test]
    async fn of_three_connections_two_loops_sleep_through_the_end_of_the_subscription() {
        let (tasks, hub) = (Tasks::default(), Arc::new(Hub::new(0)));
        let outbox = Arc::new(BoundedOutbox::new(Limits { queue: 8, when_full: WhenFull::DropOldest }));
        let queue = hub.subscribe(ConsumerKind::Mqtt, None, outbox, CancellationToken::new());
        let queue = Arc::new(queue.expect("there is a place"));
        for _connection in 0..3 {
            let events = SubscriptionNeverEnds.open(&tasks, &queue);
            yield_now().await;
            drop(events);
        }
        assert_eq!(tasks.alive(), 3);
        queue.close();
        yield_now().await;
        assert_eq!(tasks.alive(), 2);
    }
}
