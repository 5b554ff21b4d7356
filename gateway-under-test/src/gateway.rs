//! The gateway as a whole: start, gauges, ordered shutdown.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::config::{Config, ConfigError};
use crate::http;
use crate::hub::{Hub, event};
use crate::meters::Meters;
use crate::net::Net;
use crate::parts::Parts;
use crate::station::status::Status;
use crate::station::{self, report_online};
use crate::tasks::{TaskKind, Tasks};

/// Why a gateway did not start. Nothing of it is left running.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ConfigError),
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

/// What every task of a gateway shares.
pub(crate) struct Shared {
    pub config: Config,
    pub net: Arc<dyn Net>,
    pub seed: u64,
    pub tasks: Tasks,
    pub meters: Meters,
    pub parts: Parts,
    pub cache: Cache,
    pub hub: Arc<Hub>,
    /// In the order of the configuration.
    pub status: Box<[Status]>,
    pub stop: Stop,
}

impl Shared {
    fn new(config: Config, net: Arc<dyn Net>, seed: u64, parts: Parts) -> Self {
        Self {
            cache: Cache::new(&config.stations),
            hub: Arc::new(Hub::new(config.http.events.max_consumers)),
            status: config.stations.iter().map(|_| Status::default()).collect(),
            config,
            net,
            seed,
            tasks: Tasks::default(),
            meters: Meters::default(),
            parts,
            stop: Stop::default(),
        }
    }

    /// The index of the station with this name.
    pub fn station_index(&self, name: &str) -> Option<usize> {
        self.config.stations.iter().position(|station| station.name == name)
    }

    /// Tells consumers of a poll that has read every tag of a station.
    pub fn publish(&self, station: usize) {
        let (config, status) = (&self.config.stations[station], &self.status[station]);
        if status.polled() {
            report_online(&config.name);
        }
        self.hub.publish(station, &self.meters, || {
            self.cache.look(station, |latest| event::encode(config, latest, status.polls.read()))
        });
    }

    /// Name and count of everything, held now and in total.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.held().chain(self.meters.totals()).map(|(name, _help, count)| (name, count))
    }

    /// One of them; 0 for a name that is none.
    #[cfg(feature = "probe")]
    pub fn gauge(&self, name: &str) -> f64 {
        self.counts().find(|(known, _)| *known == name).map_or(0.0, |(_, count)| count as f64)
    }

    /// Name, help and count of everything held now.
    pub fn held(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let own = [
            ("stations", "stations in the configuration", count(self.config.stations.len())),
            ("tasks", "live tasks", count(self.tasks.alive())),
            ("values", "tags that have a value", count(self.cache.values())),
            ("sse_consumers", "event streams", count(self.hub.consumers())),
            ("queued_events", "events that wait for their consumer", count(self.hub.queued())),
        ];
        own.into_iter().chain(self.meters.held())
    }
}

/// The steps of a shutdown, in order; each token is cancelled once.
#[derive(Default)]
pub(crate) struct Stop {
    /// No more connections are accepted, none of those that exist takes another request.
    pub accepting: CancellationToken,
    /// Sessions end, at whichever await they stand.
    pub sessions: CancellationToken,
    /// Connections that still drain are closed.
    pub connections: CancellationToken,
}

impl Stop {
    fn everything(&self) {
        self.accepting.cancel();
        self.sessions.cancel();
        self.connections.cancel();
    }
}

/// A running gateway. Dropping it orders every task to end, without waiting; [`Gateway::shutdown`] waits.
pub struct Gateway {
    shared: Arc<Shared>,
    http_addr: Option<String>,
}

impl Gateway {
    /// Starts polling and serving; returns once it listens. All chance is drawn from `seed`.
    pub async fn start(config: Config, net: Arc<dyn Net>, seed: u64) -> Result<Self, StartError> {
        config.check()?;
        let listener = match &config.http.listen {
            Some(at) => {
                Some(net.listen(at).await.map_err(|source| StartError::Listen { at: at.clone(), source })?)
            }
            None => None,
        };
        let http_addr = listener.as_ref().map(|listener| listener.local_addr());
        let parts = Parts::for_config(&config);
        let shared = Arc::new(Shared::new(config, net, seed, parts));
        station::start_all(&shared);
        if let Some(listener) = listener {
            http::start(&shared, listener);
        }
        Ok(Self { shared, http_addr })
    }

    /// Where the HTTP side listens, with the port the network chose.
    pub fn http_addr(&self) -> Option<String> {
        self.http_addr.clone()
    }

    /// What the gateway holds and has counted, by name.
    pub fn gauges(&self) -> BTreeMap<&'static str, f64> {
        self.shared.counts().map(|(name, value)| (name, value as f64)).collect()
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

    /// Stops in order: no more connections, no more sessions, consumers drained, connections closed.
    ///
    /// Whatever has not ended at the configured deadline is named in the error; it has been told to end.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        let limits = self.shared.config.shutdown;
        let stop = &self.shared.stop;
        let tasks = &self.shared.tasks;
        stop.accepting.cancel();
        stop.sessions.cancel();
        self.shared.hub.close();
        let in_order = async {
            if tokio::time::timeout(limits.drain, tasks.ended()).await.is_err() {
                stop.connections.cancel();
                tasks.ended().await;
            }
        };
        tokio::time::timeout(limits.deadline, in_order)
            .await
            .map_err(|_elapsed| ShutdownError { deadline: limits.deadline, unfinished: tasks.census() })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop.everything();
    }
}
