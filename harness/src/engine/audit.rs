//! Controls of a run: did the load land, did the disturbance disturb.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::chaos::effect::{Effects, proof};
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
    /// By link: what its faults did.
    pub effects: BTreeMap<String, Effects>,
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
        let effects = links.iter().map(|(name, link)| (name.clone(), link.effects())).collect();
        let links = links.iter().map(|(name, link)| (name.clone(), link.stats())).collect();
        let load = load.into_iter().map(|(name, load)| {
            let whole = acts.whole(&name, load);
            (name, whole)
        });
        Self { load: load.collect(), links, effects, acts: acts.done.clone(), gauges }
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

/// One control per kind of fault and link or process: that each of them took effect in every counted cycle.
///
/// A run that ended before its first one is not asked for what it did: why it ended is the news.
fn of_faults<P: PeerSpec>(
    scenario: &Scenario<P>,
    before: &Reading,
    after: &Reading,
    cycles: usize,
) -> Vec<Audit> {
    let mut kinds: Vec<(&Fault, u64)> = Vec::new();
    if cycles == 0 {
        return Vec::new();
    }
    for fault in scenario.cycle.iter().flat_map(|phase| &phase.faults) {
        match kinds.iter_mut().find(|(other, _)| is_same_kind(fault, other)) {
            Some((_, sure)) => *sure += u64::from(is_sure(fault)),
            None => kinds.push((fault, u64::from(is_sure(fault)))),
        }
    }
    kinds.into_iter().map(|(fault, sure)| of_fault(fault, before, after, sure * cycles as u64)).collect()
}

fn is_same_kind(a: &Fault, b: &Fault) -> bool {
    let place = |fault: &Fault| fault.link().or(fault.party()).map(str::to_owned);
    a.name() == b.name() && place(a) == place(b)
}

/// A fault that spares some connections may spare a cycle.
fn is_sure(fault: &Fault) -> bool {
    fault.on_link().is_none_or(|fault| fault.common().p >= 1.0)
}

/// The control of all faults of the kind of `fault` in its place: at least `times`, and at least once.
fn of_fault(fault: &Fault, before: &Reading, after: &Reading, times: u64) -> Audit {
    let name = fault.name();
    let (place, what, found) = match (fault, fault.link()) {
        (_, None) => of_act(fault, before, after),
        (Fault::Storm(_), Some(link)) => {
            let of = |reading: &Reading| reading.links.get(link).map_or(0, |link| link.storm_connections);
            (link, format!("connections opened by {name}"), of(after) - of(before))
        }
        (_, Some(link)) => {
            let of = |reading: &Reading| {
                reading.effects.get(link).and_then(|effects| effects.get(name)).map_or(0, |kind| kind.spells)
            };
            (link, format!("{} by {name}", proof(fault).words()), of(after) - of(before))
        }
    };
    at_least(format!("{place}: {what}"), found, times.max(1))
}

/// How often a fault of a process was carried out.
fn of_act<'f>(fault: &'f Fault, before: &Reading, after: &Reading) -> (&'f str, String, u64) {
    let party = fault.party().unwrap_or_default();
    let of =
        |reading: &Reading| reading.acts.get(&(fault.name(), party.to_owned())).copied().unwrap_or_default();
    let what = match fault {
        Fault::Pause(_) => "times paused",
        Fault::Reload(_) => "times told to reload",
        Fault::Partition(_) => "times cut off",
        _ => "signals sent",
    };
    (party, what.to_owned(), of(after) - of(before))
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
    use crate::chaos::effect::Effect;

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
        let reading = |spells| {
            let effect = Effect { spells, ..Effect::default() };
            Reading { effects: [("plc".to_owned(), [("reset", effect)].into())].into(), ..Reading::default() }
        };
        assert!(!of_fault(&fault, &Reading::default(), &Reading::default(), 10).holds());
        assert!(!of_fault(&fault, &reading(4), &reading(13), 10).holds());
        assert!(of_fault(&fault, &reading(4), &reading(14), 10).holds());
        assert!(!of_fault(&fault, &reading(4), &reading(4), 0).holds(), "at least once, whatever is drawn");
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
