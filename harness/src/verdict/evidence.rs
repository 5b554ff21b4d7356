//! Whether a run that goes on shows a leak so far: the judge's rule without what it says of a clean run, which costs the most.

use super::rules::{Rules, fewest_cycles};
use super::{Outcome, resource};
use crate::resource::Resource;
use crate::timeline::Timeline;

/// What speaks for a leak.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What grows.
    pub resource: Resource,
    /// `Leak` or `Suspect`.
    pub outcome: Outcome,
    /// The figures.
    pub why: String,
}

/// The worst that the counted cycles of `timeline` say so far; `None`: nothing speaks for a leak, or too little was played.
///
/// RSS is no evidence: it never decides.
pub fn evidence(timeline: &Timeline, rules: &Rules) -> Option<Evidence> {
    let counted = timeline.cycles.get(timeline.warm_up..).unwrap_or_default();
    if counted.len() < fewest_cycles(timeline.exact) {
        return None;
    }
    let context = resource::Context { timeline, counted, no_growth: None, heap_is_ignored: false };
    let kinds = Resource::ALL.into_iter().filter(|kind| *kind != Resource::Rss);
    let found = kinds.map(|kind| (kind, resource::growth(context, kind, rules.of(kind))));
    let found = found.filter(|(_, (outcome, _))| matches!(outcome, Outcome::Leak | Outcome::Suspect));
    // The first of the worst: resources stand in the order of culprits.
    let worst = found.min_by_key(|(_, (outcome, _))| std::cmp::Reverse(*outcome));
    worst.map(|(resource, (outcome, why))| Evidence { resource, outcome, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_run_shows_what_the_judge_would_say_and_a_clean_one_nothing() {
        let evidence = |report: crate::report::CaseReport| evidence(&report.timeline, &Rules::default());
        assert_eq!(evidence(fixtures::clean("flapping-network")), None);
        let leak = evidence(fixtures::heap_leak()).expect("it leaks");
        assert_eq!((leak.resource, leak.outcome), (Resource::Heap, Outcome::Leak));
        let suspect = evidence(fixtures::suspect()).expect("it may leak");
        assert_eq!(suspect.outcome, Outcome::Suspect);
    }

    #[test]
    fn too_little_is_no_evidence() {
        let mut leak = fixtures::heap_leak().timeline;
        leak.cycles.truncate(leak.warm_up + 3);
        assert_eq!(evidence(&leak, &Rules::default()), None);
    }
}
