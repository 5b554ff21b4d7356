//! The seam between the harness and what it plays with: the target, its peers, its consumers.
//!
//! The harness knows no protocol. A [`World`] names the kinds of peers that a scenario may use and brings them to life,
//! in sim over in-memory streams and in wall-clock engines over TCP.
//!
//! # Three ways to bring a target of one's own
//!
//! | what there is | what it takes | where it plays |
//! | --- | --- | --- |
//! | a program, in any language | a scenario with `target: { command: [..] }`, and no code | processes |
//! | a service that takes its connections from outside; peers that can be scripted | [`Own`](crate::own::Own): one function | sim, processes |
//! | the same, and peers that speak a protocol | a [`World`]: four methods, and those whose default says no | whatever it implements |
//!
//! `harness/examples/` has the first two, and the guide to them.
//!
//! # What holds for every world
//!
//! - What the target starts is the target's: it is started within its tenant, and a task hands its tenant on to what it spawns. Nothing
//!   need be tagged.
//! - The clock is tokio's, which the simulation pauses. A target that asks the system for the time, sleeps on a thread, uses
//!   `spawn_blocking` for more than an instant, or draws from the system's chance cannot be repeated, and may stand still.
//! - Dropping a [`SimTarget`] stands for a kill, [`SimTarget::stop`] for SIGTERM. Dropping a [`Party`] ends it and all its connections.
//! - A party's [`Load`] is the proof that something went on: a clean run without load is invalid.
//!
//! # A world with a protocol of its own
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use std::time::Duration;
//!
//! use serde::Deserialize;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio_util::sync::{CancellationToken, DropGuard};
//! use watertight::chaos::SimNet;
//! use watertight::own::{Own, start_in_sim};
//! use watertight::world::{BoxFuture, Dial, Load, Party, Seat, Setting, SimTarget, World, WorldError};
//! # use watertight::own::{Failure, NoSettings, Start};
//! # struct Echo;
//! # impl Own for Echo {
//! #     const NAME: &'static str = "echo";
//! #     type Settings = NoSettings;
//! #     async fn serve(start: Start<NoSettings>) -> Result<(), Failure> {
//! #         start.net.serves_nobody();
//! #         start.stop.cancelled().await;
//! #         Ok(())
//! #     }
//! # }
//!
//! /// What may stand under `world:`, such as `callers: { caller: { count: 3 } }`.
//! #[derive(Debug, Clone, Deserialize, schemars::JsonSchema, garde::Validate)]
//! #[serde(deny_unknown_fields, rename_all = "snake_case")]
//! enum Peer {
//!     /// Clients that send a byte and want it back.
//!     Caller(#[garde(dive)] Callers),
//! }
//!
//! #[derive(Debug, Clone, Deserialize, schemars::JsonSchema, garde::Validate)]
//! #[serde(deny_unknown_fields)]
//! struct Callers {
//!     /// How many.
//!     #[garde(range(min = 1, max = 1000))]
//!     count: usize,
//! }
//!
//! struct EchoWorld;
//!
//! impl World for EchoWorld {
//!     type Peer = Peer;
//!
//!     fn seat(&self, _: &Peer) -> Seat {
//!         Seat::Consumer
//!     }
//!
//!     fn instances(&self, Peer::Caller(callers): &Peer) -> usize {
//!         callers.count
//!     }
//!
//!     fn start_sim_target<'a>(
//!         &'a self,
//!         setting: Setting<'a, Peer>,
//!         net: &'a SimNet,
//!     ) -> BoxFuture<'a, Result<Box<dyn SimTarget>, WorldError>> {
//!         // `Echo` is an `Own`; a target that is none implements `SimTarget`, and listens at `SIM_TARGET_ADDRESS` of `net`.
//!         Box::pin(start_in_sim::<Echo, _>(setting, net, Default::default()))
//!     }
//!
//!     fn start_consumer<'a>(
//!         &'a self,
//!         _: Setting<'a, Peer>,
//!         _: &'a str,
//!         Peer::Caller(callers): &'a Peer,
//!         dial: Arc<dyn Dial>,
//!     ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
//!         let (calls, cancel) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
//!         for ordinal in 0..callers.count {
//!             let caller = call(Arc::clone(&dial), ordinal, Arc::clone(&calls));
//!             tokio::spawn(cancel.clone().run_until_cancelled_owned(caller));
//!         }
//!         Box::pin(async { Ok(Box::new(Calling { calls, _cancel: cancel.drop_guard() }) as _) })
//!     }
//! }
//!
//! async fn call(dial: Arc<dyn Dial>, ordinal: usize, calls: Arc<AtomicU64>) {
//!     loop {
//!         if let Ok(mut stream) = dial.dial(ordinal).await {
//!             let mut echo = [0];
//!             while stream.write_all(b"x").await.is_ok() && stream.read_exact(&mut echo).await.is_ok() {
//!                 calls.fetch_add(1, Relaxed);
//!                 tokio::time::sleep(Duration::from_secs(1)).await;
//!             }
//!         }
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!     }
//! }
//!
//! struct Calling {
//!     calls: Arc<AtomicU64>,
//!     _cancel: DropGuard,
//! }
//!
//! impl Party for Calling {
//!     fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
//!         let count = self.calls.load(Relaxed);
//!         Box::pin(async move { Ok(vec![Load { what: "calls", count, at_least_per_cycle: 1, at_most: None }]) })
//!     }
//! }
//! # let _ = EchoWorld;
//! ```
//!
//! A runner for it is `watertight_cli::main` with a `WorldLibrary` and a `WorldPlayer` of it; the S7 world in `scenarios/src/world.rs` is one
//! that uses everything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::chaos::sim::SimNet;
use crate::housing::Houses;
use crate::scenario::draft::OwnTarget;
use crate::scenario::model::{PeerSpec, Scenario};
use crate::scenario::template;
use crate::seed::Seed;

