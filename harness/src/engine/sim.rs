//! The simulation: one process, one thread, paused clock, in-memory streams.
//!
//! Target, peers and harness share the heap and the runtime; the probe's tenants tell them apart, so that a census counts the
//! target alone.

mod processes;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, RngSeed};
use tokio::time::Instant;
use watertight_probe::{Canary, Tenant, fds, frames, heap, panics, plant, process, tasks, tenant};

use super::audit::{self, Acts, Reading};
use super::cycle::{self, Named, Played, Script, Stage};
use super::inventory::{self, Inventory, NamedFd};
use super::storm::Storms;
use super::{CycleCounts, Measured, Observer, Plant, Planted, PlayFailure, Wanted, mutant};
use crate::census::Census;
use crate::chaos::link::{LinkEvent, LinkObserver};
use crate::chaos::sim::SimNet;
use crate::chaos::toxic::Side;
use crate::chaos::{Change, Link};
use crate::explain;
use crate::runner::Event;
use crate::scenario::Scenario;
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::timeline::{Audit, Ended, Timeline, Trimmed};
use crate::world::{
    BoxFuture, BoxStream, Dial, Party, SIM_TARGET_ADDRESS, SIM_TARGET_PARTY, SIM_WORLD_PARTY, Seat, Setting,
    SimTarget, World,
};

/// Those who live in the process of a simulation.
#[derive(Debug, Clone, Copy)]
struct Tenants {
    /// Plays, samples, records; counted by nobody.
    harness: Tenant,
    /// Peers, links and consumers.
    world: Tenant,
    /// The service under test: its children, and tenants that it registers at the root, are parts of it.
    target: Tenant,
}

impl Tenants {
    fn register() -> Self {
        Self {
            harness: Tenant::named("harness"),
            world: Tenant::named("world"),
            target: Tenant::named("target"),
        }
    }

    fn is_target(self, tenant: Tenant) -> bool {
        tenant != Tenant::NONE
            && ![self.harness, self.world, Tenant::PROBE].iter().any(|other| tenant.is_within(*other))
    }

    /// The parts of the target by their tenant's number, named by the path below its own tenant.
    fn parts(self) -> BTreeMap<u16, String> {
        let own = format!("{}/", self.target.name());
        let name = |path: String| path.strip_prefix(&own).map(str::to_owned).unwrap_or(path);
        tenant::all()
            .filter(|tenant| *tenant != self.target && self.is_target(*tenant))
            .map(|tenant| (tenant.id(), name(tenant.path())))
            .collect()
    }
}

/// Plays `scenario` in this process.
pub(super) fn play<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let tenants = Tenants::register();
    heap::leave_out_of_dhat(&[Tenant::NONE, tenants.harness, tenants.world]);
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).rng_seed(RngSeed::from_bytes(&wanted.seed.0.to_le_bytes()));
    tasks::install(&mut builder);
    let runtime = builder.build().map_err(PlayFailure::system("build the runtime"))?;
    let scratch = tempfile::tempdir().map_err(PlayFailure::system("make a temporary folder"))?;
    let setting = Setting {
        scenario,
        seed: wanted.seed,
        pace: 1.0,
        scratch: scratch.path(),
        listen: Ipv4Addr::LOCALHOST.into(),
    };
    runtime.block_on(tenants.harness.scope(run(world, setting, tenants, counts, wanted, observer)))
}

async fn run<W: World>(
    world: &W,
    setting: Setting<'_, W::Peer>,
    tenants: Tenants,
    counts: CycleCounts,
    wanted: Wanted<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, PlayFailure> {
    let mut sim = Sim::start(world, setting, tenants, wanted).await?;
    let plan = |cycle| Plan::compile(setting.scenario, wanted.seed, cycle + wanted.cycles_before());
    let Wanted { plants, stop, mutation, soak, .. } = wanted;
    let script = Script { plan: &plan, counts, plants, stop, mutation, soak };
    let began = tokio::time::Instant::now();
    let played = cycle::play(&mut sim, &script, observer).await;
    Ok(sim.measured(played, counts, began.elapsed()).await)
}

struct Sim<'w, W: World> {
    world: &'w W,
    setting: Setting<'w, W::Peer>,
    tenants: Tenants,
    net: SimNet,
    links: BTreeMap<String, Arc<Link>>,
    target: Option<Box<dyn SimTarget>>,
    parties: BTreeMap<String, Box<dyn Party>>,
    storms: Storms,
    counted_from: Reading,
    acts: Acts,
    began: Instant,
    log: Option<Arc<EventLog>>,
    /// Every site, for an inventory: megabytes, that are taken once.
    sites: Vec<heap::SiteCount>,
    canary: Option<Canary>,
}

