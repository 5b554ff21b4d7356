//! N06: events are collected, and go out in one burst some cycles later.
//!
//! Why it looks like a leak: for several cycles in a row live heap rises by a block and more with every poll, and nothing
//! of it is given back between two disturbances. A detector that compares two points, or asks whether the last three
//! changes were all upwards, has found its leak.
//!
//! Why it is none: the queue is as long as is configured and no longer, and when enough has come together all of it goes.
//! The next cycle stands where the first one stood. What matters is the floor that the figures come back to, and that one is
//! level.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::HttpConfig;
use crate::hub::outbox::{BoundedDelivery, Delivery, Limits, Outbox, Pushed};
use crate::tasks::Tasks;

/// The part of a queue, in percent, that comes together before it is sent.
const BURST_PERCENT: usize = 75;

/// Sends fewer and larger bursts.
pub struct BurstDrainsLate;

impl Delivery for BurstDrainsLate {
    fn open(&self, tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox> {
        let burst = (limits.queue * BURST_PERCENT / 100).max(1);
        let collected = Mutex::new(Vec::with_capacity(burst));
        Arc::new(BurstOutbox { collected, burst, outbox: BoundedDelivery.open(tasks, limits) })
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        BoundedDelivery.write_timeout(http)
    }
}

struct BurstOutbox {
    /// Shorter than `burst`, always.
    collected: Mutex<Vec<Bytes>>,
    burst: usize,
    /// What goes out.
    outbox: Arc<dyn Outbox>,
}

impl BurstOutbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, collected: &mut Vec<Bytes>) -> Pushed {
        let mut said = Pushed::Kept;
        for event in collected.drain(..) {
            match self.outbox.push(&event) {
                Pushed::Kept => {}
                // What was collected cannot be waited with.
                Pushed::Full => said = Pushed::Lost,
                pushed => said = pushed,
            }
        }
        said
    }
}

impl Outbox for BurstOutbox {
    fn push(&self, event: &Bytes) -> Pushed {
        let mut collected = self.lock();
        collected.push(event.clone());
        if collected.len() < self.burst { Pushed::Kept } else { self.send(&mut collected) }
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.outbox.poll_next(context)
    }

    fn room(&self) -> Option<&Notify> {
        self.outbox.room()
    }

    fn close(&self) {
        self.send(&mut self.lock());
        self.outbox.close();
    }

    fn queued(&self) -> usize {
        self.lock().len() + self.outbox.queued()
    }

    fn queued_bytes(&self) -> usize {
        self.lock().iter().map(Bytes::len).sum::<usize>() + self.outbox.queued_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::config::WhenFull;

    #[tokio::test]
    async fn what_is_collected_is_bounded_and_goes_out_at_once_or_at_the_end() {
        let limits = Limits { queue: 4, when_full: WhenFull::DropOldest };
        let outbox = BurstDrainsLate.open(&Tasks::default(), limits);
        let queued: Vec<usize> = (0..100_u8)
            .map(|number| {
                outbox.push(&Bytes::copy_from_slice(&[number]));
                outbox.queued()
            })
            .collect();
        assert_eq!(
            queued.iter().max(),
            Some(&6),
            "3 collected at most, and 4 that nobody takes, less what is lost"
        );
        outbox.close();
        let mut last = None;
        while let Some(event) = poll_fn(|context| outbox.poll_next(context)).await {
            last = Some(event);
        }
        assert_eq!(last.as_deref(), Some(&[99][..]));
        assert_eq!(outbox.queued(), 0);
    }
}
