//! Faults that began later than planned: their ends come as much later, so that no spell is shorter than the scenario says.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chaos::{Change, FaultId};
use crate::scenario::plan::PlannedEvent;

/// How late the faults of one cycle began.
#[derive(Debug, Default)]
pub(super) struct Late(BTreeMap<FaultId, Duration>);

impl Late {
    /// When `event` is to happen, from the start of the cycle.
    pub(super) fn due(&self, event: &PlannedEvent) -> Duration {
        let late = self.0.get(&event.id).filter(|_| is_end(event.change));
        event.at + late.copied().unwrap_or_default()
    }

    /// Notes that `event` has happened by `now`.
    pub(super) fn note(&mut self, event: &PlannedEvent, now: Duration) {
        if is_begin(event.change) {
            self.0.insert(event.id, now.saturating_sub(event.at));
        }
    }
}

/// Whether a spell of the fault begins.
const fn is_begin(change: Change) -> bool {
    matches!(change, Change::Begin | Change::Down | Change::Pause | Change::Partition)
}

/// Whether it ends.
const fn is_end(change: Change) -> bool {
    matches!(change, Change::End | Change::Up | Change::Resume | Change::Repair)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chaos::Fault;
    use crate::seed::Seed;

    fn events(yaml: &str) -> Vec<PlannedEvent> {
        let fault: Arc<Fault> = Arc::new(serde_saphyr::from_str(yaml).expect("a fault"));
        let changes = fault.compile(0, Duration::from_secs(10), Seed(7)).into_iter();
        let event = |(at, change)| PlannedEvent {
            at,
            phase: 0,
            link: fault.link().map(str::to_owned),
            id: fault.id(0, Seed(7)),
            fault: Arc::clone(&fault),
            change,
        };
        changes.map(event).collect()
    }

    #[test]
    fn what_begins_late_ends_as_much_later() {
        let mut late = Late::default();
        for yaml in ["blackhole: { link: plc, at: 1s, for: 2s }", "pause: { at: 1s, for: 2s }"] {
            let events = events(yaml);
            let [begin, end] = events.as_slice() else { panic!("expected two events, found {events:?}") };
            late.note(begin, Duration::from_millis(4_500));
            assert_eq!(late.due(end), Duration::from_millis(6_500), "{yaml}");
            assert_eq!(late.due(begin), begin.at, "whatever the cycle before was like");
        }
    }

    #[test]
    fn a_spell_is_held_up_by_its_own_beginning_alone() {
        let (mut late, flap) =
            (Late::default(), events("flap: { link: plc, up: 2s, down: 1s, mode: close }"));
        let mut spells = flap.iter().filter(|event| is_begin(event.change) || is_end(event.change));
        let mut next = || spells.next().expect("the link flaps on");
        let (down, up, down_again, up_again) = (next(), next(), next(), next());
        late.note(down, down.at + Duration::from_secs(5));
        assert_eq!(late.due(up), up.at + Duration::from_secs(5));
        late.note(down_again, down_again.at);
        assert_eq!(late.due(up_again), up_again.at);
    }
}