impl<'w, W: World> Sim<'w, W> {
    /// Brings the world to life: server peers, the target, consumers, in this order.
    async fn start(
        world: &'w W,
        setting: Setting<'w, W::Peer>,
        tenants: Tenants,
        wanted: Wanted<'_>,
    ) -> Result<Self, PlayFailure> {
        let net = SimNet::new();
        let scenario = setting.scenario;
        let links = scenario
            .world
            .iter()
            .map(|(name, peer)| {
                let spec = scenario.links.get(name).cloned().unwrap_or_default();
                (name.clone(), net.link(name, &spec, peer_side(world.seat(peer))))
            })
            .collect();
        let log = wanted.events.then(Arc::<EventLog>::default);
        let mut sim = Self {
            world,
            setting,
            tenants,
            net,
            links,
            target: None,
            parties: BTreeMap::new(),
            storms: Storms::default(),
            counted_from: Reading::default(),
            acts: Acts::default(),
            began: Instant::now(),
            sites: Vec::new(),
            canary: None,
            log,
        };
        if let Some(log) = &sim.log {
            sim.links.values().for_each(|link| link.observe_with(Arc::clone(log) as Arc<dyn LinkObserver>));
        }
        for (name, _) in sim.peers(Seat::Server) {
            sim.start_server(name).await?;
        }
        sim.start_target().await?;
        for (name, peer) in sim.peers(Seat::Consumer) {
            let dial = mutant::dial(wanted.mutation, sim.dial(name));
            let started = world.start_consumer(setting, name, peer, dial);
            let party = tenants.world.scope(started).await?;
            sim.parties.insert(name.clone(), party);
        }
        Ok(sim)
    }

