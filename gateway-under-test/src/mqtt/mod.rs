//! The MQTT side: events out to a broker, writes in from it, over one connection that is set up again when it is lost.

mod command;
mod dial;
mod error;
pub mod events;
pub mod in_flight;
mod message;
mod packet;
mod session;
mod topic;
mod vigil;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use self::error::MqttError;
use self::session::Session;
use crate::chance;
use crate::config::MqttConfig;
use crate::hub::{ConsumerKind, Subscription};
use crate::shared::{Shared, Stop};
use crate::station::backoff;
use crate::tasks::TaskKind;

/// The MQTT side of a gateway, as configured once; a new configuration starts a new one.
struct MqttSide {
    shared: Arc<Shared>,
    config: MqttConfig,
    /// Ends it, before or with the gateway.
    stop: Stop,
    /// Cancelled when its task has ended, and its connection with it.
    ended: CancellationToken,
}

/// An MQTT side that runs.
pub struct Running(Arc<MqttSide>);

/// Starts the task that keeps the connection up. Events wait for it from now on, within their limit.
pub fn start(shared: &Arc<Shared>, config: MqttConfig) -> Running {
    let outbox = shared.parts.delivery.open(&shared.tasks, config.limits());
    let stop = shared.stop.child();
    let cut = stop.connections.clone();
    let events = shared.hub.subscribe(ConsumerKind::Mqtt, None, outbox, cut);
    let events = events.expect("the hub keeps a place for the one MQTT side");
    let ended = CancellationToken::new();
    let side = Arc::new(MqttSide { shared: Arc::clone(shared), config, stop, ended });
    shared.tasks.spawn(TaskKind::Mqtt, run(Arc::clone(&side), Arc::new(events)));
    Running(side)
}

impl Running {
    /// What it was configured with.
    pub fn config(&self) -> &MqttConfig {
        &self.0.config
    }

    /// Ends it in order: what waits is published, for as long as `patience`; returns when it has ended.
    pub async fn stop(self, patience: Duration) {
        let Self(side) = self;
        side.stop.sessions.cancel();
        if timeout(patience, side.ended.cancelled()).await.is_err() {
            side.stop.connections.cancel();
            side.ended.cancelled().await;
        }
    }
}

async fn run(side: Arc<MqttSide>, events: Arc<Subscription>) {
    // However the task ends: whoever waits for it goes on.
    let _ended = side.ended.clone().drop_guard();
    let _ = side.stop.connections.run_until_cancelled(keep_up(&side, &events)).await;
    side.shared.meters.mqtt_dropped.add(events.queued() as u64);
}

/// Keeps a connection up until it is to end. One that is not there then is not made for the last events' sake.
async fn keep_up(side: &MqttSide, queue: &Arc<Subscription>) {
    let config = &side.config;
    let mut rng = chance::stream(side.shared.seed, "mqtt", side.shared.meters.reloads.read());
    let mut failures = 0;
    loop {
        let opened = side.stop.sessions.run_until_cancelled(Session::open(&side.shared, config)).await;
        let Some(opened) = opened else { return };
        let (error, lived) = match opened {
            Ok(session) => match keep(side, session, queue).await {
                (Ok(()), _) => return,
                (Err(error), lived) => (error, Some(lived)),
            },
            Err(error) => (error, None),
        };
        // A connection that did not last counts as one that failed: two clients of one name would else throw each
        // other out without a pause.
        failures = if lived >= Some(config.backoff.max) { 1 } else { failures + 1 };
        report(config, &error, lived.is_some() || failures == 1);
        let wait = backoff::wait(&config.backoff, failures, rng.f64());
        if side.stop.sessions.run_until_cancelled(sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// How a connection ended, and how long it lived.
async fn keep(
    side: &MqttSide,
    session: Session<'_>,
    queue: &Arc<Subscription>,
) -> (Result<(), MqttError>, Duration) {
    let began = Instant::now();
    info!(broker = side.config.address, "mqtt connected");
    let mut events = side.shared.parts.events.open(&side.shared.tasks, queue);
    (session.keep(&mut *events, queue, &side.stop.sessions).await, began.elapsed())
}

/// Says once that the broker is lost; attempts that fail after that are for whoever looks closely.
fn report(config: &MqttConfig, error: &MqttError, is_news: bool) {
    let broker = &config.address;
    if is_news {
        warn!(broker, %error, "mqtt connection lost");
    } else {
        debug!(broker, %error, "no mqtt connection");
    }
}
