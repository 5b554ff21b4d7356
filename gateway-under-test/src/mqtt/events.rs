//! Events on their way from the side's queue, which outlasts its connections, to the connection of now.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::hub::Subscription;
use crate::tasks::Tasks;

/// How events come to a connection.
pub trait EventsPart: Send + Sync {
    /// Those of a new connection, out of `queue`. What has to be done beside it is done in `tasks`.
    fn open(&self, tasks: &Tasks, queue: &Arc<Subscription>) -> Box<dyn Events>;
}

/// The events of one connection.
pub trait Events: Send {
    /// The next; `None` when no more will come.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// The connection takes them out of the queue itself: nothing runs beside it that would have to end with it.
pub struct TakenByTheConnection;

impl EventsPart for TakenByTheConnection {
    fn open(&self, _tasks: &Tasks, queue: &Arc<Subscription>) -> Box<dyn Events> {
        Box::new(Taken(Arc::clone(queue)))
    }
}

struct Taken(Arc<Subscription>);

impl Events for Taken {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_next(context)
    }
}
