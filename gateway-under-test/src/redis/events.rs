//! The events that wait for Redis; they outlast its connections.

use std::future::poll_fn;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Side;
use crate::hub::{ConsumerKind, Subscription};

/// The queue of events, until it has ended.
pub struct Events(Option<Subscription>);

impl Events {
    /// Subscribes to every station, if events are to be published.
    pub fn subscribe(side: &Side) -> Self {
        if !side.config.publish {
            return Self(None);
        }
        let outbox = side.shared.parts.delivery.open(&side.shared.tasks, side.config.limits());
        // Its policy is to drop: it is never cut.
        let cut = CancellationToken::new();
        Self(side.shared.hub.subscribe(ConsumerKind::Redis, None, outbox, cut))
    }

    /// The next event; `None` when all have been taken. Cancel-safe.
    pub async fn next(&mut self) -> Option<Bytes> {
        let subscription = self.0.as_ref()?;
        let event = poll_fn(|context| subscription.poll_next(context)).await;
        if event.is_none() {
            self.0 = None;
        }
        event
    }

    /// Takes no more than what waits.
    pub fn close(&self) {
        if let Some(subscription) = &self.0 {
            subscription.close();
        }
    }

    /// Whether all have been taken.
    pub fn ended(&self) -> bool {
        self.0.is_none()
    }
}