/// A future in a box, as the object-safe traits here need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A byte stream in a box.
pub type BoxStream = Box<dyn Stream>;

/// Opens connections over one link, whatever the engine.
pub trait Dial: Send + Sync {
    /// Connects to the instance `ordinal` of the peer behind the link (to the target, for a consumer's link).
    fn dial(&self, ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>>;
}

/// Where a peer sits on its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// The target connects to it.
    Server,
    /// It connects to the target.
    Consumer,
}

/// One figure for the load audit: what a party did since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// In words, without the peer's name: `polls answered`.
    pub what: &'static str,
    /// How often since the party started.
    pub count: u64,
    /// The least per counted cycle that makes a run valid.
    pub at_least_per_cycle: u64,
    /// The most over the whole run, for what must not happen.
    pub at_most: Option<u64>,
}

/// A peer that is running. Dropping it ends it at once.
pub trait Party: Send {
    /// What it has done so far; all its instances together.
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>>;
}

/// A target that runs inside the simulation.
pub trait SimTarget: Send {
    /// Figures of its own that `until:` may name.
    fn gauges(&self) -> BTreeMap<String, f64>;

    /// Asks it to end in order; resolves when it has, with the reason if something stayed behind.
    fn stop(self: Box<Self>) -> BoxFuture<'static, Result<(), String>>;

    /// Has it take over new settings, as [`World::sim_config`] wrote them, while it runs; else the reason why it did not.
    fn reload(&mut self, config: String) -> BoxFuture<'_, Result<(), String>> {
        drop(config);
        Box::pin(async { Err("not supported by this target".to_owned()) })
    }

    /// How it ended, where it has ended by itself: a run goes no further then.
    fn ended(&mut self) -> Option<String> {
        None
    }
}

/// A program that a wall-clock engine starts: never through a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name in messages.
    pub name: String,
    /// The executable and its arguments.
    pub argv: Vec<OsString>,
    /// Variables added to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// What must be seen before it counts as ready.
    pub ready: ReadyWhen,
    /// Whether it serves watertight-probe's endpoint at the address given in `WATERTIGHT_PROBE`.
    pub has_probe: bool,
}

