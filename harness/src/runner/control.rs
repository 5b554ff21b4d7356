//! The control of a clean case: leaks of the size that it says it would have seen are planted, and must be seen.

use crate::engine::{Plant, Planted};
use crate::exit::Exit;
use crate::report::{CaseReport, figures};
use crate::resource::Resource;
use crate::runner::RunRequest;
use crate::runner::play::Turn;
use crate::seed::Seed;
use crate::timeline::Audit;
use crate::verdict::{Outcome, ResourceVerdict};

/// Counted cycles of the second run. Of a longer case as much is planted in these as is stated for all of its own.
const CYCLES_MAX: usize = 100;

/// Bytes of a planted block.
const BLOCK_BYTES: u64 = 16;

/// A leak of the size that a clean case says it would have seen, and whether it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// What leaks.
    pub resource: Resource,
    /// The size in words: `1 task per 19 cycles`.
    pub stated: String,
    /// What is planted for it.
    pub plant: Plant,
    /// Whether a second run called it a leak.
    pub seen: bool,
}

/// Plays `report`'s case again with what it says it would have seen, if it ended clean, and puts what came of it there.
pub(super) async fn add(turn: Turn<'_>, report: &mut CaseReport) {
    if !is_healthy(report) || !turn.options.plants.is_empty() || turn.stop.is_requested() {
        return;
    }
    let (controls, runs) = check(turn, report).await;
    if !turn.stop.is_requested() {
        report.wall_time += runs.iter().map(|run| run.wall_time).sum();
        conclude(report, &controls);
    }
}

/// Whether nothing was found, and nothing was to be: such a case says what it would have seen.
pub(super) fn is_healthy(report: &CaseReport) -> bool {
    Exit::from(report.outcome) == Exit::Clean && report.exit == Exit::Clean
}

/// What becomes of each leak that `report` says its case would have seen, and the runs that say so.
///
/// Tasks are heap too, so heap has a run of its own.
pub(super) async fn check(turn: Turn<'_>, report: &CaseReport) -> (Vec<Control>, Vec<CaseReport>) {
    let counted = report.counted_cycles();
    let (mut heap, mut others) = (controls(report, counted), Vec::new());
    others.extend(heap.extract_if(.., |control| control.resource != Resource::Heap));
    let (mut done, mut runs) = (Vec::new(), Vec::new());
    for mut together in [others, heap] {
        if together.is_empty() {
            continue;
        }
        let request = RunRequest {
            plants: together.iter().map(|control| control.plant.clone()).collect(),
            // A soak has no number of its own: what it counted is what its statement is about.
            cycles: (counted > CYCLES_MAX || report.soak.is_some())
                .then_some(counted.min(CYCLES_MAX))
                .or(turn.options.cycles),
            plain: true,
            ..turn.options.request(turn.job)
        };
        let run = turn.child_run(&request).await;
        together.iter_mut().for_each(|control| control.seen = leaks(&run, control.resource));
        done.append(&mut together);
        runs.push(run);
    }
    (done, runs)
}

fn leaks(run: &CaseReport, resource: Resource) -> bool {
    run.resources.iter().any(|verdict| verdict.resource == resource && verdict.outcome == Outcome::Leak)
}

/// One leak for each resource that `report` states a sensitivity of, and that can be planted.
fn controls(report: &CaseReport, counted: usize) -> Vec<Control> {
    let shorter = counted.max(1) as f64 / counted.clamp(1, CYCLES_MAX) as f64;
    let of = |verdict: &ResourceVerdict| {
        let plant = plant(verdict, shorter, report.seed)?;
        let stated = figures::sensitivity_in_units(verdict)?;
        Some(Control { resource: verdict.resource, stated, plant, seen: false })
    };
    report.resources.iter().filter(|verdict| verdict.outcome == Outcome::Clean).filter_map(of).collect()
}

/// The stated leak of a resource, rounded up to what can be planted. Where in time it falls is drawn from the seed.
fn plant(verdict: &ResourceVerdict, shorter: f64, seed: Seed) -> Option<Plant> {
    let per_cycle = verdict.sensitivity_per_cycle? * shorter;
    let (every, count) = match (1.0 / per_cycle).floor() {
        every if every >= 2.0 => (Some(every as usize), 1),
        _ => (None, per_cycle.ceil() as u64),
    };
    let (what, times) = match verdict.resource {
        Resource::Tasks => (Planted::Task(count), 1),
        Resource::Fds => (Planted::Fd(count), 1),
        Resource::Heap => (Planted::Heap(BLOCK_BYTES), count),
        Resource::Threads | Resource::Rss => return None,
    };
    let at = every.map(|every| (seed.0 % every as u64) as usize);
    Some(Plant { what, times, tenant: None, at, every })
}

fn conclude(report: &mut CaseReport, controls: &[Control]) {
    let audit = |control: &Control| Audit {
        what: format!("control: a planted leak of {} was seen", control.stated),
        found: u64::from(control.seen),
        at_least: 1,
        at_most: None,
    };
    report.audit.extend(controls.iter().map(audit));
    let Some(missed) = controls.iter().find(|control| !control.seen) else {
        let stated: Vec<&str> = controls.iter().map(|control| control.stated.as_str()).collect();
        if !stated.is_empty() {
            report.notes.push(format!("control: planted {}: found", stated.join(", ")));
        }
        return;
    };
    report.outcome = Outcome::Invalid;
    report.headline = format!("a planted leak of {} was not seen", missed.stated);
    if let Some(expected) = &mut report.expected {
        expected.met = false;
    }
    report.exit = Exit::of_case(report.outcome, report.expected.as_ref());
}
