//! Which connections of an HTTP side are there, so that its end can wait for the last of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::tasks::Tasks;

/// How a side knows its connections.
pub trait HeadcountPart: Send + Sync {
    /// The headcount of a new side. What has to be done beside it is done in `tasks`.
    fn open(&self, tasks: &Tasks) -> Arc<dyn Headcount>;
}

/// The connections of a side.
pub trait Headcount: Send + Sync {
    /// One more, until what is returned is dropped.
    fn enter(&self) -> Inside;

    /// Sees them out: waits for them to end by themselves, cancels `close` if any are left after `patience`, and waits for
    /// these. Nobody enters any more.
    fn see_out(&self, patience: Duration, close: CancellationToken) -> BoxFuture<'static, ()>;
}

/// A connection that is counted; dropped when it has ended.
pub type Inside = Box<dyn Send + Sync>;

/// Counted by a tracker, which is closed before it is waited for.
pub struct Tracked;

impl HeadcountPart for Tracked {
    fn open(&self, _tasks: &Tasks) -> Arc<dyn Headcount> {
        Arc::new(Tracker(TaskTracker::new()))
    }
}

struct Tracker(TaskTracker);

impl Headcount for Tracker {
    fn enter(&self) -> Inside {
        Box::new(self.0.token())
    }

    fn see_out(&self, patience: Duration, close: CancellationToken) -> BoxFuture<'static, ()> {
        let connections = self.0.clone();
        async move {
            connections.close();
            if timeout(patience, connections.wait()).await.is_err() {
                close.cancel();
                connections.wait().await;
            }
        }
        .boxed()
    }
}
