//! A world of programs: how each part of it comes to life, is read, and ends.

mod signals;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::foreign::Foreign;
use super::here::LOOPBACK;
use super::probe_at::ProbeAt;
use super::program::Running;
use super::wiring::Wiring;
use super::{Unstarted, ports};
use crate::census::outside::PROCESSES_GAUGE;
use crate::census::{Blind, Census, Inside, Outside, Sampler, inside};
use crate::engine::audit::{Acts, Reading};
use crate::engine::cycle::{Named, Played, Stage};
use crate::engine::network::{self, Kernel, Limits};
use crate::engine::storm::Storms;
use crate::engine::{CycleCounts, Measured, Mutation, PlayFailure, inventory, mutant};
use crate::housing::House;
use crate::scenario::Scenario;
use crate::scenario::model::PeerSpec;
use crate::timeline::{Ended, Timeline};
use crate::world::{Party, Program, Seat, ServerPlace, Setting, World, WorldError};

/// How long the views inside of a target that is ready may take to answer, and how often they are asked.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
const SEEN_PERIOD: Duration = Duration::from_millis(50);

/// A server peer.
struct Server {
    /// Its program; `None`: it ran already.
    running: Option<Running>,
    place: ServerPlace,
    /// The port it was given: it keeps that when it is started again.
    port: u16,
}

/// A world of programs.
pub(super) struct Live<'w, W: World> {
    world: &'w W,
    setting: Setting<'w, W::Peer>,
    house: Box<dyn House>,
    wiring: Wiring,
    servers: BTreeMap<String, Server>,
    /// Those who work at server peers beside the target.
    server_clients: BTreeMap<String, Box<dyn Party>>,
    /// The addresses of server peers as the target sees them: the proxies'.
    seen: BTreeMap<String, Vec<String>>,
    /// Its program, unless it ran already, and what looks at it.
    target: Option<(Option<Running>, Sampler)>,
    /// What the scenario says of a target that is not the world's own.
    foreign: Option<Foreign>,
    consumers: BTreeMap<String, Box<dyn Party>>,
    storms: Storms,
    counted_from: Reading,
    acts: Acts,
    limits: Limits,
    /// Whose processes are stopped.
    paused: BTreeSet<String>,
    /// Whether the target's house is cut off from its network.
    is_cut_off: bool,
    notes: Vec<String>,
}

impl<'w, W: World> Live<'w, W> {
    /// A world in which nothing lives yet.
    pub(super) fn new(world: &'w W, setting: Setting<'w, W::Peer>, house: Box<dyn House>) -> Self {
        Self {
            world,
            setting,
            house,
            wiring: Wiring::new(world, setting.scenario),
            servers: BTreeMap::new(),
            server_clients: BTreeMap::new(),
            seen: BTreeMap::new(),
            target: None,
            foreign: None,
            consumers: BTreeMap::new(),
            storms: Storms::default(),
            counted_from: Reading::default(),
            acts: Acts::default(),
            limits: Limits::begin(network::is_own(), deafens(setting.scenario)),
            paused: BTreeSet::new(),
            is_cut_off: false,
            notes: Vec::new(),
        }
    }

    /// Brings it to life: server peers, their proxies, the target, its proxies, consumers, in this order.
    pub(super) async fn start(&mut self, mutation: Option<Mutation>) -> Result<(), Unstarted> {
        for (name, _) in self.peers(Seat::Server) {
            let port = ports::free().map_err(PlayFailure::system("find a free port"))?;
            self.start_server(name, port).await?;
        }
        self.start_target().await?;
        for (name, peer) in self.peers(Seat::Consumer) {
            let dial = mutant::dial(mutation, self.wiring.dial(name));
            let consumer = self.world.start_consumer(self.setting, name, peer, dial).await?;
            self.consumers.insert(name.clone(), consumer);
        }
        Ok(())
    }

