//! What a case holds at rest, against what was accepted: a service that holds twice as much as it did leaks nothing, and
//! somebody should know.

use serde::{Deserialize, Serialize};

use super::{Outcome, ResourceVerdict};
use crate::census::Census;
use crate::figures;
use crate::resource::Resource;
use crate::timeline::Timeline;
use crate::units::Ratio;

/// What a case holds. At rest: the least of the later half of the counted cycles; peaks: the most at any time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(garde::Validate), garde(allow_unvalidated))]
#[serde(deny_unknown_fields)]
pub struct Resting {
    /// Tasks at rest.
    #[serde(default)]
    pub tasks: Option<u64>,
    /// Descriptors at rest.
    #[serde(default)]
    pub fds: Option<u64>,
    /// Threads at rest.
    #[serde(default)]
    pub threads: Option<u64>,
    /// Heap blocks at rest.
    #[serde(default)]
    pub blocks: Option<u64>,
    /// Heap bytes at rest.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The most tasks.
    #[serde(default)]
    pub peak_tasks: Option<u64>,
    /// The most descriptors.
    #[serde(default)]
    pub peak_fds: Option<u64>,
    /// The most heap bytes.
    #[serde(default)]
    pub peak_bytes: Option<u64>,
}

/// How far above what was accepted a figure may be. A few units are always allowed: see [`Resting::figures`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(garde::Validate), garde(allow_unvalidated))]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// At rest: 10 % unless said.
    pub rest: Ratio,
    /// Of peaks, which chance has a larger part in: 50 % unless said.
    pub peak: Ratio,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { rest: Ratio(0.1), peak: Ratio(0.5) }
    }
}

/// What was accepted for a case, and how to accept something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The figures.
    pub accepted: Resting,
    /// How far above them is too far.
    pub tolerance: Tolerance,
    /// The command that accepts what is found now.
    pub command: String,
}

/// Units that a figure may always be above what was accepted: one more task is a change of the program, not a burden.
const COUNT_SLACK: u64 = 2;
const BLOCK_SLACK: u64 = 64;
const BYTE_SLACK: u64 = 16 << 10;
const PEAK_COUNT_SLACK: u64 = 16;
const PEAK_BYTE_SLACK: u64 = 256 << 10;

/// One figure of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it belongs to.
    pub resource: Resource,
    /// Its key in the file.
    pub key: &'static str,
    /// Its name in a sentence: `resting heap`.
    pub name: &'static str,
    /// What it is; `None`: not measured.
    pub value: Option<u64>,
    /// Whether it is in bytes, or a count.
    pub is_bytes: bool,
    /// Whether it is the most at any time, or what was held at rest.
    pub is_peak: bool,
    slack: u64,
}

impl Resting {
    /// What the counted cycles of a run held.
    pub fn of(timeline: &Timeline) -> Self {
        let counted = timeline.cycles.get(timeline.warm_up..).unwrap_or_default();
        let later = &counted[counted.len() / 2..];
        let least = |figure: fn(&Census) -> Option<u64>| {
            later.iter().map(|record| figure(&record.census)).collect::<Option<Vec<_>>>()?.into_iter().min()
        };
        Self {
            tasks: least(|census| census.tasks),
            fds: least(|census| census.fds),
            threads: least(|census| census.threads),
            blocks: least(|census| census.heap_blocks),
            bytes: least(|census| census.heap_bytes),
            peak_tasks: timeline.peak.tasks,
            peak_fds: timeline.peak.fds,
            peak_bytes: timeline.peak.heap_bytes,
        }
    }

