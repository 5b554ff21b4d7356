//! Real programs, real TCP through the chaos proxy, the wall clock at the scenario's pace.
//!
//! The target and its server peers are programs (`program`), every link has its proxies (`wiring`), the target is looked at
//! from outside and inside (`sample`). Consumers run in this process.

mod ports;
mod program;
mod sample;
mod signals;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::process::Signal;
use tokio::runtime::Builder;
use tokio::time::Instant;
use watertight_probe::Tenant;

pub use program::{EXEC_ROLE, exec_role};

use self::program::Running;
use self::sample::{Sampler, blind};
use self::wiring::Wiring;
use super::audit::{self, Acts, Reading};
use super::cycle::{self, Named, Played, Script, Stage};
use super::inventory::{self, Inventory, NamedFd};
use super::storm::Storms;
use super::{CycleCounts, Measured, Mutation, Observer, Plant, Planted, PlayFailure, Wanted, mutant, pace};
use crate::census::Census;
use crate::chaos::Change;
use crate::chaos::toxics::kill;
use crate::scenario::Scenario;
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::timeline::{Audit, Ended, Timeline, Trimmed};
use crate::world::{Party, Program, Seat, ServerPlace, Setting, World};

/// How long programs that the run started may take to end in order, once it is over.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Plays `scenario` with programs of its own.
pub(super) fn play<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(PlayFailure::system("build the runtime"))?;
    let scratch = tempfile::tempdir().map_err(PlayFailure::system("make a temporary folder"))?;
    let pace = scenario.cycles.wall.map_or(1.0, |wall| wall.pace);
    let setting = Setting { scenario, seed: wanted.seed, pace, scratch: scratch.path() };
    let measured = runtime.block_on(run(world, setting, counts, wanted, observer));
    // Whatever a consumer still waits for ends with the runtime.
    runtime.shutdown_background();
    measured
}

async fn run<W: World>(
    world: &W,
    setting: Setting<'_, W::Peer>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let mut live = match Live::start(world, setting, wanted.mutation).await {
        Ok(live) => live,
        Err(Unstarted::Failure(failure)) => return Err(failure),
        Err(Unstarted::Ended(ended)) => return Ok(nothing_measured(counts, ended)),
    };
    let paced = pace::paced(setting.scenario, setting.pace);
    let plan = |cycle| Plan::compile(&paced, wanted.seed, cycle + wanted.cycles_before());
    let Wanted { plants, stop, mutation, soak, .. } = wanted;
    let script = Script { plan: &plan, counts, plants, stop, mutation, soak };
    let began = Instant::now();
    let played = cycle::play(&mut live, &script, observer).await;
    let lasted = began.elapsed();
    let measured = live.measured(played, counts, lasted).await;
    live.stop().await;
    Ok(measured)
}

/// A target that never came to life is a finding, not a failure of the harness.
fn nothing_measured(counts: CycleCounts, ended: Ended) -> Measured {
    Measured {
        timeline: Timeline {
            exact: false,
            warm_up: counts.warm_up,
            planned: counts.planned(),
            cycles: Vec::new(),
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            ended: Some(ended),
        },
        snapshots: Vec::new(),
        awaits: Vec::new(),
        testimony: None,
        notes: Vec::new(),
        scenario_time: Duration::ZERO,
    }
}

/// Why the world is not there.
enum Unstarted {
    Failure(PlayFailure),
    Ended(Ended),
}

impl<E: Into<PlayFailure>> From<E> for Unstarted {
    fn from(failure: E) -> Self {
        Self::Failure(failure.into())
    }
}

/// A server peer that runs as a program.
struct Server {
    running: Running,
    place: ServerPlace,
    /// The port it was given: it keeps that when it is started again.
    port: u16,
}

/// A world of programs.
struct Live<'w, W: World> {
    world: &'w W,
    setting: Setting<'w, W::Peer>,
    wiring: Wiring,
    servers: BTreeMap<String, Server>,
    /// Those who work at server peers beside the target.
    server_clients: BTreeMap<String, Box<dyn Party>>,
    /// The addresses of server peers as the target sees them: the proxies'.
    seen: BTreeMap<String, Vec<String>>,
    target: Option<(Running, Sampler)>,
    consumers: BTreeMap<String, Box<dyn Party>>,
    storms: Storms,
    counted_from: Reading,
    acts: Acts,
    /// Whose processes are stopped.
    paused: BTreeSet<String>,
    notes: Vec<String>,
}

