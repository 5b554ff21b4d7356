//! Keeps one station's session up: set up, kept, and set up again after a wait when it has ended.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::status::Phase;
use super::{Station, backoff};
use crate::chance;
use crate::hooks::{Cleanup, Exit};
use crate::session::{Session, SessionError};
use crate::shared::Shared;

/// Stations are started apart by up to their interval, or they would poll together for ever; by no more than this, since
/// someone waits for the first values.
const STAGGER_MAX: Duration = Duration::from_secs(2);

/// Keeps the station's session up until sessions are to end; then drops it at whichever await it stands.
pub async fn supervise(shared: Arc<Shared>, station: Arc<Station>) {
    // However the task ends: whoever waits for it goes on.
    let _ended = station.ended.clone().drop_guard();
    let both = async {
        // Neither ends by itself.
        tokio::select! {
            _ = keep_up(&shared, &station) => {}
            _ = shared.parts.carry_out.carry_out_all(&shared, &station) => {}
        }
    };
    // A station that comes while the gateway stops has not been told by itself.
    let _ = shared.stop.sessions.run_until_cancelled(station.stop.run(both)).await;
    station.cache.stale();
    station.status.enter(Phase::Stopped);
}

async fn keep_up(shared: &Arc<Shared>, station: &Arc<Station>) -> std::convert::Infallible {
    let (config, status) = (&station.config, &station.status);
    let mut rng = chance::stream(shared.seed, "station", station.ordinal);
    sleep(config.interval.min(STAGGER_MAX).mul_f64(rng.f64())).await;
    let mut failures = 0;
    loop {
        until_worth_trying(station).await;
        status.enter(Phase::Connecting);
        let (error, polled) = attempt(shared, station, rng.u16(..)).await;
        station.cache.stale();
        failures = if polled { 1 } else { failures + 1 };
        let wait =
            backoff::wait(&config.backoff, failures, rng.f64()) + spread(shared, failures).mul_f64(rng.f64());
        report(&config.name, &error, failures);
        status.failed(error.word());
        station.breaker().failed(Instant::now(), &config.breaker);
        shared.parts.retry.pause(shared, station, failures, wait).await;
    }
}

/// Over how long stations that were lost together come back.
fn spread(shared: &Shared, failures: u32) -> Duration {
    if failures > 1 {
        return Duration::ZERO;
    }
    shared.blink.lock().unwrap_or_else(PoisonError::into_inner).lost(Instant::now())
}

/// Waits for as long as the breaker wants the station to be left alone. This is the one that tries when the time is over.
async fn until_worth_trying(station: &Station) {
    loop {
        let passed = station.breaker().try_pass(Instant::now());
        let Err(wait) = passed else { return };
        sleep(wait).await;
    }
}

/// One session from connect to end: why it ended, and whether it had polled.
async fn attempt(shared: &Shared, station: &Station, first_reference: u16) -> (SessionError, bool) {
    let meters = &shared.meters;
    let evicted = station.begin_session();
    let session = match Session::open(shared, station, first_reference).await {
        Ok(session) => session,
        Err(error) => {
            meters.connect_errors.up();
            return (error, false);
        }
    };
    meters.connects.up();
    if station.status.connected() > 1 {
        meters.reconnects.up();
    }
    let ended = evicted.child();
    // Whether the session ends by itself or is dropped: its heartbeat ends with it.
    let end = ended.clone().cancel_on_drop();
    let connection = session.connection;
    let mut cleanup = Cleanup::start(&*shared.embedding.hooks, connection, (session, end));
    let (session, _) = cleanup.held();
    let kept = evicted.run(session.keep(ended)).await;
    let polled = session.has_polled();
    let error = kept.unwrap_or(SessionError::Evicted);
    if error.is_timeout() {
        cleanup.timed_out();
    }
    cleanup.end(if matches!(error, SessionError::Evicted) { Exit::Cancelled } else { Exit::Failed });
    meters.session_errors.up();
    (error, polled)
}

/// Says once that a station is lost; attempts that fail after that are for whoever looks closely.
fn report(station: &str, error: &SessionError, failures: u32) {
    if failures == 1 {
        warn!(station, %error, "session lost");
    } else {
        debug!(station, %error, failures, "no session");
    }
}

/// Says that a station answers (again).
pub fn report_online(station: &str) {
    info!(station, "online");
}