    fn peers(&self, seat: Seat) -> impl Iterator<Item = (&'w String, &'w W::Peer)> + use<'w, W> {
        let world = self.world;
        self.setting.scenario.world.iter().filter(move |(_, peer)| world.seat(peer) == seat)
    }

    async fn start_server(&mut self, name: &str) -> Result<(), PlayFailure> {
        let peer = &self.setting.scenario.world[name];
        let started = self.world.start_sim_server(self.setting, &self.net, name, peer);
        let party = self.tenants.world.scope(started).await?;
        self.parties.insert(name.to_owned(), party);
        Ok(())
    }

    async fn start_target(&mut self) -> Result<(), PlayFailure> {
        let started = self.world.start_sim_target(self.setting, &self.net);
        self.target = Some(self.tenants.target.scope(started).await?);
        Ok(())
    }

    /// Connects as a client of the link `name` would: to the peer's instances, or to the target.
    fn dial(&self, name: &str) -> Arc<dyn Dial> {
        let peer = &self.setting.scenario.world[name];
        let addresses = match self.world.seat(peer) {
            Seat::Server => {
                (0..self.world.instances(peer)).map(|ordinal| self.world.sim_address(name, ordinal)).collect()
            }
            Seat::Consumer => vec![SIM_TARGET_ADDRESS.to_owned()],
        };
        Arc::new(SimDial { net: self.net.clone(), link: Arc::clone(&self.links[name]), addresses })
    }

    async fn read(&mut self) -> Result<Reading, Ended> {
        let mut load = BTreeMap::new();
        for (name, party) in &mut self.parties {
            let of = party.load().await.map_err(|error| Ended::TargetDied { how: error.to_string() })?;
            load.insert(name.clone(), of);
        }
        let gauges = self.target.as_ref().map(|target| target.gauges()).unwrap_or_default();
        Ok(Reading::new(load, &self.links, &self.acts, gauges))
    }

    /// What dhat says of the target as it is now, at rest; `None`: it was not asked, or could not write its profile.
    fn testimony(&mut self) -> Option<heap::Testimony> {
        if heap::mode() != heap::Mode::Dhat {
            return None;
        }
        heap::sites_into(&mut self.sites);
        heap::testify(&self.sites).ok().flatten()
    }

    /// Puts names to what was played.
    async fn measured(mut self, played: Played, counts: CycleCounts, lasted: Duration) -> Measured {
        // Before anything moves again.
        let testimony = self.testimony();
        let mut audit = self.controls(played.counted(counts)).await;
        audit.extend(played.checks.audits());
        let Named { snapshots, awaits } = self.named(&played.inventories, true).await;
        Measured {
            snapshots,
            awaits,
            notes: notes()
                .into_iter()
                .chain(played.restless)
                .chain(testimony.as_ref().map(explain::alike))
                .collect(),
            testimony,
            scenario_time: lasted,
            timeline: Timeline {
                exact: true,
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
}

/// How long a task dump may take; on the paused clock that is no time at all unless something is stuck.
const DUMP_WITHIN: Duration = Duration::from_secs(3);

/// Where one task of each spawning place waits.
async fn awaits() -> Vec<(String, Vec<String>)> {
    let dump = tasks::dump_here(DUMP_WITHIN).await.unwrap_or_default();
    inventory::awaits(&tasks::live(), dump)
}

/// What this build or this process cannot measure.
fn notes() -> Vec<String> {
    let heap = match heap::mode() {
        heap::Mode::Dhat => Some("heap: counted by dhat".to_owned()),
        _ => heap::why_not_sites().map(|why| format!("heap: no call stacks: {why}")),
    };
    let tasks = tasks::why_not_tracked().map(|why| format!("tasks: not measured: {why}"));
    heap.into_iter().chain(tasks).collect()
}

/// The records of events on links, kept until the cycle is over.
#[derive(Debug, Default)]
struct EventLog(Mutex<Vec<(Instant, String)>>);

impl LinkObserver for EventLog {
    fn event(&self, at: Instant, link: &str, conn: u64, event: LinkEvent) {
        let _harness = Tenant::named("harness").enter();
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push((at, format!("{link}: connection {conn} {event:?}")));
    }
}

impl<W: World> Stage for Sim<'_, W> {
    const EXACT: bool = true;

    async fn census(&mut self) -> Result<Census, Ended> {
        let mut census = self.glance().await?;
        let real = fds::count(None).ok();
        census.fds = real.map(|real| real + self.net.sockets_of(SIM_TARGET_PARTY) as u64);
        census.threads = process::threads().ok();
        census.rss_bytes = process::rss_bytes().ok();
        Ok(census)
    }

    async fn glance(&mut self) -> Result<Census, Ended> {
        let tenants = self.tenants;
        let live = match heap::mode() {
            // It is shown the target alone, and its own count is wanted.
            heap::Mode::Dhat => heap::live(),
            _ => heap::live_of(|tenant| tenants.is_target(tenant)).or_else(heap::live),
        };
        Ok(Census {
            tasks: tasks::why_not_tracked()
                .is_none()
                .then(|| tasks::count(|tenant| tenants.is_target(tenant))),
            heap_blocks: live.map(|live| live.blocks),
            heap_bytes: live.map(|live| live.bytes),
            ..Census::default()
        })
    }

    async fn gauges(&mut self) -> Result<BTreeMap<String, f64>, Ended> {
        if let Some(how) = self.target.as_mut().and_then(|target| target.ended()) {
            return Err(Ended::TargetDied { how });
        }
        Ok(self.target.as_ref().map(|target| target.gauges()).unwrap_or_default())
    }

    fn panics(&mut self) -> Option<u64> {
        Some(panics::count(|tenant| self.tenants.is_target(tenant)))
    }

    fn faults_at_work(&self) -> usize {
        self.links.values().map(|link| link.faults_at_work()).sum()
    }

    async fn hold_canary(&mut self) -> Result<bool, Ended> {
        let canary = Canary::hold(self.tenants.target, &Handle::current());
        let canary = canary
            .map_err(|error| Ended::TargetDied { how: format!("cannot hold a descriptor: {error}") })?;
        self.canary = Some(canary);
        Ok(true)
    }

    async fn release_canary(&mut self) -> Result<(), Ended> {
        if let Some(canary) = self.canary.take() {
            canary.release().await;
        }
        Ok(())
    }

    async fn carry_out(&mut self, event: &PlannedEvent) -> Result<(), Ended> {
        match event.change {
            Change::OpenConnection { n, abandon } => {
                if let Some(link) = &event.link {
                    let _world = self.tenants.world.enter();
                    let hello = self.world.hello(&self.setting.scenario.world[link]);
                    self.storms.open(&self.links[link], &*self.dial(link), n, hello, abandon);
                }
                Ok(())
            }
            Change::Kill { signal, within, restart } => {
                self.acts.note(&event.fault);
                if let Some(peer) = event.fault.peer() {
                    return self.restart_peer(peer, event, within).await;
                }
                self.kill(signal, within).await?;
                if restart {
                    self.start_target()
                        .await
                        .map_err(|error| Ended::TargetDied { how: error.to_string() })?;
                }
                Ok(())
            }
            Change::Pause => {
                self.stand_still(event, &Change::Begin);
                self.acts.note(&event.fault);
                Ok(())
            }
            Change::Resume => {
                self.stand_still(event, &Change::End);
                Ok(())
            }
            Change::Partition | Change::Repair => {
                self.partition(event);
                Ok(())
            }
            Change::Reload => {
                self.reload(&event.fault).await?;
                self.acts.note(&event.fault);
                Ok(())
            }
            change => {
                if let Some(link) = &event.link {
                    let _world = self.tenants.world.enter();
                    self.links[link].change(event.id, &event.fault, &change);
                }
                Ok(())
            }
        }
    }

    async fn plant(&mut self, plant: &Plant) -> Result<(), Ended> {
        let _owner = match &plant.tenant {
            Some(name) => self.tenants.target.part(name).enter(),
            None => self.tenants.target.enter(),
        };
        for _ in 0..plant.times {
            plant_one(plant.what)?;
        }
        Ok(())
    }

    async fn inventory(&mut self) -> Result<Inventory, Ended> {
        let tenants = self.tenants;
        heap::sites_into(&mut self.sites);
        let is_live = |site: &&heap::SiteCount| site.live_blocks > 0 && tenants.is_target(site.owner());
        let mut heap = Vec::with_capacity(self.sites.iter().filter(is_live).count());
        heap.extend(self.sites.iter().filter(is_live));
        let mut live = tasks::live();
        live.retain(|task| tenants.is_target(task.owner()));
        let sockets = self.net.open_endpoints(SIM_TARGET_PARTY).into_iter();
        let sockets = sockets.map(|socket| NamedFd { what: socket.to_string(), opened_at: None });
        let fds = inventory::fds_of(None).iter().map(NamedFd::from).chain(sockets).collect();
        let spawned = |site: &heap::SiteCount| Some((site.spawner, tasks::spawned_at(site.spawner)?));
        let spawners = heap.iter().filter_map(spawned).collect();
        let tenants = tenants.parts();
        Ok(Inventory { cycle: 0, heap, tenants, spawners, tasks: live, fds, named: Vec::new() })
    }

    async fn named(&mut self, inventories: &[Inventory], with_awaits: bool) -> Named {
        let awaits = if with_awaits && inventory::rose(inventories) { awaits().await } else { Vec::new() };
        let grown = inventory::grown_stacks(inventories);
        let stacks = inventory::by_stack(&grown, frames::resolve(grown.values().copied()));
        frames::forget();
        Named { snapshots: inventory::named(inventories, &stacks), awaits }
    }

    async fn controls(&mut self, cycles: usize) -> Vec<Audit> {
        match self.read().await {
            Ok(after) => audit::audits(self.setting.scenario, &self.counted_from, &after, cycles),
            Err(_) => Vec::new(),
        }
    }

    async fn trim(&mut self) -> Option<Trimmed> {
        let rss_before_bytes = process::rss_bytes().ok()?;
        let gave = heap::trim();
        let rss_after_bytes = process::rss_bytes().ok()?;
        gave.then_some(Trimmed { rss_before_bytes, rss_after_bytes })
    }

    async fn warm_up_is_over(&mut self) -> Result<(), Ended> {
        self.counted_from = self.read().await?;
        Ok(())
    }

    fn tell_events(&mut self, cycle: usize, observer: &mut dyn Observer) {
        let Some(log) = &self.log else { return };
        let mut events = log.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, what) in events.drain(..) {
            observer.event(Event { cycle, at: at - self.began, what });
        }
    }
}

