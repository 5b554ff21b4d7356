//! A rig: proxies and the faults on them outside of any scenario, changed while they run. What `watertight proxy` plays.
//!
//! Who calls this decides how people reach it; here is what can be asked for, what bounds it, and what is wrong with it.

mod file;
mod player;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::chaos::{Effects, Fault, Link, LinkStats, Proxy};
use crate::scenario::model::LinkSpec;
use crate::seed::Seed;

pub use file::{FAULTS_MAX, PROXIES_MAX, Place, ProxySpec, RigFile, read_fault, read_proxy};

use player::{Part, objection};

/// What cannot be done to a rig.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RigError {
    /// There is no such proxy.
    #[error("no proxy `{name}`; there is: {}", list(.known))]
    NoProxy {
        /// The name asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// There is no such fault.
    #[error("no fault {0}: it was healed, or its proxy was removed")]
    NoFault(u64),
    /// There is such a proxy already.
    #[error("there is a proxy `{0}` already; remove it first, or choose another name")]
    Taken(String),
    /// A bound is reached.
    #[error("at most {most} {what} at a time; remove some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A fault that no proxy can play.
    #[error("{0}")]
    Unplayable(String),
    /// A proxy's name that is none.
    #[error("expected a name of 1 to {NAME_MAX} letters, digits, `-`, `_` or `.`, found `{0}`")]
    Name(String),
    /// Listening failed.
    #[error("proxy `{name}`: cannot listen at {listen}: {why}")]
    Listen {
        /// The proxy.
        name: String,
        /// Where.
        listen: SocketAddr,
        /// Why not.
        why: io::Error,
    },
}

/// The longest name of a proxy.
const NAME_MAX: usize = 64;

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A proxy as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct ProxyState {
    /// Its name: the `link` of a fault.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whom it hands connections on to.
    pub upstream: SocketAddr,
    /// How many faults are at work on it now.
    pub faults_at_work: usize,
    /// What happened on it.
    pub counters: LinkStats,
    /// What faults that are over did, by kind.
    pub effects: Effects,
}

/// A fault as it was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct FaultState {
    /// Its number: never used again.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// Whether it has ended by itself (`for`).
    pub over: bool,
}

/// See the module. Dropping it ends it at once.
#[derive(Debug)]
pub struct Rig {
    seed: Seed,
    parts: Mutex<Parts>,
    players: TaskTracker,
}

#[derive(Debug, Default)]
struct Parts {
    proxies: BTreeMap<String, Mounted>,
    faults: BTreeMap<u64, Played>,
    next_fault: u64,
}

#[derive(Debug)]
struct Mounted {
    proxy: Proxy,
    upstream: SocketAddr,
}

#[derive(Debug)]
struct Played {
    part: Part,
    player: AbortHandle,
}

impl Rig {
    /// A rig without proxies.
    pub fn new(seed: Seed) -> Self {
        Self { seed, parts: Mutex::default(), players: TaskTracker::new() }
    }

    /// A rig as `file` has it: its faults are at work on the first connection.
    ///
    /// # Errors
    /// Everything that cannot be done, in the order of the file. Nothing is left running then.
    pub async fn start(file: &RigFile) -> Result<Self, Vec<RigError>> {
        let rig = Self::new(Seed(file.seed));
        let links: BTreeMap<&String, Arc<Link>> =
            file.proxies.iter().map(|(name, spec)| (name, new_link(name, spec))).collect();
        let mut errors = Vec::new();
        for fault in &file.faults {
            errors.extend(rig.play(fault, |name| links.get(&name.to_owned()).map(Arc::clone)).err());
        }
        for (name, spec) in &file.proxies {
            errors.extend(rig.mount(name, spec, Arc::clone(&links[name])).await.err());
        }
        if errors.is_empty() { Ok(rig) } else { Err(errors) }
    }

    /// Adds a proxy and says where it listens.
    ///
    /// # Errors
    /// A name that is none or taken, too many proxies, those of listening.
    pub async fn add_proxy(&self, name: &str, spec: &ProxySpec) -> Result<SocketAddr, RigError> {
        self.mount(name, spec, new_link(name, spec)).await
    }

