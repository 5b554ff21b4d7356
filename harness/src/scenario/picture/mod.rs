//! A cycle as a picture: a lane for every link, the faults as bars on it, the phases below; and the same for programs.
//!
//! `bars` says where what stands, `draw` puts it on so many columns. Pure: no terminal is asked.

mod bars;
mod draw;

use serde::Serialize;

use super::case::Case;
use super::plan::Plan;
use super::tree::{Node, Value};
use crate::seed::Seed;
use crate::world::{Seat, World};

/// What one case compiles to, with whom it plays.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedCase {
    /// `engine::scenario::case`.
    pub name: String,
    /// The seed that chance came from.
    pub seed: Seed,
    /// The peers, by name.
    pub peers: Vec<PlannedPeer>,
    /// One cycle. In JSON its times are numbers of seconds.
    pub plan: Plan,
}

/// A peer as a reader needs it beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedPeer {
    /// Its name, which is its link's.
    pub name: String,
    /// Its kind: `sse`.
    pub kind: String,
    /// How many there are.
    pub instances: usize,
    /// Whether it connects to the target, and so is its load.
    pub is_consumer: bool,
    /// Its settings, as the file has them: `{ count: 2, read: 1MiB/s }`.
    pub settings: String,
}

impl PlannedCase {
    /// Cycle number `cycle` of `case`.
    pub fn of<W: World>(world: &W, case: &Case<W::Peer>, cycle: usize) -> Self {
        let seed = Seed(case.scenario.seed);
        let nodes = case.source.root.entry("world").map(|entry| &entry.value);
        let peers = case.scenario.world.iter().map(|(name, peer)| {
            let node =
                nodes.and_then(|nodes| nodes.entry(name)).and_then(|entry| entry.value.entries().first());
            PlannedPeer {
                name: name.clone(),
                kind: node.map_or_else(String::new, |entry| entry.key.text.clone()),
                instances: world.instances(peer),
                is_consumer: world.seat(peer) == Seat::Consumer,
                settings: node.map_or_else(String::new, |entry| flow(&entry.value)),
            }
        });
        Self {
            name: case.title(),
            seed,
            peers: peers.collect(),
            plan: Plan::compile(&case.scenario, seed, cycle),
        }
    }

    /// The picture and the list of events, for so many `columns`; with escape codes where `color` says so.
    pub fn text(&self, columns: usize, color: bool) -> String {
        let head = format!("{}, seed {}, cycle {}", self.name, self.seed, self.plan.cycle);
        format!("{head}\n\n{}\n{}", draw::picture(self, columns, color), self.plan)
    }
}

/// The most letters of settings that are shown.
const SETTINGS_LETTERS_MAX: usize = 60;

/// A value on one line, as YAML's flow style has it.
fn flow(node: &Node) -> String {
    let text = match &node.value {
        Value::Scalar(scalar) => scalar.text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", entry.key.text, flow(&entry.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    };
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match text.char_indices().nth(SETTINGS_LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
