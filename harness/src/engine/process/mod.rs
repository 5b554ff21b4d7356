//! Real programs, real TCP through the chaos proxy, the wall clock at the scenario's pace.
//!
//! The target and its server peers are programs (`program`), every link has its proxies (`wiring`), the target is looked at
//! from outside and inside ([`Sampler`]). Consumers run in this process.

mod foreign;
mod here;
mod oom;
mod orphans;
mod output;
mod ports;
mod probe_at;
mod program;
mod signals;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};
use watertight_probe::Tenant;

pub use program::{EXEC_ROLE, exec_role};

use self::foreign::Foreign;
use self::here::{Here, LOOPBACK};
use self::orphans::Heir;
use self::probe_at::ProbeAt;
use self::program::Running;
use self::wiring::Wiring;
use super::audit::{self, Acts, Reading};
use super::cycle::{self, Named, Played, Script, Stage};
use super::inventory::{self, Inventory, NamedFd};
use super::network::{self, Kernel, Limits};
use super::storm::Storms;
use super::{CycleCounts, Measured, Mutation, Observer, Plant, Planted, PlayFailure, Wanted, mutant, pace};
use crate::census::outside::PROCESSES_GAUGE;
use crate::census::{Blind, Census, Inside, Outside, Sampler, inside};
use crate::chaos::Change;
use crate::chaos::toxics::kill;
use crate::housing::{House, Lease};
use crate::scenario::Scenario;
use crate::scenario::model::{EngineKind, PeerSpec};
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::timeline::{Audit, Ended, Timeline, Trimmed};
use crate::world::{Party, Program, Seat, ServerPlace, Setting, World, WorldError};

/// How long programs that the run started may take to end in order, once it is over.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The same when somebody waits for the run to end early: whoever asked for it kills it soon after.
const STOP_EARLY_WITHIN: Duration = Duration::from_secs(2);

/// How long the views inside of a target that is ready may take to answer, and how often they are asked.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
const SEEN_PERIOD: Duration = Duration::from_millis(50);

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
    let heir = Heir::begin().map_err(PlayFailure::system("inherit what programs leave behind"))?;
    let scratch = tempfile::tempdir().map_err(PlayFailure::system("make a temporary folder"))?;
    let pace = scenario.cycles.wall.map_or(1.0, |wall| wall.pace);
    let mut measured = runtime.block_on(async {
        let house = house(world, scenario, wanted.engine, scratch.path()).await?;
        let (seed, scratch, listen) = (wanted.seed, scratch.path(), house.listen());
        let setting = Setting { scenario, seed, pace, scratch, listen };
        run(world, setting, house, counts, wanted, observer).await
    });
    let swept = runtime.block_on(heir.sweep());
    if let Ok(measured) = &mut measured {
        measured.notes.extend(left_behind(swept));
    }
    // Whatever a consumer still waits for ends with the runtime.
    runtime.shutdown_background();
    measured
}

/// Where the target is to live.
async fn house<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    engine: EngineKind,
    scratch: &Path,
) -> Result<Box<dyn House>, PlayFailure> {
    if engine != EngineKind::Container {
        return Ok(Box::new(Here));
    }
    let none = || WorldError::Unknown("this program is built without containers".to_owned());
    let target = &scenario.target;
    let limits = target.limits.unwrap_or_default();
    let lease = Lease { image: target.image.as_deref(), limits, scratch };
    Ok(world.houses().ok_or_else(none)?.open(lease).await?)
}

async fn run<W: World>(
    world: &W,
    setting: Setting<'_, W::Peer>,
    house: Box<dyn House>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let mut live = Live::new(world, setting, house);
    if let Err(unstarted) = live.start(wanted.mutation).await {
        live.stop(STOP_EARLY_WITHIN).await;
        return match unstarted {
            Unstarted::Failure(failure) => Err(failure),
            Unstarted::Ended(ended) => Ok(nothing_measured(counts, ended)),
        };
    }
    let paced = pace::paced(setting.scenario, setting.pace);
    let plan = |cycle| Plan::compile(&paced, wanted.seed, cycle + wanted.cycles_before());
    let Wanted { plants, stop, mutation, soak, .. } = wanted;
    let script = Script { plan: &plan, counts, plants, stop, mutation, soak };
    let began = Instant::now();
    let played = cycle::play(&mut live, &script, observer).await;
    let lasted = began.elapsed();
    let mut measured = live.measured(played, counts, lasted).await;
    let is_early = measured.timeline.ended == Some(Ended::Interrupted);
    measured.notes.extend(live.stop(if is_early { STOP_EARLY_WITHIN } else { STOP_WITHIN }).await);
    Ok(measured)
}

