//! The cycle, the same in every engine: plant, disturb, heal, settle, census.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::checks::{Checks, Counted};
use super::inventory::Inventory;
use super::late::Late;
use super::mutant::Mutant;
use super::{CycleCounts, Mutation, Observer, Plant, Soaking, phases, soak};
use crate::census::Census;
use crate::explain::SiteSnapshot;
use crate::runner::{PhaseBegun, Stop};
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::scenario::suggest::{did_you_mean, list};
use crate::timeline::{Audit, CycleRecord, Ended, Trimmed};
use crate::verdict::PANICS_GAUGE;

/// Censuses taken over one watch window; the record keeps their floor.
const SAMPLES_PER_WATCH: u32 = 20;

/// At one of these samples, the last of a watch window, the target must be at rest once more.
const LAST_SAMPLES: u32 = 5;

/// How often the target is asked whether it is at rest, in parts of the watch window.
const SETTLE_POLLS_PER_WATCH: u32 = 20;

/// A target is not asked more often than this: asking costs it work.
const SETTLE_POLL_MIN: Duration = Duration::from_millis(10);

/// Scenario time between two samples for the high-water mark while the disturbance runs.
const PEAK_PERIOD: Duration = Duration::from_secs(1);

/// What a cycle needs from its engine. Times are scenario times at the engine's pace.
pub(super) trait Stage {
    /// Whether counts are exact, and nothing happens while they are taken.
    const EXACT: bool;

    /// Counts what the target holds now.
    async fn census(&mut self) -> Result<Census, Ended>;

    /// Counts what is cheap to count, for the high-water mark.
    async fn glance(&mut self) -> Result<Census, Ended> {
        self.census().await
    }

    /// The target's own figures.
    async fn gauges(&mut self) -> Result<BTreeMap<String, f64>, Ended>;

    /// Panics of the target since it started, as far as they are counted; an engine may put them into each census besides.
    fn panics(&mut self) -> Option<u64> {
        None
    }

    /// Waits for a moment of the scenario's clock.
    async fn wait_until(&mut self, at: Instant) {
        sleep_until(at).await;
    }

    /// Faults of links and processes that are at work now.
    fn faults_at_work(&self) -> usize;

    /// Has the target's side hold a canary; `false`: there is no way to.
    async fn hold_canary(&mut self) -> Result<bool, Ended>;

    /// Has it let go of that.
    async fn release_canary(&mut self) -> Result<(), Ended>;

    /// Carries out one event of the plan.
    async fn carry_out(&mut self, event: &PlannedEvent) -> Result<(), Ended>;

    /// Leaks one unit inside the target, on purpose.
    async fn plant(&mut self, plant: &Plant) -> Result<(), Ended>;

    /// Lists what the target holds by name: sites of heap and tasks, fds.
    async fn inventory(&mut self) -> Result<Inventory, Ended>;

    /// Asks the target's allocator to give back what is free; `None`: it cannot be asked, or had nothing to give.
    async fn trim(&mut self) -> Option<Trimmed> {
        None
    }

    /// Puts names to inventories: sites of what grew between the first and the last; and, with `awaits`, where tasks wait.
    ///
    /// That stops the target's runtime, which under load may miss the bound and then stand still for good: a live target that
    /// is to go on is not asked for it.
    async fn named(&mut self, inventories: &[Inventory], awaits: bool) -> Named;

    /// What so many counted cycles have shown: did the load land, did the disturbance disturb.
    async fn controls(&mut self, cycles: usize) -> Vec<Audit>;

    /// Counting starts: what parties have done so far is not the load of the counted cycles.
    async fn warm_up_is_over(&mut self) -> Result<(), Ended>;

    /// Hands on what happened on the links in this cycle, if anybody wants to know and the engine can repeat it.
    fn tell_events(&mut self, _cycle: usize, _observer: &mut dyn Observer) {}
}

/// How a run is played.
pub(super) struct Script<'a> {
    /// The plan of a cycle, counted from 0, warm-up included.
    pub plan: &'a dyn Fn(usize) -> Plan,
    /// How many of them.
    pub counts: CycleCounts,
    /// Leaks to plant.
    pub plants: &'a [Plant],
    /// Whether to end early.
    pub stop: &'a Stop,
    /// What is broken on purpose.
    pub mutation: Option<Mutation>,
    /// Until when, in the place of a count.
    pub soak: Option<Soaking<'a>>,
}

