//! The world of programs as the stage that a cycle plays on.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;
use watertight_probe::Tenant;

use super::{Live, Unstarted, blind};
use crate::census::{Census, Sampler};
use crate::chaos::Change;
use crate::chaos::toxics::kill;
use crate::engine::cycle::{Named, Stage};
use crate::engine::inventory::{self, Inventory, NamedFd};
use crate::engine::network::Kernel;
use crate::engine::process::program::Running;
use crate::engine::{Plant, Planted, audit};
use crate::scenario::plan::PlannedEvent;
use crate::timeline::{Audit, Ended, Trimmed};
use crate::world::World;

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

    /// The probe counts them in each census; one that ends the target is no longer told there, and stands in its last words.
    fn panics(&mut self) -> Option<u64> {
        let (running, sampler) = self.target.as_ref()?;
        sampler.probe()?;
        running.as_ref().map(Running::panics)
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
