//! Controls of a run: did the load land, did the disturbance disturb.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::chaos::toxics::flap::DownMode;
use crate::chaos::{Fault, Link, LinkStats};
use crate::scenario::Scenario;
use crate::scenario::model::{MinCount, PeerSpec};
use crate::timeline::Audit;
use crate::world::Load;

/// What parties and links had done at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// By party.
    pub load: BTreeMap<String, Vec<Load>>,
    /// By link.
    pub links: BTreeMap<String, LinkStats>,
    /// How often a fault of a process was carried out, by its name and whose process it was.
    pub acts: BTreeMap<(&'static str, String), u64>,
    /// The target's own figures.
    pub gauges: BTreeMap<String, f64>,
}

impl Reading {
    /// The figures of `links` now, and what else was read.
    pub(super) fn new(
        load: BTreeMap<String, Vec<Load>>,
        links: &BTreeMap<String, Arc<Link>>,
        acts: &Acts,
        gauges: BTreeMap<String, f64>,
    ) -> Self {
        let links = links.iter().map(|(name, link)| (name.clone(), link.stats())).collect();
        let load = load.into_iter().map(|(name, load)| {
            let whole = acts.whole(&name, load);
            (name, whole)
        });
        Self { load: load.collect(), links, acts: acts.done.clone(), gauges }
    }
}

/// What was done to processes, and what peers had done when they were ended.
#[derive(Debug, Default)]
pub(super) struct Acts {
    done: BTreeMap<(&'static str, String), u64>,
    /// By peer: a program that is started again counts from nothing.
    before: BTreeMap<String, Vec<Load>>,
}

impl Acts {
    /// Notes that a fault of a process was carried out.
    pub(super) fn note(&mut self, fault: &Fault) {
        if let Some(party) = fault.party() {
            *self.done.entry((fault.name(), party.to_owned())).or_default() += 1;
        }
    }

    /// Notes what the peer `name` has done, just before it is ended.
    pub(super) fn ends(&mut self, name: &str, load: Vec<Load>) {
        let whole = self.whole(name, load);
        self.before.insert(name.to_owned(), whole);
    }

    /// `load` of the peer `name` and what it had done before it was started again.
    fn whole(&self, name: &str, mut load: Vec<Load>) -> Vec<Load> {
        for earlier in self.before.get(name).into_iter().flatten() {
            match load.iter_mut().find(|load| load.what == earlier.what) {
                Some(load) => load.count += earlier.count,
                None => load.push(earlier.clone()),
            }
        }
        load
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
    let counters = of_counters(&scenario.expect.each_cycle, before, after, cycles as u64);
    load.chain(links).chain(counters).chain(of_faults(scenario, before, after, cycles)).collect()
}

/// What the scenario says that the target itself must have counted in every cycle.
fn of_counters(
    each_cycle: &IndexMap<String, MinCount>,
    before: &Reading,
    after: &Reading,
    cycles: u64,
) -> impl Iterator<Item = Audit> {
    each_cycle.iter().map(move |(name, least)| {
        let of = |reading: &Reading| reading.gauges.get(name).copied().unwrap_or_default();
        // A target that was started again counts from nothing: what it counted before is not known here.
        let found = (of(after) - of(before)).max(0.0) as u64;
        at_least(format!("target: {name}"), found, least.min * cycles)
    })
}

fn at_least(what: String, found: u64, at_least: u64) -> Audit {
    Audit { what, found, at_least, at_most: None }
}

/// One control per kind of fault and link or process: that it took effect in every counted cycle.
fn of_faults<P: PeerSpec>(
    scenario: &Scenario<P>,
    before: &Reading,
    after: &Reading,
    cycles: usize,
) -> Vec<Audit> {
    let faults = scenario.cycle.iter().flat_map(|phase| &phase.faults);
    let mut seen = BTreeSet::new();
    let place = |fault: &Fault| fault.link().or(fault.party()).map(str::to_owned);
    let first_of_kind = faults.filter(|fault| seen.insert((fault.name(), place(fault))));
    first_of_kind.map(|fault| of_fault(fault, before, after, cycles as u64)).collect()
}

fn of_fault(fault: &Fault, before: &Reading, after: &Reading, cycles: u64) -> Audit {
    let Some(link) = fault.link() else {
        return of_act(fault, before, after, cycles);
    };
    let of = |reading: &Reading| effect(fault, &reading.links.get(link).copied().unwrap_or_default());
    let (what, found) = of(after);
    let (_, earlier) = of(before);
    // A fault that spares some connections may spare a cycle.
    let sure = fault.on_link().is_none_or(|fault| fault.common().p >= 1.0);
    at_least(format!("{link}: {what} by {}", fault.name()), found - earlier, if sure { cycles } else { 1 })
}

/// The control of a fault of a process: that it was carried out in every counted cycle.
fn of_act(fault: &Fault, before: &Reading, after: &Reading, cycles: u64) -> Audit {
    let party = fault.party().unwrap_or_default();
    let of =
        |reading: &Reading| reading.acts.get(&(fault.name(), party.to_owned())).copied().unwrap_or_default();
    let what = match fault {
        Fault::Pause(_) => "times paused",
        Fault::Reload(_) => "times told to reload",
        _ => "signals sent",
    };
    at_least(format!("{party}: {what}"), of(after) - of(before), cycles)
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
        | Fault::Kill(_)
        | Fault::Pause(_)
        | Fault::Reload(_) => ("times begun", link.faults_begun),
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
    fn a_peer_that_was_started_again_keeps_what_it_had_done() {
        let mut acts = Acts::default();
        acts.ends("plc", vec![polls(100)]);
        acts.ends("plc", vec![polls(20)]);
        let reading = |count| {
            Reading::new(
                [("plc".to_owned(), vec![polls(count)])].into(),
                &BTreeMap::new(),
                &acts,
                BTreeMap::new(),
            )
        };
        assert_eq!(reading(3).load["plc"], [polls(123)]);
    }

    #[test]
    fn a_fault_of_a_process_that_was_not_carried_out_fails_its_control() {
        let fault: Fault = serde_saphyr::from_str("pause: { peer: plc, for: 1s }").unwrap();
        let mut acts = Acts::default();
        let mut reading = |times| {
            (0..times).for_each(|_| acts.note(&fault));
            Reading::new(BTreeMap::new(), &BTreeMap::new(), &acts, BTreeMap::new())
        };
        let (before, between, after) = (reading(3), reading(9), reading(1));
        let audit = of_fault(&fault, &before, &after, 10);
        assert_eq!((audit.what.as_str(), audit.found, audit.holds()), ("plc: times paused", 10, true));
        assert!(!of_fault(&fault, &before, &between, 10).holds());
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

    #[test]
    fn a_counter_of_the_target_must_rise_as_often_as_the_scenario_says() {
        let each_cycle = [("reloads".to_owned(), MinCount { min: 2 })].into();
        let read =
            |count: f64| Reading { gauges: [("reloads".to_owned(), count)].into(), ..Reading::default() };
        let audit =
            |after| of_counters(&each_cycle, &read(2.0), &read(after), 10).next().expect("one control");
        assert_eq!(
            (audit(22.0).what.as_str(), audit(22.0).found, audit(22.0).holds()),
            ("target: reloads", 20, true)
        );
        assert!(!audit(21.0).holds());
        // A target that was started again has counted less than it had before.
        assert_eq!(audit(0.0).found, 0);
    }
}