/// What inventories hold, by name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub snapshots: Vec<SiteSnapshot>,
    /// The await stack of one task for each place that has live tasks.
    pub awaits: Vec<(String, Vec<String>)>,
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Empty for a soak, whose cycles are told and not held.
    pub cycles: Vec<CycleRecord>,
    /// How many were played.
    pub done: usize,
    pub peak: Census,
    pub trimmed: Option<Trimmed>,
    pub ended: Option<Ended>,
    /// What the target held at the end of warm-up, half-way, and at the end of the run.
    pub inventories: Vec<Inventory>,
    /// Why the first counted cycle was not at rest that was not.
    pub restless: Option<String>,
    /// What the harness found out about itself.
    pub checks: Checks,
}

impl Played {
    /// Counted cycles that were played.
    pub(super) fn counted(&self, counts: CycleCounts) -> usize {
        self.done.saturating_sub(counts.warm_up)
    }
}

/// Plays every cycle of the script; what was measured before an early end is kept.
pub(super) async fn play<S: Stage>(
    stage: &mut S,
    script: &Script<'_>,
    observer: &mut dyn Observer,
) -> Played {
    let mut played = Played { cycles: room_for_records(script.counts.planned()), ..Played::default() };
    let ended = match (script.mutation, script.soak) {
        (None, Some(soaking)) => soak::play(stage, script, soaking, observer, &mut played).await,
        (Some(mutation), Some(soaking)) => {
            let mutant = &mut Mutant::new(stage, mutation);
            soak::play(mutant, script, soaking, observer, &mut played).await
        }
        (None, None) => play_cycles(stage, script, observer, &mut played).await,
        (Some(mutation), None) => {
            play_cycles(&mut Mutant::new(stage, mutation), script, observer, &mut played).await
        }
    };
    played.ended = ended.err();
    if played.ended.is_none() && script.soak.is_none() {
        played.trimmed = stage.trim().await;
    }
    count_panics(stage, &mut played.peak);
    played
}

/// Puts the target's panics into the high-water mark.
pub(super) fn count_panics<S: Stage>(stage: &mut S, peak: &mut Census) {
    if let Some(panics) = stage.panics() {
        let gauges = [(PANICS_GAUGE.to_owned(), panics as f64)].into();
        peak.peak(&Census { gauges, ..Census::default() });
    }
}

/// Room for every record from the start, its pages touched: a list that grows would look like a leak, and in sim it shares
/// its RSS with the target.
fn room_for_records(planned: usize) -> Vec<CycleRecord> {
    let mut records = vec![CycleRecord::default(); planned];
    std::hint::black_box(&mut records).clear();
    records
}

/// Room for the inventories that follow the first, its pages touched, to be left just before each is taken: of a thousand
/// stations one is megabytes, and in sim it shares its RSS with the target.
fn room_for_inventories(first: &Inventory) -> Vec<Inventory> {
    vec![first.clone(); INVENTORIES - 1]
}

async fn play_cycles<S: Stage>(
    stage: &mut S,
    script: &Script<'_>,
    observer: &mut dyn Observer,
    played: &mut Played,
) -> Result<(), Ended> {
    let began = Instant::now();
    let mut room = Vec::new();
    if script.counts.warm_up == 0 {
        played.checks.show_canary(stage).await?;
    }
    for cycle in 0..script.counts.planned() {
        let record = one_cycle(stage, script, cycle, began, played, observer).await?;
        stage.tell_events(cycle, observer);
        observer.cycle(&record);
        played.cycles.push(record);
        played.done += 1;
        if cycle + 1 == script.counts.warm_up {
            played.checks.show_canary(stage).await?;
        }
        if takes_inventory(cycle, script.counts) {
            drop(room.pop());
            let inventory = stage.inventory().await?;
            if played.inventories.is_empty() {
                room = room_for_inventories(&inventory);
            }
            played.inventories.push(Inventory { cycle, ..inventory });
            if cycle + 1 == script.counts.warm_up {
                stage.warm_up_is_over().await?;
            }
        }
    }
    played.checks.show_canary(stage).await?;
    Ok(())
}