/// Processes that were still there once every program had been ended, in a sentence.
fn left_behind(swept: Result<usize, usize>) -> Option<String> {
    match swept {
        Ok(0) => None,
        Ok(count) => {
            Some(format!("processes that outlived the programs which started them: {count}, all killed"))
        }
        Err(count) => {
            Some(format!("processes that outlived the run: {count} could not be killed: end them by hand"))
        }
    }
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

/// A server peer.
struct Server {
    /// Its program; `None`: it ran already.
    running: Option<Running>,
    place: ServerPlace,
    /// The port it was given: it keeps that when it is started again.
    port: u16,
}

/// A world of programs.
struct Live<'w, W: World> {
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
    fn new(world: &'w W, setting: Setting<'w, W::Peer>, house: Box<dyn House>) -> Self {
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
    async fn start(&mut self, mutation: Option<Mutation>) -> Result<(), Unstarted> {
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
        let outside = outside(pid, Some(&mut running))?;
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
        let outside = outside(pid, running.as_mut())?;
        self.target = Some((running, Sampler::new(outside.with_children(), views)));
        self.until_seen().await
    }

    /// Waits until every view inside answers: what serves it may come up after what consumers connect to.
    async fn until_seen(&mut self) -> Result<(), Unstarted> {
        let deadline = Instant::now() + SEEN_WITHIN;
        loop {
            let (running, sampler) = self.target().map_err(Unstarted::Ended)?;
            let Err(blind) = sampler.census() else { return Ok(()) };
            if let Some(ended) = running.as_mut().and_then(Running::ended) {
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
        let mut ended = || running.as_mut().and_then(Running::ended);
        if let Some(ended) = ended() {
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
        let gauges = if asked { self.look(Sampler::census).await?.gauges } else { BTreeMap::new() };
        Ok(Reading::new(load, self.wiring.links(), &self.acts, gauges))
    }

    /// Puts names to what was played, as far as the target still lives to be asked.
    async fn measured(&mut self, played: Played, counts: CycleCounts, lasted: Duration) -> Measured {
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
            notes: self.notes.drain(..).chain(several_processes(&played.peak)).collect(),
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
    async fn stop(mut self, within: Duration) -> Vec<String> {
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

/// Looks at the process `pid` from outside; one that cannot be looked at has ended, as a rule.
fn outside(pid: u32, running: Option<&mut Running>) -> Result<Outside, Unstarted> {
    let not_there = |error: std::io::Error| {
        let how = format!("process {pid} cannot be looked at: {error}");
        running.and_then(Running::ended).unwrap_or(Ended::TargetDied { how })
    };
    Outside::new(pid).map_err(|error| Unstarted::Ended(not_there(error)))
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
        let mut census = self.look(Sampler::census).await?;
        census.gauges.extend(self.target()?.0.iter().flat_map(Running::gauges));
        Ok(census)
    }

    /// A target that stands still, or is cut off, cannot be asked.
    async fn glance(&mut self) -> Result<Census, Ended> {
        let is_out_of_reach = self.is_cut_off || self.paused.contains(kill::TARGET);
        if is_out_of_reach { Ok(Census::default()) } else { self.census().await }
    }

    async fn gauges(&mut self) -> Result<BTreeMap<String, f64>, Ended> {
        Ok(self.look(Sampler::census).await?.gauges)
    }

    fn faults_at_work(&self) -> usize {
        self.paused.len()
            + usize::from(self.is_cut_off)
            + self.wiring.links().values().map(|link| link.faults_at_work()).sum::<usize>()
    }

    async fn hold_canary(&mut self) -> Result<bool, Ended> {
        self.canary(true).await
    }

    async fn release_canary(&mut self) -> Result<(), Ended> {
        self.canary(false).await.map(drop)
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
                self.pause(event.fault.party().unwrap_or(kill::TARGET), Signal::STOP).await?;
                self.acts.note(&event.fault);
            }
            (Change::Resume, _) => {
                self.pause(event.fault.party().unwrap_or(kill::TARGET), Signal::CONT).await?;
            }
            (Change::Partition, _) => {
                self.cut_off(event, true).await?;
                self.acts.note(&event.fault);
            }
            (Change::Repair, _) => self.cut_off(event, false).await?,
            (Change::Reload, _) => {
                self.reload(&event.fault).await?;
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
        .await
    }

    async fn inventory(&mut self) -> Result<Inventory, Ended> {
        self.look(|sampler| {
            let Some(probe) = sampler.probe() else {
                let fds = sampler.outside().fds().iter().map(NamedFd::from).collect();
                let named = sampler.sites()?;
                return Ok::<_, Ended>(Inventory { fds, named, ..Inventory::default() });
            };
            let fds = probe.fds().map_err(blind)?.iter().map(NamedFd::from).collect();
            let sites = probe.sites(1).map_err(blind)?;
            let mut tenants = sites.tenants;
            // What belongs to nobody in particular is the target's at large.
            tenants.remove(&Tenant::NONE.id());
            let tasks = probe.tasks().map_err(blind)?;
            let (heap, spawners) = (sites.sites, sites.spawners);
            Ok(Inventory { heap, tenants, spawners, tasks, fds, ..Inventory::default() })
        })
        .await
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
        let mut audits = match self.read().await {
            Ok(after) if cycles > 0 => {
                audit::audits(self.setting.scenario, &self.counted_from, &after, cycles)
            }
            _ => Vec::new(),
        };
        audits.extend(self.limits.audits(&Kernel::read()));
        audits
    }

    async fn trim(&mut self) -> Option<Trimmed> {
        // What was measured stands, whatever becomes of this.
        self.look(|sampler| Ok::<_, Ended>(sampler.trim())).await.ok().flatten()
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
