//! A run with a clock in the place of a count: the same cycle, as often as there is time for it.
//!
//! Nothing is held that grows with the run: cycles are told and forgotten, and of inventories the first and the last few are
//! kept, so that what grows can be named whenever somebody asks.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cycle::{Named, Played, Script, Stage, count_panics, one_cycle};
use super::inventory::Inventory;
use super::{Observer, Soaking};
use crate::explain::{self, Finding, SiteSnapshot};
use crate::report::soak::{Capture, CaptureReason, Checkpoint};
use crate::runner::{Event, Stop};
use crate::scenario::plan::{Plan, PlannedEvent};
use crate::timeline::{CycleRecord, Ended};

/// Cycles between the first checkpoints; later ones come after another quarter of what was played.
const CHECKPOINT_CYCLES: usize = 5;

/// Inventories kept beside the first. With a quarter more cycles from one to the next, the oldest was taken half-way.
const LATEST: usize = 4;

/// Things of one kind that a capture lists.
const LISTED_MAX: usize = 50;

/// Sites that a capture names: each with its stack, some kilobytes.
const SITES_MAX: usize = 200;

/// Events told of one cycle, the last ones.
const EVENTS_MAX: usize = 64;

/// How long the cycle in flight may take to its end once the run is to end.
const LAST_CYCLE_WITHIN: Duration = Duration::from_secs(15);

/// How often the wish to end is looked for.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Plays cycles until the time is over.
pub(super) async fn play<S: Stage>(
    stage: &mut S,
    script: &Script<'_>,
    soaking: Soaking<'_>,
    observer: &mut dyn Observer,
    played: &mut Played,
) -> Result<(), Ended> {
    let mut soak = Soak { script, soaking, began: Instant::now(), kept: Kept::default(), next: 0 };
    let mut ended = soak.cycles(stage, observer, played).await;
    if ended.is_ok() && !soak.kept.is_empty() {
        ended = played.checks.show_canary(stage).await;
    }
    if ended.is_ok() && !soak.kept.is_empty() {
        // Before names are looked up, which takes and gives back memory of the target's process.
        played.trimmed = stage.trim().await;
        ended = soak.take_inventory(stage, played.done).await;
    }
    // Where it was cut off, what was listed last is what is known.
    let three = soak.kept.three();
    let named = stage.named(&three, true).await;
    observer.capture(Capture { at: soak.began.elapsed(), ..captured(CaptureReason::End, &three, named) });
    ended
}

struct Soak<'a> {
    script: &'a Script<'a>,
    soaking: Soaking<'a>,
    began: Instant,
    kept: Kept,
    /// Counted cycles at which the next checkpoint is due.
    next: usize,
}

