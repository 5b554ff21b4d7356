//! Who serves an accepted connection, and where.

use std::sync::Arc;

use axum::Router;
use tokio::sync::OwnedSemaphorePermit;

use super::headcount::Inside;
use super::pace::Deadlines;
use super::{HttpSide, connection};
use crate::net::BoxStream;
use crate::tasks::{TaskKind, Tasks};

/// A connection that was accepted and is not served yet. Dropping it closes it.
pub struct Accepted {
    side: Arc<HttpSide>,
    router: Router,
    stream: BoxStream,
    /// What the network calls the peer.
    pub peer: String,
    /// How long the peer may take for what it asks.
    pub deadlines: Deadlines,
    /// Until it is dropped, its side has not drained.
    inside: Inside,
    /// Left to the next connection when this one has ended.
    place: OwnedSemaphorePermit,
}

impl Accepted {
    /// A connection that has its place.
    pub fn new(
        side: &Arc<HttpSide>,
        router: Router,
        (stream, peer): (BoxStream, String),
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (deadlines, inside) = (Deadlines::of(&side.config), side.connections.enter());
        Self { side: Arc::clone(side), router, stream, peer, deadlines, inside, place }
    }

    /// Serves it to its end.
    pub fn serve(self) -> impl Future<Output = ()> + Send + 'static {
        let Self { side, router, stream, peer, deadlines, inside, place } = self;
        let serving = connection::serve(side, router, stream, peer, deadlines);
        async move {
            serving.await;
            drop((inside, place));
        }
    }
}

/// Has accepted connections served. The accept loop waits for it: it must not wait for a peer.
pub trait Reception: Send + Sync {
    /// Has a connection served.
    fn receive(&self, tasks: &Tasks, accepted: Accepted);
}

/// A task for each.
pub struct TaskEach;

impl Reception for TaskEach {
    fn receive(&self, tasks: &Tasks, accepted: Accepted) {
        tasks.spawn(TaskKind::Connection, accepted.serve());
    }
}
