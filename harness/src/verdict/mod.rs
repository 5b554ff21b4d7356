//! Judges a timeline: pure rules over values, no clock, no I/O.
//!
//! `rule` says what one series does, from `windows`, `rises` and `slope`; `resource` turns that into a verdict under a
//! scenario's `rules`; `sensitivity` says what would have been seen; `controls` judges the run itself; `expectation`
//! compares with what the scenario declares.
//!
//! Where several things are true at once, the worst stands. A leak that is seen although a control failed is still a
//! leak: growth is evidence, a missing disturbance is only the lack of it. But a target that was not at rest is never
//! judged for growth: what was counted then is not what it keeps.

use serde::{Deserialize, Serialize};

use crate::figures;
use crate::resource::Resource;
use crate::timeline::Timeline;

mod baseline;
mod controls;
mod detection;
mod evidence;
#[cfg(feature = "scenarios")]
mod expectation;
mod ignore;
mod ignoring;
mod judged;
mod resource;
mod rises;
pub mod rule;
mod rules;
mod sensitivity;
pub mod slope;
pub mod windows;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

pub use baseline::{Baseline, Figure, Resting, Tolerance};
pub use controls::PANICS_GAUGE;
pub use evidence::{Evidence, evidence};
#[cfg(feature = "scenarios")]
pub use expectation::expectation;
pub use ignore::Ignore;
pub use ignoring::{Entries, Ignoring, ignoring, is_used};
pub use judged::{Judged, judge_and_name};
pub use rules::{ResourceRules, Rules, fewest_cycles};
pub use sensitivity::smallest_leak_seen;

/// One judgement. Never a `bool`. The order is from good to bad; a case ends with the worst of its resources.
///
/// The set is closed: whoever matches decides for each, and another one would be a breaking change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Bounded; see the sensitivity for the smallest leak that would have been seen.
    Clean,
    /// RSS rises while live heap is flat: the allocator keeps pages, the program keeps nothing.
    Retained,
    /// Rises, but ever slower: a cache that fills.
    Saturating,
    /// Rises on the whole, but not in every window: run again, longer.
    Suspect,
    /// Nothing can be said: never at rest, too few cycles, cut short.
    Inconclusive,
    /// A control failed: the load did not land or the disturbance did not disturb.
    Invalid,
    /// A figure is above its budget, growth apart.
    OverBudget,
    /// Grows without bound.
    Leak,
}

/// What a run says about one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ResourceVerdict {
    /// The resource.
    pub resource: Resource,
    /// The judgement.
    pub outcome: Outcome,
    /// The figure at rest in the last cycle (blocks for the heap; bytes for RSS). `None`: not measured.
    pub at_rest: Option<u64>,
    /// The same in bytes, for heap and RSS.
    pub at_rest_bytes: Option<u64>,
    /// The highest figure seen at any time in the run, in the unit of its budget: a count, bytes for heap and RSS.
    pub peak: Option<u64>,
    /// Growth per counted cycle in the unit of `at_rest` (Theil–Sen slope of the floors).
    pub growth_per_cycle: f64,
    /// Growth in bytes per counted cycle, for heap and RSS.
    pub growth_bytes_per_cycle: Option<f64>,
    /// The smallest leak this run would have seen, in units (blocks, tasks, fds) per cycle. `None`: not measured or never decides.
    pub sensitivity_per_cycle: Option<f64>,
    /// The same for heap bytes.
    pub sensitivity_bytes_per_cycle: Option<f64>,
    /// The counted cycle from which the growth shows (warm-up not counted), for a leak or a step.
    pub since_cycle: Option<usize>,
    /// The fewest counted cycles from which on the judge calls it a leak, for a leak.
    #[serde(default)]
    pub detected_after: Option<usize>,
    /// Why the outcome is believed, in one sentence with the figures.
    pub why: String,
}

impl ResourceVerdict {
    /// Whether every counted cycle has a figure. A row without one says so and does not weigh on the case.
    pub fn measured(&self) -> bool {
        self.at_rest.is_some() || self.at_rest_bytes.is_some()
    }

    /// A rise that lasted and is no leak: a single step, or one that levelled off.
    pub fn stepped(&self) -> bool {
        self.outcome == Outcome::Clean && self.since_cycle.is_some() && self.measured()
    }
}

/// What a run says, all in all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Judgement {
    /// The worst of the resources and of the run itself.
    pub outcome: Outcome,
    /// The outcome in one sentence: culprit first.
    pub headline: String,
    /// One verdict per resource, in table order, unmeasured ones included.
    pub resources: Vec<ResourceVerdict>,
    /// What the reader must know besides: steps, failed controls, cut runs.
    pub notes: Vec<String>,
}

impl Judgement {
    /// The fewest counted cycles that show the leak which the headline names; `None`: it names none.
    pub fn detected_after(&self) -> Option<usize> {
        let leak = self.resources.iter().find(|verdict| verdict.outcome == Outcome::Leak)?;
        leak.detected_after.filter(|_| self.outcome == Outcome::Leak)
    }

    /// Counted cycles with which a run like `timeline` shows that leak again: where counts are sampled, half as many more
    /// than this one needed, because the next one has other noise.
    pub fn cycles_to_replay(&self, timeline: &Timeline) -> Option<usize> {
        let cycles = self.detected_after()?;
        let counted = timeline.cycles.len().saturating_sub(timeline.warm_up);
        Some(if timeline.exact { cycles } else { (cycles + cycles / 2).min(counted) })
    }
}

