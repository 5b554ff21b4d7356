//! Event streams: a place among the consumers, and a body that goes on for ever.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::Stream;
use serde::Deserialize;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::HttpSide;
use super::connection::Link;
use super::refusal::Refusal;
use crate::hub::outbox::Outbox;
use crate::hub::{ConsumerKind, Subscription};

/// A comment: no event, but a write that fails when nobody is there any more.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// What a consumer asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// The one station it wants; every station without it.
    station: Option<String>,
}

/// `GET /events`.
pub async fn open(
    State(side): State<Arc<HttpSide>>,
    Extension(link): Extension<Link>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let (subscription, _outbox) = subscribe(&side, query, link.cut)?;
    let stopping = side.stop.accepting.clone().cancelled_owned();
    let stream = EventStream::new(subscription, side.config.events.keep_alive, stopping);
    let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((head, Body::from_stream(stream)).into_response())
}

/// Takes a place among the consumers. `cut` is cancelled if it has to go.
pub fn subscribe(
    side: &HttpSide,
    query: EventsQuery,
    cut: CancellationToken,
) -> Result<(Subscription, Arc<dyn Outbox>), Refusal> {
    let shared = &side.shared;
    if let Some(name) = &query.station
        && shared.stations.find(name).is_none()
    {
        return Err(Refusal::no_station(side, name));
    }
    let outbox = shared.parts.delivery.open(&shared.tasks, side.config.events.limits());
    let taken = shared.hub.subscribe(ConsumerKind::Stream, query.station, Arc::clone(&outbox), cut);
    let none =
        || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "every event stream is taken: try again later");
    Ok((taken.ok_or_else(none)?, outbox))
}

/// A consumer's events, with a comment whenever there was none for a while.
pub struct EventStream {
    subscription: Subscription,
    keep_alive: Duration,
    quiet: Pin<Box<Sleep>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl EventStream {
    /// The stream of a subscription; it gives its place back when it is dropped. It ends, after what waits, when its side
    /// stops: it would never end by itself, and a new side is not to wait for it.
    pub fn new(
        subscription: Subscription,
        keep_alive: Duration,
        stopping: WaitForCancellationFutureOwned,
    ) -> Self {
        let (quiet, stopping) = (Box::pin(sleep(keep_alive)), Box::pin(stopping));
        Self { subscription, keep_alive, quiet, stopping }
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
        if self.stopping.as_mut().poll(context).is_ready() {
            self.subscription.close();
        }
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
