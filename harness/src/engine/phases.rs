//! Phases of a plan in words, for people who watch a run.

use std::collections::BTreeSet;

use crate::chaos::Fault;
use crate::runner::PhaseBegun;
use crate::scenario::plan::Plan;

/// Phase `number` of `plan`, with its faults in the order of their places.
pub(super) fn begun(plan: &Plan, number: usize) -> PhaseBegun {
    let name = plan.phases.get(number).map(|phase| phase.name.clone()).unwrap_or_default();
    let events = plan.events.iter().filter(|event| event.phase == number);
    let faults: BTreeSet<String> = events.map(|event| words(&event.fault)).collect();
    PhaseBegun { cycle: plan.cycle, name, faults: faults.into_iter().collect() }
}

/// The wait for rest: every fault is over.
pub(super) fn settling(plan: &Plan) -> PhaseBegun {
    PhaseBegun { cycle: plan.cycle, name: plan.settle.name.clone(), faults: Vec::new() }
}

/// `flap plc`: what, and where.
fn words(fault: &Fault) -> String {
    let place = fault.link().or(fault.party()).unwrap_or_default();
    format!("{} {place}", fault.name()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::scenario::plan::{PlannedEvent, PlannedPhase, Settling};
    use crate::seed::Seed;

    #[test]
    fn each_fault_of_a_phase_is_told_once() {
        let fault = |yaml: &str| Arc::new(serde_saphyr::from_str::<Fault>(yaml).expect("a fault"));
        let event = |phase, fault: &Arc<Fault>, change| PlannedEvent {
            at: Duration::ZERO,
            phase,
            link: None,
            fault: Arc::clone(fault),
            id: fault.id(0, Seed(1)),
            change,
        };
        let (pause, reset) = (fault("pause: { peer: plc, for: 1s }"), fault("reset: { link: plc }"));
        let phase =
            |name: &str| PlannedPhase { name: name.to_owned(), from: Duration::ZERO, to: Duration::ZERO };
        let changes = [crate::chaos::Change::Pause, crate::chaos::Change::Resume];
        let plan = Plan {
            cycle: 3,
            phases: vec![phase("calm"), phase("storm")],
            events: changes
                .iter()
                .flat_map(|change| [event(1, &pause, *change), event(1, &reset, *change)])
                .collect(),
            disturbed_for: Duration::ZERO,
            settle: Settling {
                name: "settle".to_owned(),
                within: Duration::ZERO,
                until: std::collections::BTreeMap::new(),
                watch: Duration::ZERO,
            },
        };
        let faults = vec!["pause plc".to_owned(), "reset plc".to_owned()];
        assert_eq!(begun(&plan, 1), PhaseBegun { cycle: 3, name: "storm".to_owned(), faults });
        assert_eq!(begun(&plan, 0).faults, Vec::<String>::new());
        assert_eq!(settling(&plan).name, "settle");
    }
}