/// Judges the counted cycles of `timeline` under `rules`.
pub fn judge(timeline: &Timeline, rules: &Rules) -> Judgement {
    judge_floors(timeline, rules, 1)
}

/// Judges a timeline each of whose counted entries is the floor of `each` cycles, as a long soak's is: the same rules over
/// fewer points. Figures are given in cycles.
pub fn judge_floors(timeline: &Timeline, rules: &Rules, each: usize) -> Judgement {
    let counted = timeline.cycles.get(timeline.warm_up..).unwrap_or_default();
    let no_growth = controls::no_growth(timeline, counted);
    let heap_is_ignored = rules.of(Resource::Heap).ignored;
    let context = resource::Context { timeline, counted, no_growth: no_growth.as_deref(), heap_is_ignored };
    let resting = Resting::of(timeline);
    let mut resources: Vec<ResourceVerdict> = Vec::new();
    for kind in Resource::ALL {
        let heap = resources.iter().find(|verdict| verdict.resource == Resource::Heap && verdict.measured());
        let of = rules.of(kind);
        let of = ResourceRules { grow: of.grow * each.max(1) as f64, ..of };
        let mut verdict = resource::judge(context, kind, of, heap);
        if verdict.outcome == Outcome::Leak {
            verdict.detected_after = detection::detected_after(timeline, counted, kind, of);
        }
        in_cycles(&mut verdict, each);
        if let Some(baseline) = &rules.baseline {
            baseline::compare(&mut verdict, &resting, baseline);
        }
        resources.push(verdict);
    }
    let mut complaints = controls::complaints(timeline, counted, rules);
    if no_growth.is_none() && resources.iter().all(|verdict| !verdict.measured()) {
        let text = "nothing was measured".to_owned();
        complaints.push(controls::Complaint { outcome: Outcome::Inconclusive, text });
    }
    // The first of the worst: resources stand in order of culprits, complaints worst first.
    let worst =
        resources.iter().filter(|verdict| counts(verdict)).min_by_key(|v| std::cmp::Reverse(v.outcome));
    let complaint = complaints.first();
    let by_resource = worst.map_or(Outcome::Clean, |verdict| verdict.outcome);
    let by_run = complaint.map_or(Outcome::Clean, |complaint| complaint.outcome);
    let headline = match (worst, complaint) {
        (_, Some(complaint)) if by_run >= by_resource => complaint.text.clone(),
        (Some(worst), _) if by_resource > Outcome::Clean => headline(worst, counted.len() * each),
        _ => clean_headline(&resources, counted.len() * each),
    };
    let steps = resources.iter().filter(|verdict| verdict.stepped());
    let notes = complaints.iter().map(|complaint| complaint.text.clone()).filter(|text| *text != headline);
    let notes = notes.chain(steps.map(|verdict| format!("{}: {}", verdict.resource, verdict.why)));
    let is_judged = no_growth.is_none();
    let baseline = rules.baseline.as_ref().filter(|_| is_judged);
    let notes = notes.chain(baseline.and_then(|baseline| baseline::far_below(&resting, baseline))).collect();
    Judgement { outcome: by_resource.max(by_run), headline, resources, notes }
}

/// Turns figures per entry into figures per cycle, of which each entry stands for so many.
fn in_cycles(verdict: &mut ResourceVerdict, each: usize) {
    let per = each.max(1) as f64;
    verdict.growth_per_cycle /= per;
    let rates = [
        &mut verdict.growth_bytes_per_cycle,
        &mut verdict.sensitivity_per_cycle,
        &mut verdict.sensitivity_bytes_per_cycle,
    ];
    rates.into_iter().flatten().for_each(|rate| *rate /= per);
    for cycles in [&mut verdict.since_cycle, &mut verdict.detected_after].into_iter().flatten() {
        *cycles *= each;
    }
}

/// Whether a row weighs on the case: a resource that was never measured does not, one with gaps does.
fn counts(verdict: &ResourceVerdict) -> bool {
    verdict.measured() || verdict.why != "not measured"
}

/// How the reason of a row begins whose growth is put up with.
const IGNORED: &str = "ignored: ";

/// How the headline of a suspect ends where nobody has played it longer yet.
pub(crate) const ADVICE_PLAY_LONGER: &str = "; run it again with 4 to 8 times the cycles";

fn headline(worst: &ResourceVerdict, cycles: usize) -> String {
    let resource = worst.resource;
    let rate = figures::growth(worst);
    match (worst.outcome, worst.since_cycle) {
        (Outcome::Leak, Some(since)) => format!("{resource} leak: {rate}, since cycle {since} of {cycles}"),
        (Outcome::Suspect, _) => {
            format!("{resource} may leak: {rate}{ADVICE_PLAY_LONGER}")
        }
        (Outcome::Saturating, _) => format!("{resource} rise ever slower: {rate}"),
        _ => format!("{resource}: {}", worst.why),
    }
}

fn clean_headline(resources: &[ResourceVerdict], cycles: usize) -> String {
    match figures::sensitivities(resources).as_str() {
        "" => format!("nothing grows over {cycles} cycles"),
        seen => format!("nothing grows over {cycles} cycles; would have seen {seen}"),
    }
}