    /// Every figure, in the order of the file.
    pub fn figures(&self) -> [Figure; 8] {
        let count = |resource, key, name, value| Figure {
            resource,
            key,
            name,
            value,
            is_bytes: false,
            is_peak: false,
            slack: COUNT_SLACK,
        };
        let peak = |resource, key, name, value| Figure {
            is_peak: true,
            slack: PEAK_COUNT_SLACK,
            ..count(resource, key, name, value)
        };
        let blocks = count(Resource::Heap, "blocks", "resting heap blocks", self.blocks);
        let bytes = count(Resource::Heap, "bytes", "resting heap", self.bytes);
        let peak_bytes = peak(Resource::Heap, "peak_bytes", "peak heap", self.peak_bytes);
        [
            count(Resource::Tasks, "tasks", "resting tasks", self.tasks),
            count(Resource::Fds, "fds", "resting fds", self.fds),
            count(Resource::Threads, "threads", "resting threads", self.threads),
            Figure { slack: BLOCK_SLACK, ..blocks },
            Figure { slack: BYTE_SLACK, is_bytes: true, ..bytes },
            peak(Resource::Tasks, "peak_tasks", "peak tasks", self.peak_tasks),
            peak(Resource::Fds, "peak_fds", "peak fds", self.peak_fds),
            Figure { slack: PEAK_BYTE_SLACK, is_bytes: true, ..peak_bytes },
        ]
    }

    /// Whether every figure is where it was accepted, within `tolerance` on both sides.
    pub fn is_near(&self, accepted: &Self, tolerance: Tolerance) -> bool {
        let near = |(found, accepted): (Figure, Figure)| match (found.value, accepted.value) {
            (Some(found), Some(was)) => found.abs_diff(was) <= accepted.room(was, tolerance),
            (found, was) => found == was,
        };
        self.figures().into_iter().zip(accepted.figures()).all(near)
    }
}

impl Figure {
    /// Units that chance alone may move it by, where figures are sampled.
    #[cfg(feature = "scenarios")]
    pub(crate) const fn slack(&self) -> u64 {
        self.slack
    }

    /// How far above `accepted` it may be.
    pub(crate) fn room(&self, accepted: u64, tolerance: Tolerance) -> u64 {
        let share = if self.is_peak { tolerance.peak } else { tolerance.rest };
        ((accepted as f64 * share.0) as u64).max(self.slack)
    }

    /// `value` in its unit.
    pub(crate) fn amount(&self, value: u64) -> String {
        if self.is_bytes { figures::bytes(value) } else { figures::grouped(value) }
    }

    /// `resting heap 2.1 times the accepted 320.0 KiB`.
    fn against(&self, found: u64, accepted: u64) -> String {
        if accepted == 0 {
            return format!("{} {}, accepted are none", self.name, self.amount(found));
        }
        let times = found as f64 / accepted as f64;
        let amount = self.amount(accepted);
        match (1.0 - times).abs() < 0.05 {
            true => format!("{} {}, accepted are {amount}", self.name, self.amount(found)),
            false => format!("{} {times:.1} times the accepted {amount}", self.name),
        }
    }
}

/// Makes `verdict` over budget where its resource holds more than was accepted. Growth that has a name of its own is left
/// as it is: what leaks rests nowhere.
pub(super) fn compare(verdict: &mut ResourceVerdict, found: &Resting, baseline: &Baseline) {
    if matches!(verdict.outcome, Outcome::Leak | Outcome::Suspect | Outcome::Inconclusive) {
        return;
    }
    let above = pairs(found, baseline)
        .filter(|(figure, found, accepted)| {
            figure.resource == verdict.resource
                && *found > accepted.saturating_add(figure.room(*accepted, baseline.tolerance))
        })
        .map(|(figure, found, accepted)| figure.against(found, accepted));
    let above: Vec<String> = above.collect();
    if !above.is_empty() {
        let said =
            if verdict.outcome > Outcome::Clean { format!("; {}", verdict.why) } else { String::new() };
        verdict.outcome = verdict.outcome.max(Outcome::OverBudget);
        verdict.why = format!("{}: run `{}` if meant{said}", above.join(", "), baseline.command);
    }
}

