//! The Redis side: writes asked for over pub/sub, their results, and events, over one connection that is kept up.

mod error;
mod events;
mod greeting;
mod inbound;
mod message;
mod outbound;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::error::SessionError;
use self::events::Events;
use self::session::Session;
use crate::chance;
use crate::config::RedisConfig;
use crate::seldom::Seldom;
use crate::shared::{Shared, Stop};
use crate::station::backoff;
use crate::tasks::TaskKind;

/// The Redis side of a gateway, as configured once; a new configuration starts a new one.
pub struct Side {
    shared: Arc<Shared>,
    config: RedisConfig,
    /// The channel of results.
    results: String,
    /// Ends it, before or with the gateway.
    stop: Stop,
}

/// Complaints that the server can provoke.
#[derive(Default)]
struct Complaints {
    errors: Seldom,
    messages: Seldom,
}

/// A Redis side that runs.
pub struct Running {
    side: Arc<Side>,
    /// Cancelled when its task has ended.
    ended: CancellationToken,
}

/// Starts keeping a connection up.
pub fn start(shared: &Arc<Shared>, config: RedisConfig) -> Running {
    let side = Arc::new(Side {
        shared: Arc::clone(shared),
        results: format!("{}:results", config.prefix),
        config,
        stop: shared.stop.child(),
    });
    let ended = CancellationToken::new();
    shared.tasks.spawn(TaskKind::Redis, run(Arc::clone(&side), ended.clone()));
    Running { side, ended }
}

impl Running {
    /// What it was configured with.
    pub fn config(&self) -> &RedisConfig {
        &self.side.config
    }

    /// Takes no more commands, lets those under way end within `patience`, and closes the connection.
    pub async fn stop(self, patience: Duration) {
        self.side.stop.accepting.cancel();
        if timeout(patience, self.ended.cancelled()).await.is_err() {
            self.side.stop.connections.cancel();
            self.ended.cancelled().await;
        }
    }
}

async fn run(side: Arc<Side>, ended: CancellationToken) {
    // However the task ends: whoever waits for it goes on.
    let _ended = ended.drop_guard();
    let _ = side.stop.connections.run_until_cancelled(keep_up(&side)).await;
}

/// One session after the other, until the order to stop.
async fn keep_up(side: &Side) {
    let mut rng = chance::stream(side.shared.seed, "redis", 0);
    let mut events = Events::subscribe(side);
    let mut failures = 0;
    let mut was_up = true;
    loop {
        let Err((error, lasted)) = attempt(side, &mut events).await else { return };
        report(&side.config.address, &error, was_up || lasted.is_some());
        was_up = false;
        // One that is taken in only to be dropped is no success.
        failures =
            if lasted.is_some_and(|lasted| lasted > side.config.backoff.max) { 1 } else { failures + 1 };
        let wait = backoff::wait(&side.config.backoff, failures, rng.f64());
        if side.stop.accepting.run_until_cancelled(sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// One session from connect to end: why it ended, and how long it lasted once it was set up.
async fn attempt(side: &Side, events: &mut Events) -> Result<(), (SessionError, Option<Duration>)> {
    let Some(opened) = side.stop.accepting.run_until_cancelled(Session::open(side)).await else {
        return Ok(());
    };
    let mut session = opened.map_err(|error| (error, None))?;
    info!(address = side.config.address, "redis connected");
    let began = Instant::now();
    session.keep(events).await.map_err(|error| (error, Some(began.elapsed())))
}

/// Says once that Redis is lost; attempts that fail after that are for whoever looks closely.
fn report(address: &str, error: &SessionError, lost: bool) {
    if lost {
        warn!(address, %error, "redis lost");
    } else {
        debug!(address, %error, "no redis");
    }
}
