//! What was to happen in each cycle of a case, and what was allowed: what a reader needs beside its figures.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chaos::Fault;
use crate::resource::Resource;
use crate::scenario::Scenario;
use crate::scenario::model::{EngineKind, PeerSpec};
use crate::scenario::plan::WATCH;
use crate::seconds;
use crate::verdict::Rules;

/// One cycle in short. Times are those of the scenario as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CyclePlan {
    /// How many times faster it was played than written; 1 in sim.
    pub pace: f64,
    /// The disturbances, in order and without gaps.
    pub phases: Vec<PhaseSpan>,
    /// The settling after them.
    pub rest: Rest,
    /// What each resource may hold, where the scenario bounds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
}

/// A disturbance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseSpan {
    /// Its name in the scenario.
    pub name: String,
    /// When it begins in the cycle.
    #[serde(rename = "from_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub from: Duration,
    /// When it ends.
    #[serde(rename = "to_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub to: Duration,
    /// What goes wrong in it, in words: `flap on plc: up 3s, down 2s`. Empty: nothing.
    pub faults: Vec<String>,
}

/// The wait for rest, and the watch over it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rest {
    /// Its name in the scenario.
    pub name: String,
    /// The bound.
    #[serde(rename = "within_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub within: Duration,
    /// How long the target is watched once it is at rest.
    #[serde(rename = "watch_seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub watch: Duration,
    /// The target's own figures, each with the value that means "at rest".
    pub until: BTreeMap<String, f64>,
}

/// What one resource may hold: counts, or bytes for heap and RSS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// The resource.
    pub resource: Resource,
    /// The most at any sample.
    pub peak_max: Option<u64>,
    /// The most at rest.
    pub at_rest_max: Option<u64>,
    /// Growth per cycle that is allowed, in units (blocks for the heap).
    pub grow_per_cycle: f64,
}

impl CyclePlan {
    /// The plan of `scenario` as `engine` plays it.
    pub fn of<P: PeerSpec>(scenario: &Scenario<P>, engine: EngineKind) -> Self {
        let pace = match engine {
            EngineKind::Sim => 1.0,
            _ => scenario.cycles.wall.map_or(1.0, |wall| wall.pace),
        };
        let settle = scenario.cycle.last();
        Self {
            pace,
            phases: phases(scenario),
            rest: Rest {
                name: settle.map_or_else(String::new, |phase| phase.name.clone()),
                within: settle.and_then(|phase| phase.within).map_or(Duration::ZERO, |time| time.0),
                watch: settle.and_then(|phase| phase.watch).map_or(WATCH, |time| time.0),
                until: settle.and_then(|phase| phase.until.clone()).unwrap_or_default().into_iter().collect(),
            },
            budgets: budgets(&Rules::from(&scenario.expect)),
        }
    }

    /// What `resource` may hold, where the scenario says.
    pub fn budget(&self, resource: Resource) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.resource == resource)
    }
}

fn phases<P: PeerSpec>(scenario: &Scenario<P>) -> Vec<PhaseSpan> {
    let mut from = Duration::ZERO;
    let lasting = scenario.cycle.iter().filter_map(|phase| Some((phase, phase.lasts?.0)));
    lasting
        .map(|(phase, length)| {
            let to = from + length;
            let faults = phase.faults.iter().map(in_words).collect();
            let span = PhaseSpan { name: phase.name.clone(), from, to, faults };
            from = to;
            span
        })
        .collect()
}

fn budgets(rules: &Rules) -> Vec<Budget> {
    let all = Resource::ALL.map(|resource| {
        let rules = rules.of(resource);
        Budget {
            resource,
            peak_max: rules.peak_max,
            at_rest_max: rules.at_rest_max,
            grow_per_cycle: rules.grow,
        }
    });
    let says =
        |budget: &Budget| budget.peak_max.or(budget.at_rest_max).is_some() || budget.grow_per_cycle > 0.0;
    all.into_iter().filter(says).collect()
}

/// A fault as its scenario writes it, without the braces: `latency on plc: delay 50ms, jitter 10ms`.
///
/// The keys are those of the language, so that a new fault needs no words of its own here.
fn in_words(fault: &Fault) -> String {
    let place = fault.link().or(fault.party());
    let mut text = fault.name().to_owned();
    text += &place.map(|place| format!(" on {place}")).unwrap_or_default();
    let Ok(Value::Object(map)) = serde_json::to_value(fault) else { return text };
    let keys = map.values().next().and_then(Value::as_object).into_iter().flatten();
    let said: Vec<String> = keys
        .filter(|(_, value)| !value.is_null() && value.as_str() != place)
        .map(|(key, value)| match value {
            Value::String(value) => format!("{key} {value}"),
            value => format!("{key} {value}"),
        })
        .filter(|said| !UNSAID.contains(&said.as_str()))
        .collect();
    if said.is_empty() { text } else { format!("{text}: {}", said.join(", ")) }
}

/// What every fault on a link does unless its scenario says otherwise.
const UNSAID: [&str; 3] = ["dir both", "on_heal deliver", "p 100%"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_in_the_words_of_the_language() {
        let words = |yaml| in_words(&serde_saphyr::from_str(yaml).expect("a fault"));
        assert_eq!(words("reset: { link: plc, at: 5s }"), "reset on plc: at 5s");
        assert_eq!(words("pause: { peer: plc, for: 1s }"), "pause on plc: for 1s");
        assert_eq!(words("stall: { link: plc, p: 50%, dir: up }"), "stall on plc: dir up, p 50%");
    }
}