/// Leaks once, on behalf of whoever is in force.
fn plant_one(what: Planted) -> Result<(), Ended> {
    let failed = |error| Ended::TargetDied { how: format!("cannot plant a descriptor: {error}") };
    match what {
        Planted::Heap(bytes) => plant::heap(usize::try_from(bytes).unwrap_or(usize::MAX)),
        Planted::Task(count) => (0..count).for_each(|_| plant::task()),
        Planted::Fd(count) => (0..count).try_for_each(|_| plant::fd()).map_err(failed)?,
    }
    Ok(())
}

/// The side of its link at which a peer sits.
pub(super) fn peer_side(seat: Seat) -> Side {
    match seat {
        Seat::Server => Side::Server,
        Seat::Consumer => Side::Client,
    }
}

/// Opens connections over one simulated link.
struct SimDial {
    net: SimNet,
    link: Arc<Link>,
    addresses: Vec<String>,
}

impl Dial for SimDial {
    fn dial(&self, ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>> {
        let (net, link) = (self.net.clone(), Arc::clone(&self.link));
        let address = self.addresses[ordinal % self.addresses.len()].clone();
        Box::pin(
            async move { Ok(Box::new(net.connect(SIM_WORLD_PARTY, &link, &address).await?) as BoxStream) },
        )
    }
}
