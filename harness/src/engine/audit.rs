//! Controls of a run: did the load land, did the disturbance disturb.

use crate::timeline::Audit;
use crate::world::Load;

/// The load of one party between two readings, as controls.
///
/// `before` was read at the end of warm-up, `after` at the end of the run, `cycles` counted cycles later.
pub(super) fn of_load(name: &str, before: &[Load], after: &[Load], cycles: usize) -> Vec<Audit> {
    after
        .iter()
        .map(|load| {
            let earlier = before.iter().find(|earlier| earlier.what == load.what).map_or(0, |earlier| earlier.count);
            Audit {
                what: format!("{name}: {}", load.what),
                found: load.count.saturating_sub(earlier),
                at_least: load.at_least_per_cycle * cycles as u64,
                at_most: load.at_most,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polls(count: u64) -> Load {
        Load { what: "polls answered", count, at_least_per_cycle: 2, at_most: None }
    }

    #[test]
    fn load_is_counted_from_the_end_of_warm_up() {
        let audits = of_load("plc", &[polls(100)], &[polls(119)], 10);
        assert_eq!((audits[0].what.as_str(), audits[0].found, audits[0].at_least), ("plc: polls answered", 19, 20));
        assert!(!audits[0].holds());
        assert!(of_load("plc", &[polls(100)], &[polls(120)], 10)[0].holds());
    }
}
