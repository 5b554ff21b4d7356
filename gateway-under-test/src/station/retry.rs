//! What comes between the end of a session and the next attempt.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::Station;
use crate::shared::Shared;

/// Passes the time between two attempts.
pub trait Retry: Send + Sync {
    /// Returns when the next attempt may begin: the back-off says after `wait`. This was failure number `failures` in a
    /// row; the end of a session that had polled is number 1.
    fn pause<'p>(
        &'p self,
        shared: &'p Arc<Shared>,
        station: &'p Arc<Station>,
        failures: u32,
        wait: Duration,
    ) -> BoxFuture<'p, ()>;
}

/// Waits, and does nothing else: a station has one attempt at a time.
pub struct WaitsItsTurn;

impl Retry for WaitsItsTurn {
    fn pause<'p>(
        &'p self,
        _shared: &'p Arc<Shared>,
        _station: &'p Arc<Station>,
        _failures: u32,
        wait: Duration,
    ) -> BoxFuture<'p, ()> {
        sleep(wait).boxed()
    }
}
