//! The gateway as a whole: start, gauges, ordered shutdown.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::{
    Config, ConfigError, GuardianConfig, HttpConfig, MqttConfig, RedisConfig, ShutdownConfig,
};
use crate::embedding::Embedding;
use crate::http::{self, CredentialError, Credentials};
use crate::log;
use crate::mqtt;
use crate::net::{Listener, Net};
use crate::observe::metrics;
use crate::redis;
use crate::shared::Shared;
pub use crate::station::command::CommandError;
use crate::station::{self, command};
use crate::tasks::TaskKind;
use crate::{guardian, housekeeping};

/// Why a gateway did not start. Nothing of it is left running.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP side has not the token or the certificate that is configured.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The HTTP side has no place to listen.
    #[error("http: cannot listen on {at}: {source}{}", listen_advice(source))]
    Listen {
        /// The configured place.
        at: String,
        /// What the network said.
        source: io::Error,
    },
}

fn listen_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process has this port: stop it, or set `http.listen` to a free one"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a privilege: set `http.listen` to a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        _ => "",
    }
}

/// What had not ended when the shutdown's deadline passed.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("not ended within {}: {}", humantime::format_duration(*deadline), Listed(unfinished))]
pub struct ShutdownError {
    /// The configured deadline.
    pub deadline: Duration,
    /// Tasks alive by kind.
    pub unfinished: Vec<(TaskKind, usize)>,
}

struct Listed<'a>(&'a [(TaskKind, usize)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {kind}")?;
        }
        Ok(())
    }
}

/// Why a new configuration was not taken. The gateway goes on with the one it has.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A side has no place to listen, or not what its files should hold.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The gateway stops.
    #[error("the gateway is stopping: no new configuration is taken")]
    Stopping,
}

/// A running gateway. Dropping it orders every task to end, without waiting; [`Gateway::shutdown`] waits.
pub struct Gateway {
    shared: Arc<Shared>,
    sides: tokio::sync::Mutex<Sides>,
    http_addr: Mutex<Option<String>>,
}

/// What runs beside the stations, each as configured now.
struct Sides {
    limits: ShutdownConfig,
    http: Option<http::Running>,
    guardian: guardian::Running,
    mqtt: Option<mqtt::Running>,
    redis: Option<redis::Running>,
}

impl Gateway {
    /// Starts polling and serving; returns once it listens. All chance is drawn from `seed`.
    pub async fn start(config: Config, net: Arc<dyn Net>, seed: u64) -> Result<Self, StartError> {
        Self::start_with(config, net, seed, Embedding::default()).await
    }

    /// As [`Gateway::start`], with what the embedder brings.
    pub async fn start_with(
        config: Config,
        net: Arc<dyn Net>,
        seed: u64,
        embedding: Embedding,
    ) -> Result<Self, StartError> {
        config.check()?;
        let credentials = Credentials::load(&config.http)?;
        let listener = match &config.http.listen {
            Some(at) => Some(listen(&*net, at).await?),
            None => None,
        };
        let shared = Arc::new(Shared::new(&config, net, seed, embedding));
        if let Some(config) = config.log {
            log::start(&shared, config);
        }
        station::start_all(&shared);
        housekeeping::start(&shared);
        let http = listener.map(|listener| http::start(&shared, config.http, credentials, listener));
        let http_addr = Mutex::new(http.as_ref().map(|http| http.addr().to_owned()));
        let sides = Sides {
            limits: config.shutdown,
            http,
            guardian: guardian::start(&shared, config.guardian),
            mqtt: config.mqtt.map(|config| mqtt::start(&shared, config)),
            redis: config.redis.map(|config| redis::start(&shared, config)),
        };
        let sides = tokio::sync::Mutex::new(sides);
        Ok(Self { shared, sides, http_addr })
    }

    /// Takes a new configuration: what is in it as before goes on undisturbed, the rest is ended and started anew.
    ///
    /// Returns once what was ended has ended. After an error everything is as it was before.
    pub async fn reload(&self, config: Config) -> Result<(), ReloadError> {
        let taken = self.take(config).await;
        let meters = &self.shared.meters;
        let count = if taken.is_ok() { &meters.reloads } else { &meters.reload_errors };
        count.up();
        taken
    }

    /// Counts a configuration that could not even be read.
    pub fn note_unreadable_config(&self) {
        self.shared.meters.reload_errors.up();
    }

    async fn take(&self, config: Config) -> Result<(), ReloadError> {
        config.check()?;
        let mut sides = self.sides.lock().await;
        if self.shared.stop.accepting.is_cancelled() {
            return Err(ReloadError::Stopping);
        }
        // First what can fail.
        let credentials = Credentials::load(&config.http).map_err(StartError::from)?;
        let new_place = self.new_place(&config, sides.http.as_ref()).await?;
        self.replace_stations(&config).await;
        sides.limits = config.shutdown;
        self.replace_http(&mut sides, config.http, credentials, new_place).await;
        self.replace_mqtt(&mut sides, config.mqtt).await;
        self.replace_redis(&mut sides, config.redis).await;
        self.replace_guardian(&mut sides, config.guardian).await;
        Ok(())
    }

