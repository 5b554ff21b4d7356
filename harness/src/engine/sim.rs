//! The simulation: one process, one thread, paused clock, in-memory streams.
//!
//! Target, peers and harness share the heap and the runtime; the probe's tenants tell them apart, so that a census counts the
//! target alone.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, RngSeed};
use tokio::time::timeout;
use watertight_probe::{Tenant, fds, heap, panics, process, tasks};

use super::audit::Audits;
use super::cycle::{self, Played, Script, Stage};
use super::storm::Storms;
use super::{Measured, Options, PlayFailure, Plant, inventory, plant};
use crate::census::Census;
use crate::chaos::sim::SimNet;
use crate::chaos::{Change, Link};
use crate::explain::Inventory;
use crate::scenario::Scenario;
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::timeline::Ended;
use crate::world::{
    BoxFuture, BoxStream, Dial, Party, SIM_TARGET_ADDRESS, Seat, Setting, SimTarget, World, WorldError,
};

/// Those who live in the process of a simulation.
#[derive(Debug, Clone, Copy)]
struct Tenants {
    /// Plays, samples, records; counted by nobody.
    harness: Tenant,
    /// Peers and links.
    world: Tenant,
    /// The service under test: every other tenant is a part of it.
    target: Tenant,
}

impl Tenants {
    fn register() -> Self {
        Self { harness: Tenant::named("harness"), world: Tenant::named("world"), target: Tenant::named("target") }
    }

    fn is_target(self, tenant: Tenant) -> bool {
        tenant != self.harness && tenant != self.world && tenant != Tenant::NONE
    }
}

/// Plays `scenario` in this process.
pub(super) fn play<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    options: &Options<'_>,
) -> Result<Measured, PlayFailure> {
    let tenants = Tenants::register();
    panics::install();
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).rng_seed(RngSeed::from_bytes(&options.seed.0.to_le_bytes()));
    tasks::install(&mut builder);
    let runtime = builder.build().map_err(PlayFailure::Runtime)?;
    runtime.block_on(tenants.harness.scope(run(world, scenario, options, tenants)))
}

async fn run<W: World>(
    world: &W,
    scenario: &Scenario<W::Peer>,
    options: &Options<'_>,
    tenants: Tenants,
) -> Result<Measured, PlayFailure> {
    let scratch = tempfile::tempdir().map_err(PlayFailure::Scratch)?;
    let setting = Setting { scenario, seed: options.seed, pace: 1.0, scratch: scratch.path() };
    let mut sim = Sim::start(world, setting, tenants, options).await?;
    let plan = |cycle| Plan::compile(scenario, options.seed, cycle, 1.0);
    let script = Script { plan: &plan, warm_up: options.warm_up, planned: options.planned(), plants: options.plants };
    let played = cycle::play(&mut sim, &script, options.stop, |record| (options.each)(record)).await;
    let audit = sim.audits.finish(&mut sim.parties, &sim.links, played.cycles.len()).await;
    Ok(Measured::new(played, audit, true, options))
}

struct Sim<'w, W: World> {
    world: &'w W,
    setting: Setting<'w, W::Peer>,
    tenants: Tenants,
    net: SimNet,
    links: BTreeMap<String, Arc<Link>>,
    target: Option<Box<dyn SimTarget>>,
    parties: BTreeMap<String, Box<dyn Party>>,
}