impl Soak<'_> {
    async fn cycles<S: Stage>(
        &mut self,
        stage: &mut S,
        observer: &mut dyn Observer,
        played: &mut Played,
    ) -> Result<(), Ended> {
        let warm_up = self.script.counts.warm_up;
        while self.began.elapsed() < self.soaking.lasts || played.done <= warm_up {
            let (cycle, from) = (played.done, self.began.elapsed());
            let record = self.cycle(stage, cycle, observer, played).await?;
            if !S::EXACT {
                self.tell_plan(cycle, from, observer);
            }
            observer.cycle(&record);
            played.done += 1;
            if played.done == warm_up {
                self.warm_up_is_over(stage, played).await?;
            } else if played.counted(self.script.counts) >= self.next.max(1) {
                self.checkpoint(stage, &record, observer, played).await?;
            }
            if self.soaking.asked.take() && !self.kept.is_empty() {
                let capture = self.capture(stage, &record).await?;
                observer.capture(capture);
            }
        }
        Ok(())
    }

    /// One cycle; on the wall clock not much of it once the run is to end.
    async fn cycle<S: Stage>(
        &mut self,
        stage: &mut S,
        cycle: usize,
        observer: &mut dyn Observer,
        played: &mut Played,
    ) -> Result<CycleRecord, Ended> {
        if S::EXACT {
            return one_cycle(stage, self.script, cycle, self.began, played, observer).await;
        }
        tokio::select! {
            biased;
            played = one_cycle(stage, self.script, cycle, self.began, played, observer) => played,
            () = overdue(self.script.stop) => Err(Ended::Interrupted),
        }
    }

    async fn warm_up_is_over<S: Stage>(&mut self, stage: &mut S, played: &mut Played) -> Result<(), Ended> {
        played.checks.show_canary(stage).await?;
        let first = Inventory { cycle: played.done, ..stage.inventory().await? };
        self.kept = Kept::from(first);
        stage.warm_up_is_over().await
    }

    async fn checkpoint<S: Stage>(
        &mut self,
        stage: &mut S,
        record: &CycleRecord,
        observer: &mut dyn Observer,
        played: &mut Played,
    ) -> Result<(), Ended> {
        let counted = played.counted(self.script.counts);
        self.next = counted + CHECKPOINT_CYCLES.max(counted / 4);
        self.take_inventory(stage, played.done).await?;
        let mut audit = stage.controls(counted).await;
        audit.extend(played.checks.audits());
        let mut peak = played.peak.clone();
        count_panics(stage, &mut peak);
        observer.checkpoint(Checkpoint { at: record.at, peak, audit, ..Checkpoint::default() });
        Ok(())
    }

    async fn take_inventory<S: Stage>(&mut self, stage: &mut S, cycle: usize) -> Result<(), Ended> {
        self.kept.make_room();
        self.kept.keep(Inventory { cycle, ..stage.inventory().await? });
        Ok(())
    }

    async fn capture<S: Stage>(&mut self, stage: &mut S, record: &CycleRecord) -> Result<Capture, Ended> {
        self.take_inventory(stage, record.cycle + 1).await?;
        let three = self.kept.three();
        let named = stage.named(&three, S::EXACT).await;
        let mut capture = captured(CaptureReason::Evidence, &three, named);
        self.kept.put_back(three);
        (capture.cycle, capture.at) = (record.cycle, record.at);
        let plan = (self.script.plan)(record.cycle);
        capture.events = last_events(&plan).map(|event| in_words(&plan, event)).collect();
        Ok(capture)
    }

    /// Tells what the plan of a cycle did, for those who look on.
    fn tell_plan(&self, cycle: usize, from: Duration, observer: &mut dyn Observer) {
        let plan = (self.script.plan)(cycle);
        for event in last_events(&plan) {
            observer.event(Event { cycle, at: from + event.at, what: in_words(&plan, event) });
        }
    }
}

/// Resolves when the cycle in flight has had its time to end since the run was to.
async fn overdue(stop: &Stop) {
    while !stop.is_requested() {
        sleep(STOP_POLL).await;
    }
    sleep(LAST_CYCLE_WITHIN).await;
}

fn last_events(plan: &Plan) -> impl Iterator<Item = &PlannedEvent> {
    plan.events.iter().skip(plan.events.len().saturating_sub(EVENTS_MAX))
}

fn in_words(plan: &Plan, event: &PlannedEvent) -> String {
    let place = event.link.as_deref().or(event.fault.party()).unwrap_or_default();
    let phase = plan.phases.get(event.phase).map_or("", |phase| phase.name.as_str());
    format!("{:.3}s {phase}: {place}: {} {}", event.at.as_secs_f64(), event.fault.name(), event.change)
}

/// What named inventories say: what has grown, and what there is.
pub(super) fn captured(why: CaptureReason, inventories: &[Inventory], named: Named) -> Capture {
    let Named { snapshots, awaits } = named;
    let last = inventories.last();
    let mut tcp_states = BTreeMap::new();
    let whats = || last.into_iter().flat_map(|last| &last.fds).map(|fd| fd.what.as_str());
    for state in whats().filter(|what| what.starts_with("tcp")).filter_map(|what| what.rsplit_once(", ")) {
        *tcp_states.entry(state.1.to_owned()).or_default() += 1;
    }
    let (findings, growing) = findings(&snapshots, &awaits);
    Capture {
        segment: 0,
        why,
        cycle: last.map_or(0, |last| last.cycle),
        at: Duration::ZERO,
        findings,
        growing,
        tasks: most(last.into_iter().flat_map(|last| &last.tasks).map(|task| task.place())),
        awaits: awaits.into_iter().take(LISTED_MAX).collect(),
        fds: most(whats().map(str::to_owned)),
        tcp_states,
        events: Vec::new(),
    }
}

/// What grew, culprits first, with where tasks wait; and all that still grows.
fn findings(snapshots: &[SiteSnapshot], awaits: &[(String, Vec<String>)]) -> (Vec<Finding>, Vec<Finding>) {
    let mut findings = explain::survivors(snapshots);
    explain::add_awaits(&mut findings, awaits);
    (bounded(explain::rank(findings)), bounded(explain::still_growing(snapshots)))
}

