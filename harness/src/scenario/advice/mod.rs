//! Suggestions: a scenario that is well formed and yet cannot find what it is written for.
//!
//! Pure, and no verdict: what is said here is known from the file alone. `cycles` asks the judge's own rule what so many cycles could
//! show, `faults` whether the disturbance disturbs, `expectation` and `ignoring` whether anything is left to be judged, `command` whether the
//! program is started as it is meant, `view` whether it is measured at all.

mod command;
mod cycles;
mod expectation;
mod faults;
mod ignoring;
mod view;

use super::case::Case;
use super::error::Problem;
use super::model::Scenario;
use super::tree::{At, Entry, Node};
use crate::units::Day;
use crate::world::World;

/// A suggestion.
#[derive(Debug, Clone)]
pub struct Advice {
    /// Which of [`KINDS`].
    pub name: &'static str,
    /// Where, what, and what to write instead.
    pub problem: Problem,
}

/// Every kind of suggestion, with what it means.
pub const KINDS: [(&str, &str); 17] = [
    (
        "too-few-cycles",
        "The judge could not tell growth from noise in so few cycles: even a leak at every disturbance would pass.",
    ),
    (
        "bound-that-nothing-misses",
        "The settling may take so long that the run is given up first: a target that never rests is never told of.",
    ),
    (
        "recovery-that-is-never-judged",
        "The bound of the recovery is not below that of the settling, so the settling fails first.",
    ),
    ("recovery-from-nothing", "A recovery is demanded, and nothing is disturbed."),
    ("fault-that-never-strikes", "The fault takes hold of no connection, or changes nothing."),
    ("link-that-nobody-uses", "The target is never told where this peer is, so nothing goes over its link."),
    ("flap-that-never-goes-down", "The first `up` lasts as long as the fault itself."),
    (
        "flap-that-never-comes-back",
        "The link goes down once, and its phase ends before it is up again: that is no flapping.",
    ),
    (
        "fault-shorter-than-talk",
        "The fault withholds bytes for less time than passes between two messages: most of the time there are none.",
    ),
    ("ignore-that-hides-anything", "The entry covers whatever leaks, a new leak too."),
    ("ignore-that-expired", "The entry ignores nothing any more."),
    ("only-rss-is-judged", "The growth of everything else is put up with, and RSS never decides a leak."),
    (
        "rss-decides-nothing",
        "Allocators keep pages, so the growth of RSS is told and never judged; its `max` is.",
    ),
    (
        "expectation-that-cannot-come",
        "What is expected cannot be seen, or not be told, with this target and these settings.",
    ),
    (
        "command-that-needs-a-shell",
        "Commands are started without a shell: nobody splits them, joins them, or puts in variables and homes.",
    ),
    (
        "port-that-nobody-is-told",
        "Clients connect to a free port, and the program of a `command` is never told which: nobody will answer them.",
    ),
    ("nothing-inside", "The target tells nothing of itself: tasks and heap are not measured."),
];

/// What a kind of suggestion means.
pub fn meaning(name: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
}

/// What may be wrong with `case`, from the first line of its file to the last.
pub fn advise<W: World>(world: &W, case: &Case<W::Peer>, today: Day) -> Vec<Advice> {
    let look = Look { world, scenario: &case.scenario, root: &case.source.root };
    let mut remarks = cycles::remarks(look);
    remarks.extend(faults::remarks(look));
    remarks.extend(expectation::remarks(look));
    remarks.extend(ignoring::remarks(look, today));
    remarks.extend(command::remarks(look));
    remarks.extend(view::remarks(look));
    let mut advice: Vec<Advice> = remarks
        .into_iter()
        .map(|remark| Advice {
            name: remark.name,
            problem: case.source.problem(&remark.at, remark.message, Some(remark.help)),
        })
        .collect();
    let place = |advice: &Advice| advice.problem.place.as_ref().map(|place| place.bytes.start);
    advice.sort_by_key(place);
    advice
}

/// What the rules look at.
struct Look<'a, W: World> {
    world: &'a W,
    scenario: &'a Scenario<W::Peer>,
    root: &'a Node,
}

impl<W: World> Clone for Look<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W: World> Copy for Look<'_, W> {}

impl<'a, W: World> Look<'a, W> {
    /// Where the key or value is that the path leads to, as far as there is one: what is left to a default has no place of its own.
    fn at(&self, path: &[&str]) -> At {
        let mut at = &self.root.at;
        let mut node = self.root;
        for key in path {
            let Some(entry) = node.entry(key) else { break };
            (at, node) = (&entry.key.at, &entry.value);
        }
        at.clone()
    }

    /// Every fault of the file, with its place in the tree.
    fn faults(&self) -> Vec<Placed<'a>> {
        let phases = self.root.entry("cycle").map_or(&[][..], |entry| entry.value.items());
        let mut placed = Vec::new();
        for (phase, node) in self.scenario.cycle.iter().zip(phases) {
            let nodes = node.entry("faults").map_or(&[][..], |entry| entry.value.items());
            let entries = nodes.iter().filter_map(|node| node.entries().first());
            placed.extend(phase.faults.iter().zip(entries).map(|(fault, entry)| Placed {
                fault,
                entry,
                phase: phase.lasts.map_or(std::time::Duration::ZERO, |lasts| lasts.0),
            }));
        }
        placed
    }

    /// Whether the target is a program or a process of somebody else's.
    fn is_foreign(&self) -> bool {
        self.scenario.target.name.is_none()
    }
}

/// A fault, where it stands, and how long its phase lasts.
#[derive(Clone, Copy)]
struct Placed<'a> {
    fault: &'a crate::chaos::Fault,
    entry: &'a Entry,
    phase: std::time::Duration,
}

impl Placed<'_> {
    /// Where this key of the fault stands; the fault's own name where it is left to its default.
    fn at(&self, key: &str) -> At {
        self.entry.value.entry(key).map_or(&self.entry.key.at, |entry| &entry.value.at).clone()
    }
}

/// What a rule has to say.
struct Remark {
    name: &'static str,
    at: At,
    message: String,
    help: String,
}

impl Remark {
    fn new(name: &'static str, at: At, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, at, message: message.into(), help: help.into() }
    }
}
