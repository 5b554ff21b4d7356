//! D08: an end waits for a `TaskTracker` that nobody closes.
//!
//! What it looks like: every reload that changes the HTTP side leaves one task, which waits for connections that are long
//! gone. Nothing else is wrong until the gateway is told to stop: then it stands until its deadline, is killed by whoever
//! ordered the stop, and the log names tasks of which nobody knows what they do.
//!
//! Why it passes review: `wait` reads like "until there are none", and the connections do end: by themselves, or when they
//! are closed after the patience is over, as it should be. But a tracker is done once it is empty *and closed*, since an
//! empty one may still get tasks. The wait was moved out of the reload's way, into a task of its own, where it holds
//! up nobody; before that, the first reload would have told.
//!
//! The fix: `close` before `wait`. And whoever orders an end waits for it: then it cannot hang unseen.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::headcount::{Headcount, HeadcountPart, Inside};
use crate::tasks::{TaskKind, Tasks};

/// Sees connections out in the background.
pub struct TrackerNeverClosed;

impl HeadcountPart for TrackerNeverClosed {
    fn open(&self, tasks: &Tasks) -> Arc<dyn Headcount> {
        Arc::new(InBackground { connections: TaskTracker::new(), tasks: tasks.clone() })
    }
}

struct InBackground {
    connections: TaskTracker,
    tasks: Tasks,
}

impl Headcount for InBackground {
    fn enter(&self) -> Inside {
        Box::new(self.connections.token())
    }

    fn see_out(&self, patience: Duration, close: CancellationToken) -> BoxFuture<'static, ()> {
        let connections = self.connections.clone();
        // A new configuration need not wait for the slowest consumer of the old one.
        self.tasks.spawn(TaskKind::Connection, async move {
            if timeout(patience, connections.wait()).await.is_err() {
                close.cancel();
                connections.wait().await;
            }
        });
        std::future::ready(()).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headcount::Tracked;

    /// Tasks left by the end of a side whose connections have all ended.
    async fn left(part: &dyn HeadcountPart) -> usize {
        let tasks = Tasks::default();
        let headcount = part.open(&tasks);
        drop((headcount.enter(), headcount.enter()));
        headcount.see_out(Duration::from_secs(2), CancellationToken::new()).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        tasks.alive()
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_leaves_one_who_waits_for_nobody() {
        assert_eq!([left(&TrackerNeverClosed).await, left(&Tracked).await], [1, 0]);
    }
}