    fn peers(&self, seat: Seat) -> impl Iterator<Item = (&'w String, &'w W::Peer)> + use<'w, W> {
        let world = self.world;
        self.setting.scenario.world.iter().filter(move |(_, peer)| world.seat(peer) == seat)
    }

    /// Starts the peer `name`; the proxies that lead to it stay where they are.
    async fn start_server(&mut self, name: &str, port: u16) -> Result<(), PlayFailure> {
        let peer = &self.setting.scenario.world[name];
        let (running, place) = match self.world.server_address(peer) {
            Some(address) => (None, ServerPlace { instances: vec![address], stats: None }),
            None => {
                let program = self.world.server_program(&self.setting, name, peer, port)?;
                let running =
                    Running::start(&program).await.map_err(|ended| peer_not_started(name, &ended))?;
                let place = self.world.server_place(peer, &running.announced, port)?;
                (Some(running), place)
            }
        };
        let proxies = self.wiring.wire_servers(name, &place.instances, self.house.host()).await;
        let seen = proxies.map_err(PlayFailure::system("start a proxy"))?;
        self.seen.insert(name.to_owned(), seen);
        // Whoever works at a server that is started again finds it where it was.
        if !self.server_clients.contains_key(name)
            && let Some(client) = self.world.start_server_client(self.setting, name, peer, &place).await?
        {
            self.server_clients.insert(name.to_owned(), client);
        }
        self.servers.insert(name.to_owned(), Server { running, place, port });
        Ok(())
    }

    async fn start_target(&mut self) -> Result<(), Unstarted> {
        if self.setting.scenario.target.name.is_none() {
            return self.start_foreign_target().await;
        }
        let mut program = self.world.target_program(&self.setting, &self.seen)?;
        let mut probe = None;
        if program.has_probe {
            let port = ports::free().map_err(PlayFailure::system("find a free port"))?;
            probe = Some(ProbeAt::ask(&mut program, SocketAddr::new(self.setting.listen, port)));
        }
        let mut running = self.start_in_house(&program).await?;
        let at = running.address();
        self.wire_target(self.world.target_place(&running.announced), at).await?;
        let pid = running.pid().ok_or_else(|| Unstarted::Ended(gone(&program)))?;
        let views = probe.map(|probe| Box::new(inside::Probe::by(probe.client(at))) as Box<dyn Inside>);
        let outside = outside(pid, Some(&mut running)).await?;
        self.target = Some((Some(running), Sampler::new(outside, views.into_iter().collect())));
        Ok(())
    }

    async fn start_in_house(&mut self, program: &Program) -> Result<Running, Unstarted> {
        let started = self.house.start(program).await;
        Running::ready(program, started).await.map_err(Unstarted::Ended)
    }

    /// Starts the scenario's own command or image, or finds the process that it names.
    async fn start_foreign_target(&mut self) -> Result<(), Unstarted> {
        let Setting { scenario, seed, scratch, .. } = self.setting;
        let foreign = match self.foreign.take() {
            Some(foreign) => foreign,
            None => {
                let foreign = Foreign::new(&scenario.target, &self.seen, scratch, seed)?;
                self.notes.extend(foreign.not_measured());
                foreign
            }
        };
        let foreign = self.foreign.insert(foreign);
        let (program, place, views) = (foreign.program()?, foreign.place()?, foreign.views()?);
        let mut running = match &program {
            Some(program) => Some(self.start_in_house(program).await?),
            None => None,
        };
        self.wire_target(place, running.as_ref().map_or(LOOPBACK, Running::address)).await?;
        let pid = running.as_ref().map_or(scenario.target.pid, Running::pid);
        let pid =
            pid.ok_or_else(|| Unstarted::Ended(Ended::TargetDied { how: AS_SOON_AS_READY.to_owned() }))?;
        let outside = outside(pid, running.as_mut()).await?;
        self.target = Some((running, Sampler::new(outside.with_children(), views)));
        self.until_seen().await
    }

    /// Waits until every view inside answers: what serves it may come up after what consumers connect to.
    async fn until_seen(&mut self) -> Result<(), Unstarted> {
        let deadline = Instant::now() + SEEN_WITHIN;
        loop {
            let (running, sampler) = self.target().map_err(Unstarted::Ended)?;
            let Err(blind) = sampler.census() else { return Ok(()) };
            if let Some(ended) = ended(running.as_mut()).await {
                return Err(Unstarted::Ended(ended));
            }
            if Instant::now() >= deadline {
                let why = blind.to_string();
                return Err(Unstarted::Ended(Ended::NeverReady { within: SEEN_WITHIN, why }));
            }
            sleep(SEEN_PERIOD).await;
        }
    }

    /// Puts a proxy for each kind of consumer in front of the target at `place`, which is reached at `at`.
    async fn wire_target(&mut self, place: Option<String>, at: IpAddr) -> Result<(), PlayFailure> {
        let Some(place) = place else { return Ok(()) };
        for (name, _) in self.peers(Seat::Consumer) {
            let wired = self.wiring.wire_target(name, &place, at).await;
            wired.map_err(PlayFailure::system("start a proxy"))?;
        }
        Ok(())
    }

    fn target(&mut self) -> Result<&mut (Option<Running>, Sampler), Ended> {
        self.target.as_mut().ok_or_else(|| Ended::TargetDied { how: "it was not started again".to_owned() })
    }

    /// Looks at the target; how it ended, if it has.
    async fn look<T, E: Into<Ended>>(
        &mut self,
        look: impl FnOnce(&mut Sampler) -> Result<T, E>,
    ) -> Result<T, Ended> {
        let (running, sampler) = self.target()?;
        // A process that has ended and was not reaped can still be looked at.
        if let Some(ended) = ended(running.as_mut()).await {
            return Err(ended);
        }
        match look(sampler) {
            Ok(seen) => Ok(seen),
            Err(blind) => Err(match running {
                Some(running) => running.ended_by_now().await.unwrap_or_else(|| blind.into()),
                None => blind.into(),
            }),
        }
    }

    async fn read(&mut self) -> Result<Reading, Ended> {
        let unread = |error: WorldError| Ended::TargetDied { how: error.to_string() };
        let mut load = BTreeMap::new();
        for (name, peer) in self.peers(Seat::Server) {
            let Some(Server { place, .. }) = self.servers.get(name) else { continue };
            let mut of = self.world.server_load(peer, place).await.map_err(unread)?;
            if let Some(client) = self.server_clients.get_mut(name) {
                of.extend(client.load().await.map_err(unread)?);
            }
            load.insert(name.clone(), of);
        }
        for (name, consumer) in &mut self.consumers {
            load.insert(name.clone(), consumer.load().await.map_err(unread)?);
        }
        let asked = !self.setting.scenario.expect.each_cycle.is_empty();
        let gauges = if asked { self.look(Sampler::census).await?.gauges } else { BTreeMap::new() };
        Ok(Reading::new(load, self.wiring.links(), &self.acts, gauges))
    }

    /// Puts names to what was played, as far as the target still lives to be asked.
    pub(super) async fn measured(
        &mut self,
        played: Played,
        counts: CycleCounts,
        lasted: Duration,
    ) -> Measured {
        let mut audit = self.controls(played.counted(counts)).await;
        audit.extend(played.checks.audits());
        self.notes.extend(self.limits.notes(&Kernel::read()));
        self.notes.extend(network::why_not_own());
        if inventory::rose(&played.inventories) {
            self.house.lift_limits().await;
        }
        let Named { snapshots, awaits } = self.named(&played.inventories, true).await;
        Measured {
            snapshots,
            awaits,
            testimony: None,
            notes: self
                .notes
                .drain(..)
                .chain(played.restless)
                .chain(several_processes(&played.peak))
                .collect(),
            scenario_time: lasted,
            timeline: Timeline {
                exact: false,
                warm_up: counts.warm_up,
                planned: counts.planned(),
                cycles: played.cycles,
                peak: played.peak,
                trimmed: played.trimmed,
                audit,
                ended: played.ended,
            },
        }
    }

    /// Has the target hold a canary or let go of it; `false`: it has no probe to be told.
    async fn canary(&mut self, hold: bool) -> Result<bool, Ended> {
        let held = self.look(|sampler| match sampler.probe() {
            Some(probe) => probe.canary(hold).map(|()| true).map_err(blind),
            None => Ok(false),
        });
        held.await
    }

    /// Ends every program of the run, in order; says which did not end when asked to. The verdict stands, whatever they do.
    pub(super) async fn stop(mut self, within: Duration) -> Vec<String> {
        self.consumers.clear();
        let mut late = Vec::new();
        if let Some((Some(running), _)) = self.target.take() {
            late.extend(running.end(Signal::TERM, within).await.err());
        }
        self.house.close().await;
        self.wiring.shutdown().await;
        self.server_clients.clear();
        for running in std::mem::take(&mut self.servers).into_values().filter_map(|server| server.running) {
            late.extend(running.end(Signal::TERM, within).await.err());
        }
        late
    }
}