/// How many inventories a run takes.
const INVENTORIES: usize = 3;

/// Inventories are taken at the end of warm-up, half-way through the counted cycles, and at the end.
fn takes_inventory(cycle: usize, counts: CycleCounts) -> bool {
    let done = cycle + 1;
    let after: [usize; INVENTORIES] = [counts.warm_up, counts.warm_up + counts.counted / 2, counts.planned()];
    after.contains(&done)
}

pub(super) async fn one_cycle<S: Stage>(
    stage: &mut S,
    script: &Script<'_>,
    cycle: usize,
    began: Instant,
    played: &mut Played,
    observer: &mut dyn Observer,
) -> Result<CycleRecord, Ended> {
    let (start, peak) = (Instant::now(), &mut played.peak);
    for plant in script.plants.iter().filter(|plant| plant.is_due(cycle, script.counts.warm_up)) {
        stage.plant(plant).await?;
    }
    let plan = (script.plan)(cycle);
    disturb(stage, &plan, peak, observer).await?;
    let healed = Instant::now();
    tell::<S>(observer, || phases::settling(&plan));
    let too_early = script.mutation == Some(Mutation::CensusTooEarly);
    let restless = if too_early { None } else { settle(stage, &plan, peak).await? };
    let settled = restless.is_none();
    let settled_after = settled.then(|| healed.elapsed());
    let faults_at_work = stage.faults_at_work();
    let (census, at_rest) = watch(stage, &plan, peak).await?;
    if cycle >= script.counts.warm_up {
        let (time, least) = (start.elapsed(), plan.disturbed_for + plan.settle.watch);
        played.checks.note(Counted { settled, at_rest, faults_at_work, time, least });
        if let (None, Some(why)) = (&played.restless, restless) {
            played.restless = Some(format!("cycle {cycle} was not at rest: {why}"));
        }
    }
    if script.stop.is_requested() {
        return Err(Ended::Interrupted);
    }
    Ok(CycleRecord { cycle, at: began.elapsed(), settled_after, census })
}

/// Carries out the plan's events at their times, sampling for the high-water mark in between.
async fn disturb<S: Stage>(
    stage: &mut S,
    plan: &Plan,
    peak: &mut Census,
    observer: &mut dyn Observer,
) -> Result<(), Ended> {
    let start = Instant::now();
    let (mut ahead, mut late) = (plan.phases.iter().enumerate().peekable(), Late::default());
    for event in &plan.events {
        while let Some((number, phase)) = ahead.next_if(|(_, phase)| phase.from <= event.at) {
            sample_until(stage, start + phase.from, peak).await?;
            tell::<S>(observer, || phases::begun(plan, number));
        }
        sample_until(stage, start + late.due(event), peak).await?;
        stage.carry_out(event).await?;
        if !S::EXACT {
            // A program took its time to start again, or this one had to wait for a processor.
            late.note(event, start.elapsed());
        }
    }
    for (number, phase) in ahead {
        sample_until(stage, start + phase.from, peak).await?;
        tell::<S>(observer, || phases::begun(plan, number));
    }
    sample_until(stage, start + plan.disturbed_for, peak).await
}

/// Where nobody could watch, nobody is told: a message is an allocation, and in sim the heap is shared with the target.
fn tell<S: Stage>(observer: &mut dyn Observer, phase: impl FnOnce() -> PhaseBegun) {
    if !S::EXACT {
        observer.phase(phase());
    }
}

async fn sample_until<S: Stage>(stage: &mut S, until: Instant, peak: &mut Census) -> Result<(), Ended> {
    let mut at = Instant::now();
    while at < until {
        at = until.min(at.max(Instant::now()) + PEAK_PERIOD);
        stage.wait_until(at).await;
        peak.peak(&stage.glance().await?);
    }
    Ok(())
}

