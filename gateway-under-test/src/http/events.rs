//! The body of an event stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};

use crate::hub::Subscription;

/// A comment: no event, but a write that fails when nobody is there any more.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// A consumer's events, with a comment whenever there was none for a while.
pub struct EventStream {
    subscription: Subscription,
    keep_alive: Duration,
    quiet: Pin<Box<Sleep>>,
}

impl EventStream {
    /// The stream of a subscription; it gives its place back when it is dropped.
    pub fn new(subscription: Subscription, keep_alive: Duration) -> Self {
        Self { subscription, keep_alive, quiet: Box::pin(sleep(keep_alive)) }
    }

    fn next_after(&mut self, chunk: Bytes) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = Instant::now() + self.keep_alive;
        self.quiet.as_mut().reset(next);
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.subscription.poll_next(context) {
            Poll::Ready(Some(event)) => self.next_after(event),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.quiet.as_mut().poll(context));
                self.next_after(Bytes::from_static(KEEP_ALIVE))
            }
        }
    }
}
