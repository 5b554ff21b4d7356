//! What every task of a gateway shares.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gateway_lifecycle::DrainGate;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::embedding::Embedding;
use crate::hooks::{Connection, Side};
use crate::hub::{Hub, event};
use crate::log::Log;
use crate::meters::Meters;
use crate::net::Net;
use crate::parts::Parts;
use crate::station::blink::Blink;
use crate::station::{Directory, Parents, Station, report_online};
use crate::tasks::Tasks;

/// What every task of a gateway shares. What belongs to one station is in its [`Station`].
pub struct Shared {
    /// The way to the world.
    pub net: Arc<dyn Net>,
    /// All chance comes from it.
    pub seed: u64,
    /// Every task starts here.
    pub tasks: Tasks,
    /// What is counted.
    pub meters: Meters,
    /// The parts with seams.
    pub parts: Parts,
    /// The number of the next connection.
    connections: AtomicU64,
    /// What the embedder brought.
    pub embedding: Embedding,
    /// The stations as configured now.
    pub stations: Directory,
    /// Stations that are lost together.
    pub blink: Mutex<Blink>,
    /// Events on their way to consumers.
    pub hub: Arc<Hub>,
    /// Who has a command under way is inside.
    pub commands: DrainGate,
    /// Lines on their way to wherever the log goes.
    pub log: Log,
    /// The steps of a shutdown.
    pub stop: Stop,
}

impl Shared {
    /// The state of a gateway in which nothing runs yet.
    pub fn new(config: &Config, net: Arc<dyn Net>, seed: u64, embedding: Embedding) -> Self {
        let stop = Stop::default();
        let parts = Parts::for_config(config);
        let parents = Parents { cores: net.cpu().cores(), buffers: Arc::clone(&parts.buffers) };
        Self {
            stations: Directory::new(&config.stations, parents),
            blink: Mutex::default(),
            hub: Arc::new(Hub::new(config.http.events.max_consumers)),
            net,
            seed,
            tasks: Tasks::default(),
            meters: Meters::default(),
            log: Log::new(config.log.as_ref(), &*parts.log),
            parts,
            commands: DrainGate::new(),
            connections: AtomicU64::new(0),
            embedding,
            stop,
        }
    }

    /// A new connection, as hooks are told of it.
    pub fn connection<'a>(&self, side: Side, name: &'a str) -> Connection<'a> {
        Connection { side, name, number: self.connections.fetch_add(1, Ordering::Relaxed) }
    }

    /// Ends every session, at whichever await it stands.
    pub fn end_sessions(&self) {
        self.stop.sessions.cancel();
        self.stations.list().iter().for_each(|station| station.stop.cancel());
    }

    /// Tells consumers of a poll that has read every tag of a station.
    pub async fn publish(&self, station: &Station) {
        if station.status.polled() {
            report_online(&station.config.name);
        }
        let encode = || {
            let (buffers, poll) = (&*station.buffers, station.status.polls.read());
            station.cache.look(|latest| event::encode(buffers, &station.config, latest, poll))
        };
        self.hub.publish(&station.config.name, &self.meters, encode).await;
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
        let stations = self.stations.list();
        let connections = stations.iter().map(|one| one.pool.connections()).sum();
        let open = stations.iter().filter(|one| one.breaker().is_open()).count();
        let waiting = stations.iter().map(|one| one.commands.waiting()).sum();
        let own = [
            ("stations", "stations in the configuration", count(stations.len())),
            ("plc_connections", "connections to PLCs", count(connections)),
            ("breakers_open", "stations that are left alone for a while", count(open)),
            ("tasks", "live tasks", count(self.tasks.alive())),
            ("values", "tags that have a value", count(stations.iter().map(|one| one.cache.values()).sum())),
            ("sse_consumers", "event streams", count(self.hub.streams())),
            ("queued_commands", "writes that wait for their turn", count(waiting)),
            ("queued_log_lines", "log lines that wait to be written", count(self.log.queue.queued())),
            ("queued_events", "events that wait for their consumer", count(self.hub.queued())),
        ];
        own.into_iter().chain(self.meters.held())
    }
}

/// The steps of a shutdown, in order; each token is cancelled once.
#[derive(Debug, Default)]
pub struct Stop {
    /// No more connections are accepted, none of those that exist takes another request.
    pub accepting: CancellationToken,
    /// Sessions end, at whichever await they stand.
    pub sessions: CancellationToken,
    /// Connections that still drain are closed.
    pub connections: CancellationToken,
}

impl Stop {
    /// Steps of a part alone: each is taken with the whole, or before it.
    pub fn child(&self) -> Self {
        Self {
            accepting: self.accepting.child_token(),
            sessions: self.sessions.child_token(),
            connections: self.connections.child_token(),
        }
    }

    /// Takes every step at once.
    pub fn everything(&self) {
        self.accepting.cancel();
        self.sessions.cancel();
        self.connections.cancel();
    }
}
