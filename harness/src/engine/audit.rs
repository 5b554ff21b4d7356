//! Controls of a run: did the load land, did the disturbance disturb.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::chaos::toxics::flap::DownMode;
use crate::chaos::{Fault, Link, LinkStats};
use crate::scenario::Scenario;
use crate::scenario::model::PeerSpec;
use crate::timeline::Audit;
use crate::world::Load;

/// What parties and links had done at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// By party.
    pub load: BTreeMap<String, Vec<Load>>,
    /// By link.
    pub links: BTreeMap<String, LinkStats>,
    /// Times the target was signalled.
    pub kills: u64,
}

impl Reading {
    /// The figures of `links` now, and what else was read.
    pub(super) fn new(
        load: BTreeMap<String, Vec<Load>>,
        links: &BTreeMap<String, Arc<Link>>,
        kills: u64,
    ) -> Self {
        let links = links.iter().map(|(name, link)| (name.clone(), link.stats())).collect();
        Self { load, links, kills }
    }
}

/// The controls of a run whose counted cycles lie between two readings.
pub(super) fn audits<P: PeerSpec>(
    scenario: &Scenario<P>,
    before: &Reading,
    after: &Reading,
    cycles: usize,
) -> Vec<Audit> {
    let empty = Vec::new();
    let load = after
        .load
        .iter()
        .flat_map(|(name, load)| of_load(name, before.load.get(name).unwrap_or(&empty), load, cycles));
    let links = after.links.iter().map(|(name, link)| {
        let earlier = before.links.get(name).copied().unwrap_or_default();
        let bytes = |stats: LinkStats| stats.bytes_up + stats.bytes_down;
        at_least(format!("{name}: bytes over the link"), bytes(*link) - bytes(earlier), cycles as u64)
    });
    load.chain(links).chain(of_faults(scenario, before, after, cycles)).collect()
}

fn at_least(what: String, found: u64, at_least: u64) -> Audit {
    Audit { what, found, at_least, at_most: None }
}

/// One control per kind of fault and link: that it took effect in every counted cycle.
fn of_faults<P: PeerSpec>(
    scenario: &Scenario<P>,
    before: &Reading,
    after: &Reading,
    cycles: usize,
) -> Vec<Audit> {
    let faults = scenario.cycle.iter().flat_map(|phase| &phase.faults);
    let mut seen = BTreeSet::new();
    let first_of_kind = faults.filter(|fault| seen.insert((fault.name(), fault.link().map(str::to_owned))));
    first_of_kind.map(|fault| of_fault(fault, before, after, cycles as u64)).collect()
}

fn of_fault(fault: &Fault, before: &Reading, after: &Reading, cycles: u64) -> Audit {
    let Some(link) = fault.link() else {
        return at_least("target: signals sent".to_owned(), after.kills - before.kills, cycles);
    };
    let of = |reading: &Reading| effect(fault, &reading.links.get(link).copied().unwrap_or_default());
    let (what, found) = of(after);
    let (_, earlier) = of(before);
    // A fault that spares some connections may spare a cycle.
    let sure = fault.on_link().is_none_or(|fault| fault.common().p >= 1.0);
    at_least(format!("{link}: {what} by {}", fault.name()), found - earlier, if sure { cycles } else { 1 })
}

/// The figure of a link that shows a fault at work, in words and as a count.
fn effect(fault: &Fault, link: &LinkStats) -> (&'static str, u64) {
    match fault {
        Fault::Reset(_) | Fault::Close(_) => ("connections cut", link.cut),
        Fault::Refuse(_) => ("connects refused", link.refused),
        Fault::Flap(flap) => match flap.mode {
            DownMode::Reset | DownMode::Close => ("connections cut or refused", link.cut + link.refused),
            DownMode::Refuse => ("connects refused", link.refused),
            DownMode::Blackhole => ("times down", link.faults_begun),
        },
        Fault::Storm(_) => ("connections opened", link.storm_connections),
        Fault::Latency(_) => ("chunks delayed", link.chunks_delayed),
        Fault::Bandwidth(_)
        | Fault::Blackhole(_)
        | Fault::HalfOpen(_)
        | Fault::Stall(_)
        | Fault::SlowRead(_)
        | Fault::Kill(_) => ("times begun", link.faults_begun),
    }
}

/// The load of one party between two readings, as controls.
///
/// `before` was read at the end of warm-up, `after` at the end of the run, `cycles` counted cycles later.
fn of_load(name: &str, before: &[Load], after: &[Load], cycles: usize) -> Vec<Audit> {
    after
        .iter()
        .map(|load| {
            let earlier =
                before.iter().find(|earlier| earlier.what == load.what).map_or(0, |earlier| earlier.count);
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
        assert_eq!(
            (audits[0].what.as_str(), audits[0].found, audits[0].at_least),
            ("plc: polls answered", 19, 20)
        );
        assert!(!audits[0].holds());
        assert!(of_load("plc", &[polls(100)], &[polls(120)], 10)[0].holds());
    }

    #[test]
    fn a_fault_that_touched_nothing_fails_its_control() {
        let fault: Fault = serde_saphyr::from_str("reset: { link: plc }").unwrap();
        let reading = |cut| Reading {
            links: [("plc".to_owned(), LinkStats { cut, ..LinkStats::default() })].into(),
            ..Reading::default()
        };
        assert!(!of_fault(&fault, &reading(4), &reading(4), 10).holds());
        assert!(of_fault(&fault, &reading(4), &reading(14), 10).holds());
    }
}
