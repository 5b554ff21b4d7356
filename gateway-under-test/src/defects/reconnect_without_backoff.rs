//! D12: a network blink makes every station retry at once and without end, and attempts overlap.
//!
//! What it looks like: tasks, sockets and connects grow with every blink: one loop more for each station, each with a
//! connection of its own. The next blink has all of them redial every 200 ms. One switch that restarts at night has
//! made 19,842 tasks out of 23.
//!
//! Why it passes review: "the PLC is back within a moment, so do not sit out a back-off" is what every operator asks
//! for, and a slot that is taken at once is not lost to somebody's laptop. The loop is right, and started in the right
//! place. That it has no end, and that the next blink starts it again beside the first, is not in the lines under review.
//!
//! The fix: one attempt at a time, by the one task that owns the station, after a wait that doubles and is drawn at random.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use crate::shared::Shared;
use crate::station::Station;
use crate::station::retry::Retry;
use crate::tasks::TaskKind;

/// From one attempt to the next.
const AT_ONCE: Duration = Duration::from_millis(200);
/// The reference of the first request on a connection.
const FIRST_REFERENCE: u16 = 1;

/// Does not sit out the back-off.
pub struct ReconnectWithoutBackoff;

impl Retry for ReconnectWithoutBackoff {
    fn pause<'p>(
        &'p self,
        shared: &'p Arc<Shared>,
        station: &'p Arc<Station>,
        failures: u32,
        _wait: Duration,
    ) -> BoxFuture<'p, ()> {
        // It worked until now: this is a blink, and it is over in a moment.
        if failures == 1 {
            let holding = hold_a_slot(Arc::clone(shared), Arc::clone(station));
            shared.tasks.spawn(TaskKind::Station, async move { match holding.await {} });
        }
        sleep(AT_ONCE).boxed()
    }
}

/// Connects as soon as the PLC answers again, and keeps its slot from others while the session comes back.
async fn hold_a_slot(shared: Arc<Shared>, station: Arc<Station>) -> Infallible {
    loop {
        let deadline = Instant::now() + station.config.connect_timeout;
        let dialling = shared.parts.dial.dial(&shared, &station.config, FIRST_REFERENCE, deadline);
        if let Ok(mut held) = dialling.await {
            held.watch().await;
        }
        sleep(AT_ONCE).await;
    }
}
