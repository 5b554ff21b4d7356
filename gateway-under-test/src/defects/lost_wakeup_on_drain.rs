//! D30: a drain misses the last to leave, and waits for ever.
//!
//! What it looks like: most reloads and stops are in order. One at which several consumers were slow, and were closed
//! together, leaves a task that waits for ever; the next stop then stands until its deadline. It cannot be repeated on a
//! desk, where there is one consumer.
//!
//! Why it passes review: whoever leaves notifies, whoever sees out waits once for each that is there, and `Notify` keeps a
//! notification that comes before its wait, so none can be missed. It keeps *one*. Those who are closed leave while nobody
//! waits, all in the same moment, and what is kept of that is a single wake-up.
//!
//! The fix: wait for a state, not for so many events: look, and only then wait, with the wait registered before the look;
//! or use what was made for it, a `TaskTracker` or `gateway-lifecycle`'s `DrainGate`. That gate's models look for this error:
//! its mutants `gate_pass_forgets_to_wake` and `gate_looks_then_waits` are caught by `gate::everyone_who_waits_is_woken`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::http::headcount::{Headcount, HeadcountPart, Inside};
use crate::tasks::{TaskKind, Tasks};

/// What a connection that is closed gets for its goodbye: TLS has one.
const GOODBYE: Duration = Duration::from_millis(100);

/// Sees connections out in the background, one by one.
pub struct LostWakeupOnDrain;

impl HeadcountPart for LostWakeupOnDrain {
    fn open(&self, tasks: &Tasks) -> Arc<dyn Headcount> {
        Arc::new(OneByOne { house: Arc::default(), tasks: tasks.clone() })
    }
}

struct OneByOne {
    house: Arc<House>,
    tasks: Tasks,
}

#[derive(Default)]
struct House {
    inside: AtomicUsize,
    left: Notify,
}

impl Headcount for OneByOne {
    fn enter(&self) -> Inside {
        self.house.inside.fetch_add(1, Ordering::AcqRel);
        Box::new(Guest(Arc::clone(&self.house)))
    }

    fn see_out(&self, patience: Duration, close: CancellationToken) -> BoxFuture<'static, ()> {
        let house = Arc::clone(&self.house);
        let inside = house.inside.load(Ordering::Acquire);
        if inside == 0 {
            return std::future::ready(()).boxed();
        }
        // A new configuration need not wait for the slowest consumer of the old one.
        self.tasks.spawn(TaskKind::Connection, async move {
            let mut waited_for = 0;
            let all = async {
                while waited_for < inside {
                    house.left.notified().await;
                    waited_for += 1;
                }
            };
            if timeout(patience, all).await.is_err() {
                close.cancel();
                sleep(GOODBYE).await;
                for _guest in waited_for..inside {
                    house.left.notified().await;
                }
            }
        });
        std::future::ready(()).boxed()
    }
}

struct Guest(Arc<House>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::AcqRel);
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks left after this many connections were closed together.
    async fn left(connections: usize) -> usize {
        let tasks = Tasks::default();
        let headcount = LostWakeupOnDrain.open(&tasks);
        let close = CancellationToken::new();
        for _connection in 0..connections {
            let (inside, closed) = (headcount.enter(), close.clone());
            tasks.spawn(TaskKind::Connection, async move {
                closed.cancelled().await;
                drop(inside);
            });
        }
        headcount.see_out(Duration::from_secs(2), close).await;
        sleep(Duration::from_secs(60)).await;
        tasks.alive()
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_leaves_is_heard_and_of_several_together_only_one() {
        assert_eq!([left(0).await, left(1).await, left(2).await, left(9).await], [0, 0, 1, 1]);
    }
}