    async fn mount(&self, name: &str, spec: &ProxySpec, link: Arc<Link>) -> Result<SocketAddr, RigError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_word) {
            return Err(RigError::Name(name.chars().take(NAME_MAX).collect()));
        }
        self.lock().room_for(name)?;
        let listen = |why| RigError::Listen { name: name.to_owned(), listen: spec.listen.0, why };
        let proxy = Proxy::start(spec.listen.0, spec.upstream.0, link).await.map_err(listen)?;
        let addr = proxy.addr();
        let mut parts = self.lock();
        // Somebody else may have been faster; then this one is dropped, which ends it.
        parts.room_for(name)?;
        parts.proxies.insert(name.to_owned(), Mounted { proxy, upstream: spec.upstream.0 });
        Ok(addr)
    }

    /// Removes a proxy with its faults, and waits until nothing of it is left.
    ///
    /// # Errors
    /// There is no such proxy.
    pub async fn remove_proxy(&self, name: &str) -> Result<(), RigError> {
        let (mounted, faults) = self.lock().unmount(name)?;
        faults.into_iter().for_each(Played::end);
        mounted.proxy.shutdown().await;
        Ok(())
    }

    /// Has `fault` begin, now or as its `at` says, and gives its number.
    ///
    /// # Errors
    /// A proxy that does not exist, a fault that no proxy can play, too many faults.
    pub fn add_fault(&self, fault: &Fault) -> Result<u64, RigError> {
        let find = |name: &str| {
            let parts = self.lock();
            parts.proxies.get(name).map(|mounted| Arc::clone(mounted.proxy.link()))
        };
        self.play(fault, find)
    }

    fn play(&self, fault: &Fault, link: impl Fn(&str) -> Option<Arc<Link>>) -> Result<u64, RigError> {
        if let Some(why) = objection(fault) {
            return Err(RigError::Unplayable(why));
        }
        let name = fault.link().unwrap_or_default();
        let Some(link) = link(name) else { return Err(self.lock().no_proxy(name)) };
        let mut parts = self.lock();
        if parts.faults.len() >= FAULTS_MAX {
            return Err(RigError::Full { what: "faults", most: FAULTS_MAX });
        }
        let index = parts.free_index(fault);
        let (id, fault, seed, ended) = (fault.id(index, self.seed), fault.clone(), self.seed, Arc::default());
        let part = Part { link, id, fault, index, seed, ended };
        part.begin();
        let player = self.players.spawn(part.clone().play()).abort_handle();
        parts.next_fault += 1;
        let number = parts.next_fault;
        parts.faults.insert(number, Played { part, player });
        Ok(number)
    }

    /// Heals a fault, as its `on_heal` says.
    ///
    /// # Errors
    /// There is no such fault.
    pub fn heal(&self, number: u64) -> Result<(), RigError> {
        let played = self.lock().faults.remove(&number).ok_or(RigError::NoFault(number))?;
        played.end();
        Ok(())
    }

    /// Heals all faults; how many there were.
    pub fn heal_all(&self) -> usize {
        let faults = std::mem::take(&mut self.lock().faults);
        let count = faults.len();
        faults.into_values().for_each(Played::end);
        count
    }

    /// All proxies, by name.
    pub fn proxies(&self) -> Vec<ProxyState> {
        self.lock().proxies.iter().map(|(name, mounted)| mounted.state(name)).collect()
    }

    /// One proxy.
    ///
    /// # Errors
    /// There is no such proxy.
    pub fn proxy(&self, name: &str) -> Result<ProxyState, RigError> {
        let parts = self.lock();
        parts.proxies.get(name).map(|mounted| mounted.state(name)).ok_or_else(|| parts.no_proxy(name))
    }

    /// All faults, in the order in which they were asked for.
    pub fn faults(&self) -> Vec<FaultState> {
        self.lock().faults.iter().map(|(id, played)| played.state(*id)).collect()
    }

    /// One fault.
    ///
    /// # Errors
    /// There is no such fault.
    pub fn fault(&self, number: u64) -> Result<FaultState, RigError> {
        self.lock().faults.get(&number).map(|played| played.state(number)).ok_or(RigError::NoFault(number))
    }

    /// Ends everything in order, and waits until no task of it is left.
    pub async fn shutdown(&self) {
        self.heal_all();
        let proxies = std::mem::take(&mut self.lock().proxies);
        futures_util::future::join_all(proxies.into_values().map(|mounted| mounted.proxy.shutdown())).await;
        self.players.close();
        self.players.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.heal_all();
    }
}

impl Parts {
    fn room_for(&self, name: &str) -> Result<(), RigError> {
        if self.proxies.contains_key(name) {
            return Err(RigError::Taken(name.to_owned()));
        }
        if self.proxies.len() >= PROXIES_MAX {
            return Err(RigError::Full { what: "proxies", most: PROXIES_MAX });
        }
        Ok(())
    }

    fn no_proxy(&self, name: &str) -> RigError {
        RigError::NoProxy { name: name.to_owned(), known: self.proxies.keys().cloned().collect() }
    }

    fn unmount(&mut self, name: &str) -> Result<(Mounted, Vec<Played>), RigError> {
        let mounted = self.proxies.remove(name).ok_or_else(|| self.no_proxy(name))?;
        let is_its = |_: &u64, played: &mut Played| played.part.fault.link() == Some(name);
        Ok((mounted, self.faults.extract_if(.., is_its).map(|(_, played)| played).collect()))
    }

    /// The lowest number that no fault of the same kind on the same link has: what was healed gives its dice back, so that
    /// the same fault, healed and added again, draws the same.
    fn free_index(&self, fault: &Fault) -> usize {
        let same = |other: &&Played| {
            other.part.fault.name() == fault.name() && other.part.fault.link() == fault.link()
        };
        let taken: Vec<usize> = self.faults.values().filter(same).map(|other| other.part.index).collect();
        (0..).find(|index| !taken.contains(index)).unwrap_or_default()
    }
}

impl Mounted {
    fn state(&self, name: &str) -> ProxyState {
        let link = self.proxy.link();
        ProxyState {
            name: name.to_owned(),
            listen: self.proxy.addr(),
            upstream: self.upstream,
            faults_at_work: link.faults_at_work(),
            counters: link.stats(),
            effects: link.effects(),
        }
    }
}

impl Played {
    fn state(&self, id: u64) -> FaultState {
        FaultState { id, fault: self.part.fault.clone(), over: self.player.is_finished() }
    }

    fn end(self) {
        self.player.abort();
        self.part.end();
    }
}

fn new_link(name: &str, spec: &ProxySpec) -> Arc<Link> {
    Link::new(name, &LinkSpec { buffer: spec.buffer, latency: spec.latency }, spec.peer)
}
