//! D23: a registry of callbacks holds an `Arc` to every consumer that ever lived.
//!
//! What it looks like: live heap grows with every consumer that comes and goes by its outbox, 2 KB, and whatever waited in it
//! when it left: up to 64 events. The processor's share grows with it, since each new consumer has every old one looked
//! at. Gauges stay flat: consumers are counted where they sit, not where they are called back.
//!
//! Why it passes review: registering is one line, beside the one that makes the outbox, and it does what the ticket asked
//! for. Nothing is missing in that line; what is missing is another one, in a `Drop` that was never written. Tests with
//! one browser see one callback.
//!
//! The fix: registering returns a guard whose `Drop` takes the callback out, as the hub's `Subscription` does; or the
//! registry holds `Weak`s and drops those that are gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::HttpConfig;
use crate::hub::outbox::{BoundedDelivery, BoundedOutbox, Delivery, Limits, Outbox, Pushed};
use crate::tasks::Tasks;

/// When more than this waits for all consumers together, they are asked to make room.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bounded outboxes that make room when memory is short.
#[derive(Default)]
pub struct CallbackNeverDeregistered {
    pressure: Pressure,
}

/// Who is called when memory is short.
#[derive(Default)]
struct Pressure {
    callbacks: Mutex<Vec<Callback>>,
}

/// Told how much may wait for one consumer, says how much waits for this one.
type Callback = Box<dyn Fn(Option<usize>) -> usize + Send>;

impl Pressure {
    fn on_pressure(&self, callback: Callback) {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
    }

    /// Has room made if too much waits.
    fn look(&self) {
        let callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = callbacks.iter().map(|callback| callback(None)).sum();
        if waiting > WAITING_BYTES_MAX {
            let fair = WAITING_BYTES_MAX / callbacks.len();
            for callback in callbacks.iter() {
                callback(Some(fair));
            }
        }
    }
}

impl Delivery for CallbackNeverDeregistered {
    fn open(&self, _tasks: &Tasks, limits: Limits) -> Arc<dyn Outbox> {
        self.pressure.look();
        let outbox = Arc::new(MakesRoom(BoundedOutbox::new(limits)));
        let asked = Arc::clone(&outbox);
        self.pressure.on_pressure(Box::new(move |allowed| asked.make_room(allowed)));
        outbox
    }

    fn write_timeout(&self, http: &HttpConfig) -> Option<Duration> {
        BoundedDelivery.write_timeout(http)
    }
}

/// An outbox that ends its stream when more waits in it than may.
struct MakesRoom(BoundedOutbox);

impl MakesRoom {
    /// How much waits, after no more than `allowed` does.
    fn make_room(&self, allowed: Option<usize>) -> usize {
        let waiting = self.0.queued_bytes();
        if allowed.is_some_and(|allowed| waiting > allowed) {
            self.0.close();
        }
        waiting
    }
}

impl Outbox for MakesRoom {
    fn push(&self, event: &Bytes) -> Pushed {
        self.0.push(event)
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_next(context)
    }

    fn room(&self) -> Option<&Notify> {
        self.0.room()
    }

    fn close(&self) {
        self.0.close();
    }

    fn queued(&self) -> usize {
        self.0.queued()
    }

    fn queued_bytes(&self) -> usize {
        self.0.queued_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WhenFull;

    #[test]
    fn a_consumer_that_has_gone_is_still_called_back_with_all_that_waited_for_it() {
        let part = CallbackNeverDeregistered::default();
        for _consumer in 0..3 {
            let outbox = part.open(&Tasks::default(), Limits { queue: 8, when_full: WhenFull::DropOldest });
            outbox.push(&Bytes::from_static(b"an event"));
            outbox.close();
        }
        let callbacks = part.pressure.callbacks.lock().unwrap();
        assert_eq!(callbacks.iter().map(|callback| callback(None)).collect::<Vec<_>>(), [8; 3]);
    }
}
