//! D14: an interval lives in a detached task after its owner is gone.
//!
//! What it looks like: tasks grow by one with every consumer that ever connected, each with a timer that fires for ever at
//! nothing. Heap grows by little more than the tasks themselves: what they look after is freed.
//!
//! Why it passes review: it is careful about the one mistake that everyone looks for. The task holds its outbox weakly, so
//! no consumer is kept alive, and a test that counts outboxes after a disconnect passes. That the loop goes on when the weak
//! reference is dead is the `else` that nobody wrote.
//!
//! The fix: `let Some(outbox) = watched.upgrade() else { return };`, or a task that is aborted when its owner is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::config::HttpConfig;
use crate::hub::outbox::{BoundedDelivery, Delivery, Limits, Outbox};
use crate::tasks::{TaskKind, Tasks};

/// From one look at a consumer's queue to the next.
const EVERY: Duration = Duration::from_secs(5);

/// Says which consumers fall behind.
pub struct TickerNeverStopped;

impl Delivery for TickerNeverStopped {
    fn open(&self, tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox> {
        let outbox = BoundedDelivery.open(tasks, limits);
        // Weakly: a look at a consumer's queue must not keep the consumer.
        let watched = Arc::downgrade(&outbox);
        tasks.spawn(TaskKind::Connection, async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Some(outbox) = watched.upgrade() {
                    report(outbox.queued(), limits.queue);
                }
            }
        });
        outbox
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        BoundedDelivery.write_timeout(http)
    }
}

fn report(queued: usize, queue: usize) {
    if queued > queue / 2 {
        debug!(queued, queue, "a consumer falls behind");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::config::WhenFull;

    #[tokio::test(start_paused = true)]
    async fn an_outbox_ends_with_its_consumer_and_its_ticker_does_not() {
        let tasks = Tasks::default();
        let outbox = TickerNeverStopped.open(&tasks, Limits { queue: 2, when_full: WhenFull::DropOldest });
        let watched = Arc::downgrade(&outbox);
        sleep(EVERY).await;
        drop(outbox);
        sleep(1_000 * EVERY).await;
        assert!(watched.upgrade().is_none());
        assert_eq!(tasks.alive(), 1);
    }
}