/// As many as may be told; the last entry says how many are not, so that nobody takes the list for the whole.
fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() <= SITES_MAX {
        return findings;
    }
    let more = findings.len() - SITES_MAX + 1;
    findings.truncate(SITES_MAX);
    if let Some(last) = findings.last_mut() {
        last.site = format!("{more} more sites of {}", last.resource);
        last.stack = Vec::new();
        last.function = None;
    }
    findings
}

/// How often each name occurs, the most first, as many as are listed.
fn most(names: impl Iterator<Item = String>) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::<String, u64>::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(LISTED_MAX);
    counts
}

/// The inventory at the end of warm-up, and the latest ones, oldest first.
#[derive(Default)]
struct Kept {
    first: Option<Inventory>,
    latest: VecDeque<Inventory>,
}

impl From<Inventory> for Kept {
    /// With room for the later ones from the start, its pages touched: in sim they share the target's RSS.
    fn from(first: Inventory) -> Self {
        let latest = (0..LATEST).map(|_| first.clone()).collect();
        Self { first: Some(first), latest }
    }
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Leaves the oldest just before the next is taken.
    fn make_room(&mut self) {
        if self.latest.len() >= LATEST {
            self.latest.pop_front();
        }
    }

    fn keep(&mut self, inventory: Inventory) {
        self.latest.push_back(inventory);
    }

    /// The first, the one that was taken nearest to half-way, and the last; without the middle one where there is none.
    fn three(&mut self) -> Vec<Inventory> {
        let Some(first) = self.first.take() else { return Vec::new() };
        let Some(last) = self.latest.pop_back() else { return vec![first] };
        let half = usize::midpoint(first.cycle, last.cycle);
        let between = |kept: &Inventory| kept.cycle > first.cycle && kept.cycle < last.cycle;
        let middle = self.latest.iter().enumerate().filter(|(_, kept)| between(kept));
        let middle = middle.min_by_key(|(_, kept)| kept.cycle.abs_diff(half)).map(|(at, _)| at);
        let middle = middle.and_then(|at| self.latest.get_mut(at)).map(mem::take);
        [Some(first), middle, Some(last)].into_iter().flatten().collect()
    }

    /// Gives back what [`Kept::three`] took.
    fn put_back(&mut self, mut three: Vec<Inventory>) {
        let last = three.pop();
        let mut three = three.into_iter();
        self.first = three.next();
        let taken = self.latest.iter_mut().find(|kept| kept.cycle == 0);
        if let (Some(middle), Some(room)) = (three.next(), taken) {
            *room = middle;
        }
        self.latest.extend(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;

    fn at(cycle: usize) -> Inventory {
        Inventory { cycle, ..Inventory::default() }
    }

    fn cycles(inventories: &[Inventory]) -> Vec<usize> {
        inventories.iter().map(|inventory| inventory.cycle).collect()
    }

    #[test]
    fn the_middle_inventory_is_taken_near_half_way_however_long_the_run() {
        let mut kept = Kept::from(at(5));
        let mut next = 10;
        for _ in 0..40 {
            kept.make_room();
            kept.keep(at(next));
            next += CHECKPOINT_CYCLES.max((next - 5) / 4);
        }
        let three = kept.three();
        let [first, middle, last] = cycles(&three)[..] else { panic!("{:?}", cycles(&three)) };
        assert_eq!(first, 5);
        let share = (middle - first) as f64 / (last - first) as f64;
        assert!((0.4..0.6).contains(&share), "{first}, {middle}, {last}");
        kept.put_back(three);
        assert_eq!(kept.latest.len(), LATEST, "as many as before");
        assert_eq!(cycles(&kept.three()), [first, middle, last], "and the same ones");
    }

    #[test]
    fn a_run_without_a_checkpoint_has_two_inventories() {
        let mut kept = Kept::from(at(5));
        kept.make_room();
        kept.keep(at(12));
        assert_eq!(cycles(&kept.three()), [5, 12]);
    }

    #[test]
    fn what_is_not_listed_is_said_to_be_left_out() {
        let one = Finding {
            resource: Resource::Heap,
            site: "a.rs:1".to_owned(),
            function: None,
            survivors: 1,
            survivor_bytes: 1,
            stack: vec![],
            task: None,
            victim_of: None,
            tenants: vec![],
            tenants_grown: 0,
            ignored: None,
        };
        let bounded = bounded(vec![one; SITES_MAX + 2]);
        assert_eq!(bounded.len(), SITES_MAX);
        assert_eq!(bounded.last().map(|last| last.site.as_str()), Some("3 more sites of heap"));
    }
}
