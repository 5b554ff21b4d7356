//! What can be wrong with a run as a whole: controls, rest, length, recovery, panics.

use super::Outcome;
use super::rules::{Rules, fewest_cycles};
use crate::figures;
use crate::timeline::{CycleRecord, Ended, Timeline};

/// Something about the run itself that its outcome must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub outcome: Outcome,
    pub text: String,
}

/// The name under which an engine counts the target's panics in the peak census's gauges.
pub const PANICS_GAUGE: &str = "panics";

/// Why growth cannot be judged at all: not at rest, or too few cycles. Budgets still can.
pub(super) fn no_growth(timeline: &Timeline, counted: &[CycleRecord]) -> Option<String> {
    let fewest = fewest_cycles(timeline.exact);
    let restless: Vec<usize> =
        counted.iter().filter(|record| record.settled_after.is_none()).map(|record| record.cycle).collect();
    if let [first, ..] = restless.as_slice() {
        let many = restless.len();
        return Some(format!("not at rest in {many} of {} cycles, first in cycle {first}", counted.len()));
    }
    (counted.len() < fewest)
        .then(|| format!("{} counted cycles, at least {fewest} are needed", counted.len()))
}

/// Every complaint about the run, worst first.
pub(super) fn complaints(timeline: &Timeline, counted: &[CycleRecord], rules: &Rules) -> Vec<Complaint> {
    let of = |outcome| move |text| Complaint { outcome, text };
    let mut all: Vec<Complaint> = Vec::new();
    all.extend(failed_audits(timeline).map(of(Outcome::Invalid)));
    all.extend(panics(timeline, rules).map(of(Outcome::OverBudget)));
    all.extend(slow_recovery(counted, rules).map(of(Outcome::OverBudget)));
    // Too few cycles are what an early end leads to: the end comes first.
    all.extend(cut_short(timeline).map(of(outcome_of_end(timeline))));
    all.extend(no_growth(timeline, counted).map(of(Outcome::Inconclusive)));
    all.sort_by_key(|complaint| std::cmp::Reverse(complaint.outcome));
    all
}

fn failed_audits(timeline: &Timeline) -> impl Iterator<Item = String> {
    timeline.audit.iter().filter(|audit| !audit.holds()).map(figures::failed_audit)
}

fn panics(timeline: &Timeline, rules: &Rules) -> Option<String> {
    let found = *timeline.peak.gauges.get(PANICS_GAUGE)?;
    (found > rules.panics as f64).then(|| format!("{found:.0} panics, at most {} allowed", rules.panics))
}

fn slow_recovery(counted: &[CycleRecord], rules: &Rules) -> Option<String> {
    let bound = rules.recovery?;
    let (took, cycle) = counted
        .iter()
        .filter_map(|record| Some((record.settled_after?, record.cycle)))
        .max_by_key(|(took, _)| *took)?;
    (took > bound).then(|| {
        format!(
            "recovery took {} in cycle {cycle}, at most {} allowed",
            figures::time(took),
            figures::time(bound)
        )
    })
}

/// A target that reached the bound of its memory has broken a budget, and another try is not likely to end otherwise. Any other
/// early end says nothing about it.
fn outcome_of_end(timeline: &Timeline) -> Outcome {
    match timeline.ended {
        Some(Ended::OutOfMemory { .. }) => Outcome::OverBudget,
        _ => Outcome::Inconclusive,
    }
}

fn cut_short(timeline: &Timeline) -> Option<String> {
    match &timeline.ended {
        Some(ended) => {
            Some(format!("after {} of {} cycles: {ended}", timeline.cycles.len(), timeline.planned))
        }
        None if timeline.cycles.len() < timeline.planned => {
            Some(format!("cut short after {} of {} cycles", timeline.cycles.len(), timeline.planned))
        }
        None => None,
    }
}