/// What is far below what was accepted: good news, and a baseline that guards nothing any more.
pub(super) fn far_below(found: &Resting, baseline: &Baseline) -> Option<String> {
    let below: Vec<String> = pairs(found, baseline)
        .filter(|(figure, found, accepted)| {
            let room = figure.room(*accepted, baseline.tolerance);
            !figure.is_peak && found.saturating_mul(2) < *accepted && accepted - found > room
        })
        .map(|(figure, found, accepted)| figure.against(found, accepted))
        .collect();
    (!below.is_empty()).then(|| format!("{}: run `{}` to hold on to it", below.join(", "), baseline.command))
}

/// Every figure that was measured and accepted, with both.
fn pairs(found: &Resting, baseline: &Baseline) -> impl Iterator<Item = (Figure, u64, u64)> {
    let accepted = baseline.accepted.figures();
    let both = |(found, accepted): (Figure, Figure)| Some((found, found.value?, accepted.value?));
    found.figures().into_iter().zip(accepted).filter_map(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::verdict::{Judgement, Rules, judge};

    fn found() -> Resting {
        Resting::of(&fixtures::clean("flapping-network").timeline)
    }

    fn judged(accepted: Resting) -> Judgement {
        let command = "watertight accept scenarios/gate".to_owned();
        let baseline = Some(Baseline { accepted, tolerance: Tolerance::default(), command });
        judge(&fixtures::clean("flapping-network").timeline, &Rules { baseline, ..Rules::default() })
    }

    #[test]
    fn what_was_accepted_is_clean() {
        assert_eq!((found().tasks, found().bytes, found().peak_tasks), (Some(14), Some(301_442), Some(61)));
        let judgement = judged(found());
        assert_eq!((judgement.outcome, judgement.notes), (Outcome::Clean, vec![]));
        assert_eq!(
            judged(Resting::default()).outcome,
            Outcome::Clean,
            "nothing accepted, nothing to compare"
        );
    }

    #[test]
    fn twice_what_was_accepted_is_over_budget_and_says_how_to_accept_it() {
        let judgement = judged(Resting { bytes: Some(143_543), ..found() });
        assert_eq!(judgement.outcome, Outcome::OverBudget);
        assert_eq!(
            judgement.headline,
            "heap: resting heap 2.1 times the accepted 140.2 KiB: run `watertight accept scenarios/gate` if meant"
        );
    }

    #[test]
    fn a_tenth_and_a_few_units_more_are_within_tolerance() {
        let tasks = |accepted| judged(Resting { tasks: Some(accepted), ..found() }).outcome;
        assert_eq!(
            (tasks(12), tasks(11)),
            (Outcome::Clean, Outcome::OverBudget),
            "two tasks are always allowed"
        );
        let blocks = |accepted| judged(Resting { blocks: Some(accepted), ..found() }).outcome;
        assert_eq!((blocks(1_100), blocks(1_080)), (Outcome::Clean, Outcome::OverBudget), "of 1,204 blocks");
        let peak = |accepted| judged(Resting { peak_tasks: Some(accepted), ..found() }).outcome;
        assert_eq!((peak(45), peak(30)), (Outcome::Clean, Outcome::OverBudget), "of 61 tasks");
    }

    #[test]
    fn far_below_is_a_note() {
        let judgement = judged(Resting { bytes: Some(900_000), ..found() });
        assert_eq!(judgement.outcome, Outcome::Clean);
        let note = "resting heap 0.3 times the accepted 878.9 KiB: run `watertight accept scenarios/gate` to hold on to it";
        assert_eq!(judgement.notes, [note]);
    }

    #[test]
    fn a_leak_is_a_leak_whatever_was_accepted() {
        let command = String::new();
        let accepted = Resting { bytes: Some(1), ..Resting::default() };
        let baseline = Some(Baseline { accepted, tolerance: Tolerance::default(), command });
        let leak = fixtures::heap_leak();
        let judgement = judge(&leak.timeline, &Rules { baseline, ..Rules::default() });
        assert_eq!(judgement.headline, leak.headline);
    }
}