/// What a started program must show before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadyWhen {
    /// For each text a line on stdout that starts with it; the rest of that line is kept (an address, as a rule).
    Lines(Vec<String>),
    /// A TCP port on loopback accepts.
    Port(u16),
    /// A TCP address, `host:port`, accepts.
    Accepts(String),
    /// A line on stdout or stderr contains this text.
    Said(String),
    /// A GET of this URL is answered with success.
    Answers(String),
    /// Nothing: it is ready once started.
    Started,
}

/// What a program said when it became ready: for each text of [`ReadyWhen::Lines`], the rest of its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced(pub Vec<String>);

/// Where a wall-clock engine finds a server peer that has been started as a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlace {
    /// One `host:port` per instance.
    pub instances: Vec<String>,
    /// What the world needs to read the peer's load later, such as the address of its counters.
    pub stats: Option<String>,
}

/// What a world needs to know when it starts something.
#[derive(Debug)]
pub struct Setting<'a, P: PeerSpec> {
    /// The case being played.
    pub scenario: &'a Scenario<P>,
    /// The seed of the run.
    pub seed: Seed,
    /// How many times faster than written the clock runs: 1 in sim, the scenario's `pace` on the wall clock. A world
    /// divides the periods and deadlines it hands to target and peers by it.
    pub pace: f64,
    /// A folder of this run's own for configuration files.
    pub scratch: &'a std::path::Path,
    /// The address on which a target that is a program is to listen.
    pub listen: IpAddr,
}

impl<P: PeerSpec> Clone for Setting<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: PeerSpec> Copy for Setting<'_, P> {}

impl<P: PeerSpec> Setting<'_, P> {
    /// `written` at this run's pace.
    pub fn paced(&self, written: Duration) -> Duration {
        written.div_f64(self.pace)
    }
}

/// Why a world could not be brought to life.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The scenario asks for something this world does not have.
    #[error("{0}")]
    Unknown(String),
    /// Something could not be started.
    #[error("cannot start {what}: {why}")]
    Start {
        /// The party.
        what: String,
        /// The reason, as the system gave it.
        why: String,
    },
    /// A party's figures could not be read.
    #[error("cannot read the figures of {what}: {why}")]
    Figures {
        /// The party.
        what: String,
        /// The reason.
        why: String,
    },
}

impl WorldError {
    /// The party `name` is somebody's program.
    pub(crate) fn not_in_sim(name: &str) -> Self {
        Self::Unknown(format!("`{name}` is a program: it cannot play in sim; use `engines: [process]`"))
    }

    /// Nobody said which program the party `name` is.
    fn only_in_sim(name: &str) -> Self {
        Self::Unknown(format!("`{name}` is no program: it plays in sim alone; use `engines: [sim]`"))
    }
}