    /// A listener, if the new configuration asks for a place where the gateway does not listen yet.
    async fn new_place(
        &self,
        config: &Config,
        running: Option<&http::Running>,
    ) -> Result<Option<Box<dyn Listener>>, StartError> {
        let old = running.and_then(|running| running.config().listen.as_ref());
        match &config.http.listen {
            Some(at) if old != Some(at) => listen(&*self.shared.net, at).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Ends stations that are gone, then starts those that are new: a PLC has few connections to give.
    async fn replace_stations(&self, config: &Config) {
        let shared = &self.shared;
        let replaced = shared.stations.replace(&config.stations);
        for station in &replaced.gone {
            station.stop.cancel();
        }
        for station in &replaced.gone {
            station.ended.cancelled().await;
        }
        for station in &replaced.new {
            station::start(shared, station);
        }
    }

    async fn replace_http(
        &self,
        sides: &mut Sides,
        config: HttpConfig,
        credentials: Credentials,
        new_place: Option<Box<dyn Listener>>,
    ) {
        if let Some(running) = sides.http.as_ref().filter(|running| *running.config() == config) {
            return running.renew(credentials);
        }
        self.shared.hub.resize(config.events.max_consumers);
        let (old_place, draining) = match sides.http.take() {
            Some(running) => {
                let (place, draining) = running.stop_accepting().await;
                (place, Some(draining))
            }
            None => (None, None),
        };
        let place = if config.listen.is_some() { new_place.or(old_place) } else { None };
        sides.http = place.map(|listener| http::start(&self.shared, config, credentials, listener));
        let addr = sides.http.as_ref().map(|http| http.addr().to_owned());
        *self.http_addr.lock().unwrap_or_else(PoisonError::into_inner) = addr;
        if let Some(draining) = draining {
            draining.drain(sides.limits.drain).await;
        }
    }

    async fn replace_guardian(&self, sides: &mut Sides, config: GuardianConfig) {
        if *sides.guardian.config() != config {
            sides.guardian.end().await;
            sides.guardian = guardian::start(&self.shared, config);
        }
    }

    async fn replace_redis(&self, sides: &mut Sides, config: Option<RedisConfig>) {
        if sides.redis.as_ref().map(redis::Running::config) == config.as_ref() {
            return;
        }
        if let Some(running) = sides.redis.take() {
            running.stop(sides.limits.drain).await;
        }
        sides.redis = config.map(|config| redis::start(&self.shared, config));
    }

    /// Ends the old connection in order before there is a new one: both may have the same name.
    async fn replace_mqtt(&self, sides: &mut Sides, config: Option<MqttConfig>) {
        if sides.mqtt.as_ref().map(mqtt::Running::config) == config.as_ref() {
            return;
        }
        if let Some(old) = sides.mqtt.take() {
            old.stop(sides.limits.drain).await;
        }
        sides.mqtt = config.map(|config| mqtt::start(&self.shared, config));
    }

    /// Writes `value`, as JSON has it, to a tag. Returns once the PLC has confirmed; dropped before, see [`CommandError`].
    pub async fn write(
        &self,
        station: &str,
        tag: &str,
        value: &serde_json::Value,
    ) -> Result<(), CommandError> {
        command::write(&self.shared, station, tag, value).await
    }

    /// Ends a station's connections, so that it connects anew; `false` if there is no such station.
    pub fn reconnect(&self, station: &str) -> bool {
        let station = self.shared.stations.find(station);
        station.is_some_and(|station| {
            station.evict();
            true
        })
    }

    /// Where the HTTP side listens, with the port the network chose.
    pub fn http_addr(&self) -> Option<String> {
        self.http_addr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what the program's tracing says into this gateway's log.
    pub(crate) fn take_lines_of(&self, feed: &log::feed::Feed) {
        feed.connect(&self.shared);
    }

    /// What the gateway holds and has counted, by name.
    pub fn gauges(&self) -> BTreeMap<&'static str, f64> {
        self.shared.counts().map(|(name, value)| (name, value as f64)).collect()
    }

    /// What the gateway holds and has counted, each station's too, as Prometheus has it.
    pub fn metrics(&self) -> String {
        metrics::render(&self.shared)
    }

    /// Shows every gauge in the probe's census, until the registrations are dropped.
    ///
    /// They hold no part of the gateway: once it is gone, each reads 0.
    #[cfg(feature = "probe")]
    #[must_use = "dropping them takes the gauges away"]
    pub fn register_gauges(&self) -> Vec<watertight_probe::gauges::Registration> {
        let names = self.gauges().into_keys();
        let register = |name: &'static str| {
            let shared = Arc::downgrade(&self.shared);
            let read = move || shared.upgrade().map_or(0.0, |shared| shared.gauge(name));
            watertight_probe::gauges::register(name, read)
        };
        names.map(register).collect()
    }

    /// Stops in order: no more connections and commands; commands under way drained; no more sessions; consumers flushed;
    /// connections closed.
    ///
    /// Whatever has not ended at the configured deadline is named in the error; it has been told to end.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        self.stop().await
    }

    /// As [`shutdown`](Self::shutdown), for a gateway that others look at meanwhile.
    pub async fn stop(&self) -> Result<(), ShutdownError> {
        let limits = self.sides.lock().await.limits;
        let Shared { stop, tasks, .. } = &*self.shared;
        stop.accepting.cancel();
        let drained_by = Instant::now() + limits.drain;
        let in_order = async {
            self.shared.commands.close();
            // Those that take longer learn that they are unconfirmed.
            let _ = timeout_at(drained_by, self.shared.commands.drained()).await;
            self.shared.end_sessions();
            self.shared.hub.close();
            if timeout_at(drained_by, tasks.ended()).await.is_err() {
                stop.connections.cancel();
                tasks.ended().await;
            }
            self.shared.log.end();
            tasks.last_ended().await;
        };
        timeout(limits.deadline, in_order)
            .await
            .map_err(|_elapsed| ShutdownError { deadline: limits.deadline, unfinished: tasks.census() })
    }
}

async fn listen(net: &dyn Net, at: &str) -> Result<Box<dyn Listener>, StartError> {
    net.listen(at).await.map_err(|source| StartError::Listen { at: at.to_owned(), source })
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop.everything();
        self.shared.end_sessions();
        self.shared.log.end();
    }
}
