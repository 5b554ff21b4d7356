//! A harness with one thing broken on purpose: the proof that its own controls would notice.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::Plant;
use super::cycle::{Named, Stage};
use super::inventory::Inventory;
use crate::census::Census;
use crate::chaos::{Change, Fault};
use crate::scenario::plan::PlannedEvent;
use crate::timeline::{Audit, Ended};
use crate::world::{BoxFuture, BoxStream, Dial};

/// What is broken. No command asks for one: the harness's own tests do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mutation {
    /// Every census repeats the first one.
    SamplerStuck,
    /// The target counts as settled at once.
    CensusTooEarly,
    /// Faults begin and never heal, so that the census is taken while they are at work.
    FaultsNeverHeal,
    /// Faults begin and end and do nothing.
    IdleToxics,
    /// Consumers never reach the target.
    NoLoad,
    /// What is to be planted is not.
    NothingPlanted,
    /// Every wait is over at once.
    ClockStands,
}

/// A wait where the clock stands: the runtime still needs to run.
const INSTANT: Duration = Duration::from_millis(1);

/// A stage on which one thing is broken.
pub(super) struct Mutant<'s, S> {
    stage: &'s mut S,
    mutation: Mutation,
    first: Option<Census>,
}

impl<'s, S: Stage> Mutant<'s, S> {
    pub(super) fn new(stage: &'s mut S, mutation: Mutation) -> Self {
        Self { stage, mutation, first: None }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }
}

impl<S: Stage> Stage for Mutant<'_, S> {
    const EXACT: bool = S::EXACT;

    async fn census(&mut self) -> Result<Census, Ended> {
        match &self.first {
            Some(first) if self.is(Mutation::SamplerStuck) => Ok(first.clone()),
            _ => {
                let census = self.stage.census().await?;
                self.first.get_or_insert_with(|| census.clone());
                Ok(census)
            }
        }
    }

    async fn gauges(&mut self) -> Result<BTreeMap<String, f64>, Ended> {
        self.stage.gauges().await
    }

    fn panics(&mut self) -> Option<u64> {
        self.stage.panics()
    }

    async fn wait_until(&mut self, at: Instant) {
        let at = if self.is(Mutation::ClockStands) { at.min(Instant::now() + INSTANT) } else { at };
        sleep_until(at).await;
    }

    fn faults_at_work(&self) -> usize {
        self.stage.faults_at_work()
    }

    async fn carry_out(&mut self, event: &PlannedEvent) -> Result<(), Ended> {
        match (self.mutation, event.change) {
            (Mutation::FaultsNeverHeal, Change::End | Change::Up) => Ok(()),
            (Mutation::IdleToxics, Change::OpenConnection { .. }) => Ok(()),
            (Mutation::IdleToxics, _) => self.stage.carry_out(&idle(event)).await,
            _ => self.stage.carry_out(event).await,
        }
    }

    async fn plant(&mut self, plant: &Plant) -> Result<(), Ended> {
        if self.is(Mutation::NothingPlanted) { Ok(()) } else { self.stage.plant(plant).await }
    }

    async fn hold_canary(&mut self) -> Result<bool, Ended> {
        self.stage.hold_canary().await
    }

    async fn release_canary(&mut self) -> Result<(), Ended> {
        self.stage.release_canary().await
    }

    async fn inventory(&mut self) -> Result<Inventory, Ended> {
        self.stage.inventory().await
    }

    async fn named(&mut self, inventories: &[Inventory], awaits: bool) -> Named {
        self.stage.named(inventories, awaits).await
    }

    async fn controls(&mut self, cycles: usize) -> Vec<Audit> {
        self.stage.controls(cycles).await
    }

    async fn warm_up_is_over(&mut self) -> Result<(), Ended> {
        self.stage.warm_up_is_over().await
    }
}

/// The same event, of a fault that takes hold of no connection if it is one of a link's.
fn idle(event: &PlannedEvent) -> PlannedEvent {
    if event.link.is_none() {
        return event.clone();
    }
    let idle = serde_json::to_value(&*event.fault).ok().and_then(|mut fault| {
        fault.get_mut(event.fault.name())?.as_object_mut()?.insert("p".to_owned(), "0".into());
        serde_json::from_value::<Fault>(fault).ok()
    });
    let idle = idle.expect("every fault of a link has a `p`");
    PlannedEvent { fault: Arc::new(idle), ..event.clone() }
}

/// `dial`, or one that leads nowhere if no load is to land.
pub(super) fn dial(mutation: Option<Mutation>, dial: Arc<dyn Dial>) -> Arc<dyn Dial> {
    if mutation == Some(Mutation::NoLoad) { Arc::new(Nowhere) } else { dial }
}

struct Nowhere;

impl Dial for Nowhere {
    fn dial(&self, _ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}