/// The kinds of targets and peers a scenario may use, and how they come to life.
///
/// A method with a default is needed by those worlds alone that have what it is about: server peers, programs, reloads.
pub trait World: Send + Sync + 'static {
    /// The kinds of peers: an enum, each variant a single-key map in YAML.
    type Peer: PeerSpec;

    /// What is wrong with the scenario beyond its language: an unknown target, an unknown defect, a setting that the target
    /// does not have. One message each.
    fn check(&self, scenario: &Scenario<Self::Peer>) -> Vec<String> {
        let _ = scenario;
        Vec::new()
    }

    /// Programs of others that must be on this machine to play the scenario with programs: a path, or a name in `PATH`.
    fn needs(&self, scenario: &Scenario<Self::Peer>) -> Vec<String> {
        let _ = scenario;
        Vec::new()
    }

    /// The target built into this world and its peers, for scenarios that are written anew (`watertight new`); `None`: it has none.
    fn own_target(&self) -> Option<OwnTarget> {
        None
    }

    /// How often something goes over a connection of `peer` by itself: a fault that withholds bytes for less time may find none.
    /// `None`: nobody knows.
    fn talks_every(&self, peer: &Self::Peer) -> Option<Duration> {
        let _ = peer;
        None
    }

    /// Where targets can be housed for [`EngineKind::Container`](crate::scenario::model::EngineKind); `None`: nowhere but on
    /// this machine.
    fn houses(&self) -> Option<&dyn Houses> {
        None
    }

    /// Where `peer` sits on its link.
    fn seat(&self, peer: &Self::Peer) -> Seat;

    /// How many instances of `peer` there are.
    fn instances(&self, peer: &Self::Peer) -> usize;

    /// The first bytes a client sends on the link of `peer`, for `storm: { abandon: after_hello }`.
    fn hello(&self, peer: &Self::Peer) -> Bytes {
        let _ = peer;
        Bytes::new()
    }

    /// The name under which instance `ordinal` of the server peer `name` is reached in sim.
    fn sim_address(&self, name: &str, ordinal: usize) -> String {
        format!("{name}-{ordinal}:1")
    }

    /// Starts the server peer `name` in sim, listening at its [`World::sim_address`]es.
    fn start_sim_server<'a>(
        &'a self,
        setting: Setting<'a, Self::Peer>,
        net: &'a SimNet,
        name: &'a str,
        peer: &'a Self::Peer,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
        let _ = (setting, net, peer);
        Box::pin(async move { Err(WorldError::not_in_sim(name)) })
    }

    /// Starts the target in sim; it listens for its consumers at [`SIM_TARGET_ADDRESS`].
    fn start_sim_target<'a>(
        &'a self,
        setting: Setting<'a, Self::Peer>,
        net: &'a SimNet,
    ) -> BoxFuture<'a, Result<Box<dyn SimTarget>, WorldError>>;

    /// Starts the consumer peer `name`, which reaches the target through `dial`, in any engine.
    fn start_consumer<'a>(
        &'a self,
        setting: Setting<'a, Self::Peer>,
        name: &'a str,
        peer: &'a Self::Peer,
        dial: Arc<dyn Dial>,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>>;

    /// The `host:port` of a server peer that runs already on the wall clock; `None`: [`World::server_program`] starts it.
    fn server_address(&self, peer: &Self::Peer) -> Option<String> {
        let _ = peer;
        None
    }

    /// The program that plays the server peer `name` on the wall clock; `free_port` is a port of loopback that nobody
    /// else was given, for a program that cannot choose its own.
    fn server_program(
        &self,
        setting: &Setting<'_, Self::Peer>,
        name: &str,
        peer: &Self::Peer,
        free_port: u16,
    ) -> Result<Program, WorldError> {
        let _ = (setting, peer, free_port);
        Err(WorldError::only_in_sim(name))
    }

    /// Where a server program listens, from what it announced, or from the `free_port` it was given.
    fn server_place(
        &self,
        peer: &Self::Peer,
        announced: &Announced,
        free_port: u16,
    ) -> Result<ServerPlace, WorldError> {
        let _ = (peer, announced);
        Ok(ServerPlace { instances: vec![format!("127.0.0.1:{free_port}")], stats: None })
    }

    /// Reads the load of a server peer that runs as a program. None, unless said: its link must have carried bytes anyway.
    fn server_load<'a>(
        &'a self,
        peer: &'a Self::Peer,
        place: &'a ServerPlace,
    ) -> BoxFuture<'a, Result<Vec<Load>, WorldError>> {
        let _ = (peer, place);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Starts whoever works at the server peer `name` beside the target, such as a subscriber of a broker: it connects straight
    /// to where the peer's program listens, past the link and its faults. `None`: nobody does.
    ///
    /// In sim it belongs to what [`World::start_sim_server`] starts.
    fn start_server_client<'a>(
        &'a self,
        setting: Setting<'a, Self::Peer>,
        name: &'a str,
        peer: &'a Self::Peer,
        place: &'a ServerPlace,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Party>>, WorldError>> {
        let _ = (setting, name, peer, place);
        Box::pin(async { Ok(None) })
    }

    /// The program that is the target; `peers` gives the address of each server peer's instances, through the proxy.
    fn target_program(
        &self,
        setting: &Setting<'_, Self::Peer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<Program, WorldError> {
        let _ = peers;
        Err(WorldError::only_in_sim(setting.scenario.target.name.as_deref().unwrap_or("target")))
    }

    /// Where the target listens for consumers, from what it announced; `None`: it serves nobody.
    fn target_place(&self, announced: &Announced) -> Option<String> {
        announced.0.first().cloned()
    }

    /// Writes the settings of the target's program anew, as `setting` has them now: the SIGHUP of a `reload` follows.
    fn rewrite_config(
        &self,
        setting: &Setting<'_, Self::Peer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), WorldError> {
        let _ = (setting, peers);
        Err(WorldError::Unknown("this target reads its settings once: it cannot play `reload`".to_owned()))
    }

    /// The settings of the target in sim, as `setting` has them now, for [`SimTarget::reload`].
    fn sim_config(&self, setting: &Setting<'_, Self::Peer>) -> Result<String, WorldError> {
        let _ = setting;
        Err(WorldError::Unknown("this target reads its settings once: it cannot play `reload`".to_owned()))
    }
}

