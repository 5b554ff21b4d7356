//! One cycle, compiled: phases and a flat, sorted list of events at fixed times. What `plan` prints, engines carry out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::model::{PeerSpec, Phase, Scenario};
use crate::chaos::fault::indices;
use crate::chaos::{Change, Fault, FaultId};
use crate::seconds;
use crate::seed::Seed;
use crate::units::Time;

/// How long a target at rest is watched unless the scenario says.
pub const WATCH: Duration = Duration::from_secs(2);

/// One cycle. Times are scenario times from its start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Counted from 0, warm-up included.
    pub cycle: usize,
    /// The disturbances in order, without gaps.
    pub phases: Vec<PlannedPhase>,
    /// Everything that happens during them, by time; what happens at once keeps the order of the file.
    pub events: Vec<PlannedEvent>,
    /// How long the disturbances last together. Every fault has healed by then.
    #[serde(rename = "disturbed_for_seconds", serialize_with = "seconds::serialize")]
    pub disturbed_for: Duration,
    /// The settling after them.
    pub settle: Settling,
}

/// A disturbance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedPhase {
    /// Its name in the file.
    pub name: String,
    /// When it begins.
    #[serde(rename = "from_seconds", serialize_with = "seconds::serialize")]
    pub from: Duration,
    /// When it ends.
    #[serde(rename = "to_seconds", serialize_with = "seconds::serialize")]
    pub to: Duration,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedEvent {
    /// When.
    #[serde(rename = "at_seconds", serialize_with = "seconds::serialize")]
    pub at: Duration,
    /// The index of its phase in [`Plan::phases`].
    pub phase: usize,
    /// On which link; `None`: to the process of [`Fault::party`].
    pub link: Option<String>,
    /// The fault it belongs to.
    pub fault: Arc<Fault>,
    /// Which fault that is: equal for its begin and its end.
    #[serde(skip)]
    pub id: FaultId,
    /// What happens.
    pub change: Change,
}

/// The wait for rest, and the watch over it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settling {
    /// Its name in the file.
    pub name: String,
    /// The bound.
    #[serde(rename = "within_seconds", serialize_with = "seconds::serialize")]
    pub within: Duration,
    /// Figures of the target, each with the value that means "at rest".
    pub until: BTreeMap<String, f64>,
    /// How long the target is watched once it is at rest.
    #[serde(rename = "watch_seconds", serialize_with = "seconds::serialize")]
    pub watch: Duration,
}

impl Plan {
    /// The plan of cycle number `cycle`: equal for equal arguments.
    ///
    /// Each phase draws from a stream of its own, named after it, so that a new phase changes no other's dice.
    pub fn compile<P: PeerSpec>(scenario: &Scenario<P>, seed: Seed, cycle: usize) -> Self {
        let mut plan = Self {
            cycle,
            phases: Vec::new(),
            events: Vec::new(),
            disturbed_for: Duration::ZERO,
            settle: Settling::of(scenario.cycle.last()),
        };
        for phase in &scenario.cycle {
            if let Some(Time(length)) = phase.lasts {
                plan.disturb(phase, length, seed.stream(&phase.name, cycle as u64));
            }
        }
        plan.events.sort_by_key(|event| event.at);
        plan
    }

    fn disturb(&mut self, phase: &Phase, length: Duration, seed: Seed) {
        let from = self.disturbed_for;
        let number = self.phases.len();
        for (fault, index) in phase.faults.iter().zip(indices(&phase.faults)) {
            let id = fault.id(index, seed);
            let link = fault.link().map(str::to_owned);
            let shared = Arc::new(fault.clone());
            let event = |(at, change)| {
                let (link, fault) = (link.clone(), Arc::clone(&shared));
                PlannedEvent { at: from + at, phase: number, link, fault, id, change }
            };
            self.events.extend(fault.compile(index, length, seed).into_iter().map(event));
        }
        self.disturbed_for += length;
        self.phases.push(PlannedPhase { name: phase.name.clone(), from, to: self.disturbed_for });
    }
}

impl Settling {
    fn of(phase: Option<&Phase>) -> Self {
        let time = |time: Option<Time>| time.map(|time| time.0);
        Self {
            name: phase.map_or_else(String::new, |phase| phase.name.clone()),
            within: phase.and_then(|phase| time(phase.within)).unwrap_or_default(),
            until: phase.and_then(|phase| phase.until.clone()).unwrap_or_default().into_iter().collect(),
            watch: phase.and_then(|phase| time(phase.watch)).unwrap_or(WATCH),
        }
    }
}

/// A table of what happens when: one line per event, phases between them.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![Line::of("t", "phase", "link", "event".to_owned())];
        for (number, phase) in self.phases.iter().enumerate() {
            let lasts = format!("lasts {}", Time(phase.to - phase.from));
            lines.push(Line::of(&clock(phase.from), &phase.name, "", lasts));
            let events = self.events.iter().filter(|event| event.phase == number);
            lines.extend(events.map(|event| {
                let what = format!("{} {}", event.fault.name(), event.change);
                let place = event.link.as_deref().or(event.fault.party()).unwrap_or_default();
                Line::of(&clock(event.at), "", place, what)
            }));
        }
        lines.push(Line::of(&clock(self.disturbed_for), &self.settle.name, "", self.settle.to_string()));
        Line::print(&lines, f)
    }
}

impl fmt::Display for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until: Vec<String> =
            self.until.iter().map(|(gauge, value)| format!("{gauge} = {value}")).collect();
        let Self { within, watch, .. } = self;
        if !until.is_empty() {
            write!(f, "until {}, ", until.join(", "))?;
        }
        write!(f, "within {}; then watch {}", Time(*within), Time(*watch))
    }
}

/// Seconds since the start of the cycle, to the millisecond: times in one column stay comparable.
fn clock(at: Duration) -> String {
    format!("{:.3}s", at.as_secs_f64())
}

struct Line {
    at: String,
    phase: String,
    link: String,
    what: String,
}

impl Line {
    fn of(at: &str, phase: &str, link: &str, what: String) -> Self {
        Self { at: at.to_owned(), phase: phase.to_owned(), link: link.to_owned(), what }
    }

    fn print(lines: &[Self], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: fn(&Self) -> &str| {
            lines.iter().map(|line| column(line).chars().count()).max().unwrap_or_default()
        };
        let at = widest(|line| &line.at);
        let phase = widest(|line| &line.phase);
        let link = widest(|line| &line.link);
        for line in lines {
            writeln!(f, "{:>at$}  {:<phase$}  {:<link$}  {}", line.at, line.phase, line.link, line.what)?;
        }
        Ok(())
    }
}
