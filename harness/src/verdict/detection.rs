//! How soon a leak would have been found: the judge asked again over fewer cycles.

use super::rules::{ResourceRules, fewest_cycles};
use super::{Outcome, resource};
use crate::resource::Resource;
use crate::timeline::{CycleRecord, Timeline};

/// The fewest counted cycles from which on, whatever followed, the judge calls `resource` a leak. `None`: it does not.
///
/// Longer prefixes of a long run are tried in steps of a twentieth.
pub(super) fn detected_after(
    timeline: &Timeline,
    counted: &[CycleRecord],
    resource: Resource,
    rules: ResourceRules,
) -> Option<usize> {
    let leaks = |cycles: usize| is_leak(timeline, &counted[..cycles], resource, rules);
    lengths(counted.len(), fewest_cycles(timeline.exact)).take_while(|cycles| leaks(*cycles)).last()
}

fn is_leak(timeline: &Timeline, counted: &[CycleRecord], resource: Resource, rules: ResourceRules) -> bool {
    let context = resource::Context { timeline, counted, no_growth: None, heap_is_ignored: false };
    resource::judge(context, resource, rules, None).outcome == Outcome::Leak
}

/// From `longest` down to `fewest`, each cycle where there are few of them.
fn lengths(longest: usize, fewest: usize) -> impl Iterator<Item = usize> {
    let shorter = |cycles: &usize| Some(cycles - (cycles / EVERY).max(1));
    std::iter::successors(Some(longest), shorter).take_while(move |cycles| *cycles >= fewest.max(1))
}

/// A prefix of so many cycles and fewer is tried one cycle shorter.
const EVERY: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Census;
    use crate::verdict::{Rules, judge};

    fn detected(exact: bool, tasks: impl Fn(usize) -> u64) -> Option<usize> {
        let cycles: Vec<_> = (0..60)
            .map(|cycle| CycleRecord {
                cycle,
                settled_after: Some(std::time::Duration::from_secs(1)),
                census: Census { tasks: Some(tasks(cycle)), ..Census::default() },
                ..CycleRecord::default()
            })
            .collect();
        let peak = Census::default();
        let planned = cycles.len();
        let timeline =
            Timeline { exact, warm_up: 0, planned, cycles, peak, audit: vec![], trimmed: None, ended: None };
        judge(&timeline, &Rules::default()).resources[0].detected_after
    }

    #[test]
    fn a_leak_in_every_cycle_is_found_as_soon_as_anything_can_be_said() {
        assert_eq!(detected(true, |cycle| 12 + cycle as u64), Some(5));
        assert_eq!(detected(false, |cycle| 12 + cycle as u64), Some(10));
    }

    #[test]
    fn a_leak_that_begins_late_is_found_later() {
        let late = detected(true, |cycle| 12 + cycle.saturating_sub(30) as u64).expect("it is a leak");
        assert!((31..40).contains(&late), "{late}");
    }

    #[test]
    fn what_is_no_leak_is_never_found() {
        assert_eq!(detected(true, |_| 12), None);
        assert_eq!(detected(true, |cycle| 12 + u64::from(cycle > 30)), None);
    }

    #[test]
    fn a_long_run_is_not_asked_about_every_prefix() {
        assert_eq!(lengths(8, 5).collect::<Vec<_>>(), [8, 7, 6, 5]);
        assert!(lengths(7_406, 5).count() < 300);
    }
}
