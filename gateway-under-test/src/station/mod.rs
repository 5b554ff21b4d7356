//! One station: its session is set up, kept, and set up again after a wait when it has ended.

mod backoff;
pub mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::status::Phase;
use crate::chance;
use crate::gateway::Shared;
use crate::session::{Session, SessionError};
use crate::tasks::TaskKind;

/// Stations are started apart by up to their interval, or they would poll together for ever; by no more than this, since
/// someone waits for the first values.
const STAGGER_MAX: Duration = Duration::from_secs(2);

/// Starts a supervisor per station.
pub fn start_all(shared: &Arc<Shared>) {
    for station in 0..shared.config.stations.len() {
        shared.tasks.spawn(TaskKind::Station, supervise(Arc::clone(shared), station));
    }
}

/// Keeps the station's session up until sessions are to end; then drops it at whichever await it stands.
async fn supervise(shared: Arc<Shared>, station: usize) {
    let stop = shared.stop.sessions.clone();
    let _ = stop.run_until_cancelled(keep_up(&shared, station)).await;
    shared.cache.stale(station);
    shared.status[station].enter(Phase::Stopped);
}

async fn keep_up(shared: &Shared, station: usize) -> std::convert::Infallible {
    let config = &shared.config.stations[station];
    let status = &shared.status[station];
    let mut rng = chance::stream(shared.seed, "station", station as u64);
    sleep(config.interval.min(STAGGER_MAX).mul_f64(rng.f64())).await;
    let mut failures = 0;
    loop {
        status.enter(Phase::Connecting);
        let (error, polled) = attempt(shared, station, rng.u16(..)).await;
        shared.cache.stale(station);
        failures = if polled { 1 } else { failures + 1 };
        let wait = backoff::wait(&config.backoff, failures, rng.f64());
        report(&config.name, &error, failures);
        status.failed(error.word());
        sleep(wait).await;
    }
}

/// One session from connect to end: why it ended, and whether it had polled.
async fn attempt(shared: &Shared, station: usize, first_reference: u16) -> (SessionError, bool) {
    let meters = &shared.meters;
    let mut session = match Session::open(shared, station, first_reference).await {
        Ok(session) => session,
        Err(error) => {
            meters.connect_errors.up();
            return (error, false);
        }
    };
    meters.connects.up();
    if shared.status[station].connected() > 1 {
        meters.reconnects.up();
    }
    let ended = CancellationToken::new();
    // Whether the session ends by itself or is dropped: its heartbeat ends with it.
    let _end = ended.clone().drop_guard();
    let error = session.keep(ended).await;
    meters.session_errors.up();
    (error, session.has_polled())
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