/// Whether listeners drop connects because a fault wants it: they stand still with their processes, or hear nothing.
fn deafens<P: PeerSpec>(scenario: &Scenario<P>) -> bool {
    let mut faults = scenario.cycle.iter().flat_map(|phase| &phase.faults);
    faults.any(|fault| fault.party().is_some() || fault.hangs_connects())
}

impl From<Blind> for Ended {
    fn from(blind: Blind) -> Self {
        Self::TargetDied { how: blind.to_string() }
    }
}

/// A probe that cannot be used.
fn blind(error: impl std::fmt::Display) -> Ended {
    Blind::Inside { view: "probe", why: error.to_string() }.into()
}

fn gone(program: &Program) -> Ended {
    Ended::TargetDied { how: format!("{} ended as soon as it was ready", program.name) }
}

/// A target that was ready and has ended.
const AS_SOON_AS_READY: &str = "it ended as soon as it was ready";

/// How the target ended, if it has; one that ran already is not ours to know.
async fn ended(running: Option<&mut Running>) -> Option<Ended> {
    running?.ended().await
}

/// Looks at the process `pid` from outside; one that cannot be looked at has ended, as a rule.
async fn outside(pid: u32, running: Option<&mut Running>) -> Result<Outside, Unstarted> {
    match Outside::new(pid) {
        Ok(outside) => Ok(outside),
        Err(error) => {
            let ended = match running {
                // It is hardly gone: whether it can be asked how it ended takes a moment.
                Some(running) => running.ended_by_now().await,
                None => None,
            };
            let how = format!("process {pid} cannot be looked at: {error}");
            Err(Unstarted::Ended(ended.unwrap_or(Ended::TargetDied { how })))
        }
    }
}

/// That a target is more than one process, and what that means for its figures.
fn several_processes(peak: &Census) -> Option<String> {
    let most = peak.gauges.get(PROCESSES_GAUGE).copied().filter(|most| *most > 1.0)?;
    Some(format!(
        "the target had up to {most} processes at once: fds, threads and RSS are those of all of them together, \
         tasks and heap of the first alone"
    ))
}

fn peer_not_started(name: &str, ended: &Ended) -> PlayFailure {
    PlayFailure::World(WorldError::Start { what: format!("`{name}`"), why: ended.to_string() })
}