/// Waits until the target is at rest; what it waited for in vain when that missed the bound.
async fn settle<S: Stage>(stage: &mut S, plan: &Plan, peak: &mut Census) -> Result<Option<String>, Ended> {
    let deadline = Instant::now() + plan.settle.within;
    let period = (plan.settle.watch / SETTLE_POLLS_PER_WATCH).max(SETTLE_POLL_MIN);
    loop {
        let gauges = stage.gauges().await?;
        if at_rest(&gauges, &plan.settle.until) {
            return Ok(None);
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(Some(unmet(&gauges, &plan.settle.until)));
        }
        stage.wait_until(deadline.min(now + period)).await;
        peak.peak(&stage.glance().await?);
    }
}

/// Whether every figure that `until` names has the value that means "at rest".
fn at_rest(gauges: &BTreeMap<String, f64>, until: &BTreeMap<String, f64>) -> bool {
    until.iter().all(|(name, want)| gauges.get(name) == Some(want))
}

/// The most figures of a target that are listed where a name is none of them.
const FIGURES_LISTED_MAX: usize = 12;

/// The figures of `until` that have another value, or are none of the target's.
fn unmet(gauges: &BTreeMap<String, f64>, until: &BTreeMap<String, f64>) -> String {
    let one = |(name, want): (&String, &f64)| match gauges.get(name) {
        Some(found) if found == want => None,
        Some(found) => Some(format!("`{name}` was {found}, not {want}")),
        None => Some(format!("the target has no figure `{name}`; {}", there_is(name, gauges))),
    };
    until.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

fn there_is(name: &str, gauges: &BTreeMap<String, f64>) -> String {
    let known: Vec<&str> = gauges.keys().map(String::as_str).collect();
    let more = if known.len() > FIGURES_LISTED_MAX { ", .." } else { "" };
    match known.as_slice() {
        [] => "it tells of none".to_owned(),
        known => {
            let listed = list(&known[..known.len().min(FIGURES_LISTED_MAX)]);
            format!("{}there is: {listed}{more}", did_you_mean(name, known))
        }
    }
}

/// The floor of the censuses over the watch window, and whether the target was at rest when it began and when it ended.
async fn watch<S: Stage>(stage: &mut S, plan: &Plan, peak: &mut Census) -> Result<(Census, bool), Ended> {
    let period = plan.settle.watch / SAMPLES_PER_WATCH;
    let mut next = Instant::now();
    let mut floor = stage.census().await?;
    peak.peak(&floor);
    let began_at_rest = at_rest(&stage.gauges().await?, &plan.settle.until);
    let mut ended_at_rest = false;
    for sample in 1..=SAMPLES_PER_WATCH {
        next += period;
        stage.wait_until(next).await;
        let census = stage.census().await?;
        peak.peak(&census);
        floor.floor(&census);
        // A queue that is empty at rest is not so at every moment.
        if !ended_at_rest && sample + LAST_SAMPLES > SAMPLES_PER_WATCH {
            ended_at_rest = at_rest(&stage.gauges().await?, &plan.settle.until);
        }
    }
    Ok((floor, began_at_rest && ended_at_rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_in_vain_is_told_with_what_there_is() {
        let figures =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let gauges: BTreeMap<String, f64> = figures(&[("sessions", 4.0), ("consumers", 1.0)]);
        let until = figures(&[("consumers", 1.0), ("sessions", 5.0)]);
        assert_eq!(unmet(&gauges, &until), "`sessions` was 4, not 5");
        assert_eq!(
            unmet(&gauges, &figures(&[("sesions", 4.0)])),
            "the target has no figure `sesions`; did you mean `sessions`? there is: `consumers`, `sessions`"
        );
        assert_eq!(unmet(&BTreeMap::new(), &until).matches("it tells of none").count(), 2);
        let many: BTreeMap<String, f64> = (0..100).map(|number| (format!("figure-{number}"), 1.0)).collect();
        assert!(unmet(&many, &until).len() < 1000, "however many a target has");
    }

    #[test]
    fn rest_needs_every_named_figure() {
        let figures =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let gauges: BTreeMap<String, f64> = figures(&[("sessions", 4.0), ("consumers", 1.0)]);
        assert!(at_rest(&gauges, &figures(&[("sessions", 4.0)])));
        assert!(!at_rest(&gauges, &figures(&[("sessions", 3.0)])));
        assert!(!at_rest(&gauges, &figures(&[("sessions", 4.0), ("unheard_of", 0.0)])));
    }
}