/// What is wrong with `scenario` in this world beyond its language, one message each.
pub(crate) fn problems<W: World>(world: &W, scenario: &Scenario<W::Peer>) -> Vec<String> {
    let mut problems = world.check(scenario);
    let servers: Vec<String> = scenario
        .world
        .iter()
        .filter(|(_, peer)| world.seat(peer) == Seat::Server)
        .map(|(name, _)| format!("`{name}`"))
        .chain(["`target`".to_owned()])
        .collect();
    problems.extend(named_consumers(world, scenario));
    for fault in scenario.cycle.iter().flat_map(|phase| &phase.faults) {
        let Some((name, peer)) = fault.peer().and_then(|name| Some((name, scenario.world.get(name)?))) else {
            continue;
        };
        if world.seat(peer) == Seat::Consumer {
            let fault = fault.name();
            problems.push(format!(
                "`{fault}` names `{name}`, a consumer, which has no process of its own; it can be one of: {}",
                servers.join(", ")
            ));
        }
    }
    problems
}

/// `{peers.NAME}` in a target's texts is an address that it can connect to.
fn named_consumers<W: World>(world: &W, scenario: &Scenario<W::Peer>) -> Vec<String> {
    let names = scenario.target.texts().flat_map(template::names);
    let peers = names.filter_map(|name| name.strip_prefix("peers.")?.split('.').next());
    let peers = peers.filter_map(|name| Some((name, scenario.world.get(name)?)));
    let consumers = peers.filter(|(_, peer)| world.seat(peer) == Seat::Consumer);
    consumers
        .map(|(name, _)| {
            format!("`{{peers.{name}}}`: `{name}` connects to the target, and has no address to connect to")
        })
        .collect()
}

/// For each server peer of `scenario` the names under which its instances are reached in sim.
pub fn sim_addresses<W: World>(world: &W, scenario: &Scenario<W::Peer>) -> BTreeMap<String, Vec<String>> {
    let servers = scenario.world.iter().filter(|(_, peer)| world.seat(peer) == Seat::Server);
    servers
        .map(|(name, peer)| {
            let instances = (0..world.instances(peer)).map(|ordinal| world.sim_address(name, ordinal));
            (name.clone(), instances.collect())
        })
        .collect()
}

/// The name under which the target is reached in sim.
pub const SIM_TARGET_ADDRESS: &str = "target:80";

/// The label that the target's ends of simulated connections carry: the census counts these as its descriptors.
pub const SIM_TARGET_PARTY: &str = "target";

/// The label of everybody else's ends.
pub const SIM_WORLD_PARTY: &str = "world";