impl<'w, W: World> Live<'w, W> {
    /// Brings the world to life: server peers, their proxies, the target, its proxies, consumers, in this order.
    async fn start(
        world: &'w W,
        setting: Setting<'w, W::Peer>,
        mutation: Option<Mutation>,
    ) -> Result<Self, Unstarted> {
        let mut live = Self {
            world,
            setting,
            wiring: Wiring::new(world, setting.scenario),
            servers: BTreeMap::new(),
            server_clients: BTreeMap::new(),
            seen: BTreeMap::new(),
            target: None,
            consumers: BTreeMap::new(),
            storms: Storms::default(),
            counted_from: Reading::default(),
            acts: Acts::default(),
            paused: BTreeSet::new(),
            notes: Vec::new(),
        };
        for (name, _) in live.peers(Seat::Server) {
            let port = ports::free().map_err(PlayFailure::system("find a free port"))?;
            live.start_server(name, port).await?;
        }
        live.start_target().await?;
        for (name, peer) in live.peers(Seat::Consumer) {
            let dial = mutant::dial(mutation, live.wiring.dial(name));
            let consumer = world.start_consumer(setting, name, peer, dial).await?;
            live.consumers.insert(name.clone(), consumer);
        }
        Ok(live)
    }

    fn peers(&self, seat: Seat) -> impl Iterator<Item = (&'w String, &'w W::Peer)> + use<'w, W> {
        let world = self.world;
        self.setting.scenario.world.iter().filter(move |(_, peer)| world.seat(peer) == seat)
    }

    /// Starts the peer `name`; the proxies that lead to it stay where they are.
    async fn start_server(&mut self, name: &str, port: u16) -> Result<(), PlayFailure> {
        let peer = &self.setting.scenario.world[name];
        let program = self.world.server_program(&self.setting, name, peer, port)?;
        let running = Running::start(&program).await.map_err(|ended| peer_not_started(name, &ended))?;
        let place = self.world.server_place(peer, &running.announced, port)?;
        let proxies = self.wiring.wire_servers(name, &place.instances).await;
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
        let mut program = self.target_program()?;
        let mut probe = None;
        if program.has_probe {
            let port = ports::free().map_err(PlayFailure::system("find a free port"))?;
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            program.env.push((watertight_probe::serve::ADDRESS_VARIABLE.into(), address.to_string().into()));
            probe = Some(address);
        }
        let running = Running::start(&program).await.map_err(Unstarted::Ended)?;
        if let Some(place) = self.world.target_place(&running.announced) {
            for (name, _) in self.peers(Seat::Consumer) {
                let wired = self.wiring.wire_target(name, &place).await;
                wired.map_err(PlayFailure::system("start a proxy"))?;
            }
        }
        let pid = running.pid().ok_or_else(|| Unstarted::Ended(gone(&program)))?;
        let sampler = Sampler::new(pid, probe).map_err(PlayFailure::system("look at a process"))?;
        self.target = Some((running, sampler));
        Ok(())
    }

    /// The program that is the target: the world's own, or the scenario's `command`.
    fn target_program(&mut self) -> Result<Program, PlayFailure> {
        let target = &self.setting.scenario.target;
        let Some(command) = &target.command else {
            return Ok(self.world.target_program(&self.setting, &self.seen)?);
        };
        if self.notes.is_empty() {
            self.notes.push("tasks, heap: not measured: the target has no probe".to_owned());
        }
        Ok(program::of_command("target", command, target.ready.as_ref()))
    }

    fn target(&mut self) -> Result<&mut (Running, Sampler), Ended> {
        self.target.as_mut().ok_or_else(|| Ended::TargetDied { how: "it was not started again".to_owned() })
    }

    /// Looks at the target; how it ended, if it has.
    fn look<T>(&mut self, look: impl FnOnce(&mut Sampler) -> Result<T, Ended>) -> Result<T, Ended> {
        let (running, sampler) = self.target()?;
        // A process that has ended and was not reaped can still be looked at.
        if let Some(ended) = running.ended() {
            return Err(ended);
        }
        look(sampler).map_err(|blind| running.ended().unwrap_or(blind))
    }

    async fn read(&mut self) -> Result<Reading, Ended> {
        let unread = |error: crate::world::WorldError| Ended::TargetDied { how: error.to_string() };
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
        let gauges = if asked { self.look(Sampler::census)?.gauges } else { BTreeMap::new() };
        Ok(Reading::new(load, self.wiring.links(), &self.acts, gauges))
    }

    /// Puts names to what was played, as far as the target still lives to be asked.
    async fn measured(&mut self, played: Played, counts: CycleCounts, lasted: Duration) -> Measured {
        let mut audit = self.controls(played.counted(counts)).await;
        audit.extend(played.checks.audits());
        let Named { snapshots, awaits } = self.named(&played.inventories, true).await;
        Measured {
            snapshots,
            awaits,
            testimony: None,
            notes: std::mem::take(&mut self.notes),
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
    fn canary(&mut self, hold: bool) -> Result<bool, Ended> {
        self.look(|sampler| match sampler.probe() {
            Some(probe) => probe.canary(hold).map(|()| true).map_err(blind),
            None => Ok(false),
        })
    }

    /// Ends every program of the run, in order.
    async fn stop(mut self) {
        self.consumers.clear();
        if let Some((running, _)) = self.target.take() {
            // The verdict stands; one that does not end in time is killed.
            let _late = running.stop(Signal::TERM, STOP_WITHIN).await;
        }
        self.wiring.shutdown().await;
        self.server_clients.clear();
        for (_, server) in self.servers {
            let _late = server.running.stop(Signal::TERM, STOP_WITHIN).await;
        }
    }
}

fn gone(program: &Program) -> Ended {
    Ended::TargetDied { how: format!("{} ended as soon as it was ready", program.name) }
}

fn peer_not_started(name: &str, ended: &Ended) -> PlayFailure {
    PlayFailure::World(crate::world::WorldError::Start { what: format!("`{name}`"), why: ended.to_string() })
}

/// Stacks that one request to the probe asks for; its bound is 1,000.
const STACKS_PER_REQUEST: usize = 500;

/// How long a task dump of the target may take.
const DUMP_WITHIN: Duration = Duration::from_secs(3);

/// Where one task of each spawning place waits.
fn awaits(probe: &watertight_probe::client::Client) -> Vec<(String, Vec<String>)> {
    let tasks = probe.tasks().unwrap_or_default();
    let dump = probe.dump(DUMP_WITHIN).unwrap_or_default();
    inventory::awaits(&tasks, dump)
}

impl<W: World> Stage for Live<'_, W> {
    const EXACT: bool = false;

    async fn census(&mut self) -> Result<Census, Ended> {
        self.look(Sampler::census)
    }

    /// A target that stands still cannot be asked, and holds what it held.
    async fn glance(&mut self) -> Result<Census, Ended> {
        if self.paused.contains(kill::TARGET) { Ok(Census::default()) } else { self.census().await }
    }

    async fn gauges(&mut self) -> Result<BTreeMap<String, f64>, Ended> {
        Ok(self.look(Sampler::census)?.gauges)
    }

    fn faults_at_work(&self) -> usize {
        self.paused.len() + self.wiring.links().values().map(|link| link.faults_at_work()).sum::<usize>()
    }

    async fn hold_canary(&mut self) -> Result<bool, Ended> {
        self.canary(true)
    }

    async fn release_canary(&mut self) -> Result<(), Ended> {
        self.canary(false).map(drop)
    }

    async fn carry_out(&mut self, event: &PlannedEvent) -> Result<(), Ended> {
        match (event.change, &event.link) {
            (Change::OpenConnection { n, abandon }, Some(link)) => {
                let hello = self.world.hello(&self.setting.scenario.world[link]);
                self.storms.open(&self.wiring.links()[link], &*self.wiring.dial(link), n, hello, abandon);
            }
            (Change::Kill { signal, within, restart }, _) => {
                self.acts.note(&event.fault);
                if let Some(peer) = event.fault.peer() {
                    return self.restart_peer(peer, signal, within).await;
                }
                self.kill(signal, within).await?;
                if restart {
                    self.start_target().await.map_err(not_restarted)?;
                }
            }
            (Change::Pause, _) => {
                self.pause(event.fault.party().unwrap_or(kill::TARGET), Signal::STOP)?;
                self.acts.note(&event.fault);
            }
            (Change::Resume, _) => self.pause(event.fault.party().unwrap_or(kill::TARGET), Signal::CONT)?,
            (Change::Reload, _) => {
                self.reload(&event.fault)?;
                self.acts.note(&event.fault);
            }
            (change, Some(link)) => self.wiring.links()[link].change(event.id, &event.fault, &change),
            (_, None) => {}
        }
        Ok(())
    }

    async fn plant(&mut self, plant: &Plant) -> Result<(), Ended> {
        self.look(|sampler| {
            let probe =
                sampler.probe().ok_or_else(|| blind("a plant needs a target with watertight's probe"))?;
            let amount = |amount: u64| usize::try_from(amount).unwrap_or(usize::MAX);
            let (bytes, tasks, fds) = match plant.what {
                Planted::Heap(bytes) => (amount(bytes), 0, 0),
                Planted::Task(count) => (0, amount(count), 0),
                Planted::Fd(count) => (0, 0, amount(count)),
            };
            let tenant = plant.tenant.as_deref();
            (0..plant.times).try_for_each(|_| probe.plant_for(tenant, bytes, tasks, fds).map_err(blind))
        })
    }

    async fn inventory(&mut self) -> Result<Inventory, Ended> {
        self.look(|sampler| {
            let Some(probe) = sampler.probe() else {
                let fds = inventory::fds_of(Some(sampler.pid())).iter().map(NamedFd::from).collect();
                return Ok(Inventory { fds, ..Inventory::default() });
            };
            let fds = probe.fds().map_err(blind)?.iter().map(NamedFd::from).collect();
            let sites = probe.sites(1).map_err(blind)?;
            let mut tenants = sites.tenants;
            // What belongs to nobody in particular is the target's at large.
            tenants.remove(&Tenant::NONE.id());
            let tasks = probe.tasks().map_err(blind)?;
            Ok(Inventory { cycle: 0, heap: sites.sites, tenants, spawners: sites.spawners, tasks, fds })
        })
    }

    async fn named(&mut self, inventories: &[Inventory], with_awaits: bool) -> Named {
        let rose = inventory::rose(inventories);
        let sampler = self.target.as_ref().map(|(_, sampler)| sampler).filter(|_| rose);
        let probe = sampler.and_then(Sampler::probe);
        let grown = inventory::grown_stacks(inventories);
        let sites: Vec<u32> = grown.values().copied().collect();
        let asked = sites.chunks(STACKS_PER_REQUEST).filter_map(|some| probe?.stacks(some).ok());
        let stacks = inventory::by_stack(&grown, asked.flatten().collect());
        let awaits = probe.filter(|_| with_awaits).map(awaits).unwrap_or_default();
        Named { snapshots: inventory::named(inventories, &stacks), awaits }
    }

    async fn controls(&mut self, cycles: usize) -> Vec<Audit> {
        match self.read().await {
            Ok(after) if cycles > 0 => {
                audit::audits(self.setting.scenario, &self.counted_from, &after, cycles)
            }
            _ => Vec::new(),
        }
    }

    async fn trim(&mut self) -> Option<Trimmed> {
        // What was measured stands, whatever becomes of this.
        self.look(|sampler| Ok(sampler.trim())).ok().flatten()
    }

    async fn warm_up_is_over(&mut self) -> Result<(), Ended> {
        self.counted_from = self.read().await?;
        Ok(())
    }
}

fn not_restarted(unstarted: Unstarted) -> Ended {
    match unstarted {
        Unstarted::Ended(ended) => ended,
        Unstarted::Failure(failure) => {
            Ended::TargetDied { how: format!("it could not be started again: {failure}") }
        }
    }
}
