//! What types cannot say: names that must agree, phases in order, budgets that make sense together.
//!
//! The checks read the tree, not the types, so that they speak of what the file says, and hold their tongue where
//! something has been reported already.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check_target;
use super::recovery::Recovery;
use super::suggest::{did_you_mean, list};
use super::tree::{Entry, Id, Node, Value};
use crate::chaos::toxics::kill::TARGET;
use crate::units::Time;

/// A finding at a key or value of the tree.
#[derive(Debug)]
pub(super) struct Finding {
    pub id: Id,
    pub message: String,
    pub help: Option<String>,
}

/// Everything that is wrong with a scenario whose keys and types are right.
pub(super) fn check(root: &Node, recovery: &Recovery) -> Vec<Finding> {
    let mut checker = Checker { root, recovery, findings: Vec::new() };
    checker.links();
    checker.phases();
    checker.expectation();
    checker.engines();
    checker.image();
    checker.findings.extend(check_target::check(root, recovery));
    checker.findings
}

struct Checker<'a> {
    root: &'a Node,
    recovery: &'a Recovery,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn find(&mut self, id: Id, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding { id, message: message.into(), help: Some(help.into()) });
    }

    /// The value under `key`, unless it has been reported.
    fn value(&self, node: &'a Node, key: &str) -> Option<&'a Node> {
        let value = &node.entry(key)?.value;
        (!self.recovery.hides(&[value])).then_some(value)
    }

    /// Whether the map has the key, or its lack has been reported.
    fn settled(&self, map: &Node, key: &str) -> bool {
        map.entry(key).is_some() || self.recovery.lacks(map, key)
    }

    fn links(&mut self) {
        let Some(world) = self.value(self.root, "world") else { return };
        let peers: Vec<&str> = world.entries().iter().map(|entry| entry.key.text.as_str()).collect();
        if let Some(links) = self.root.entry("links") {
            for entry in links.value.entries() {
                self.link(entry.key.id, &entry.key.text, &peers);
            }
        }
        for phase in self.root.entry("cycle").map_or(&[][..], |entry| entry.value.items()) {
            for fault in phase.entry("faults").map_or(&[][..], |entry| entry.value.items()) {
                let [fault] = fault.entries() else { continue };
                if let Some(link) = self.value(&fault.value, "link") {
                    let name = text(link).unwrap_or_default();
                    self.link(link.id, name, &peers);
                }
                self.process_fault(fault, &peers);
            }
        }
    }

    /// A fault of a process names a party that has one, and asks of it what can be done to it.
    fn process_fault(&mut self, fault: &'a Entry, peers: &[&str]) {
        let kind = fault.key.text.as_str();
        if !["kill", "pause", "reload", "partition"].contains(&kind) {
            return;
        }
        let peer = self.value(&fault.value, "peer");
        let name = peer.and_then(text).unwrap_or(TARGET);
        if let Some(peer) = peer.filter(|_| name != TARGET && !peers.contains(&name)) {
            let all: Vec<&str> = peers.iter().copied().chain([TARGET]).collect();
            let help = format!(
                "{}`{kind}` names a peer of `world`, or `{TARGET}`: {}",
                did_you_mean(name, &all),
                list(&all)
            );
            self.find(peer.id, format!("no peer `{name}` in `world`"), help);
        }
        if let Some(lasts) = fault.value.entry("for") {
            self.longer_than_nothing(lasts);
        }
        match kind {
            "pause" if name == TARGET => self.pause_of_target(fault),
            "kill" if name != TARGET => self.kill_of_peer(fault),
            "reload" => self.reload(fault),
            _ => {}
        }
    }

    fn pause_of_target(&mut self, fault: &Entry) {
        let engines = self.value(self.root, "engines").map_or(&[][..], Node::items);
        // Without `engines` a scenario plays in sim.
        if engines.is_empty() || engines.iter().any(|engine| text(engine) == Some("sim")) {
            let help = "use `engines: [process]`, or name a peer: `pause: { peer: plc, for: 5s }`";
            let message = "the target cannot be paused in `sim`, where it shares a thread with all others";
            self.find(fault.key.id, message, help);
        }
    }

    fn kill_of_peer(&mut self, fault: &'a Entry) {
        if let Some(restart) = self.value(&fault.value, "restart").filter(|node| text(node) == Some("false"))
        {
            let help =
                "leave out `restart`, or `refuse` connections on its link for as long as it is to be away";
            self.find(restart.id, "a peer that is not started again is missing in every later cycle", help);
        }
    }

    /// Whether the target is somebody else's program or process.
    fn is_foreign(&self) -> bool {
        self.value(self.root, "target").and_then(check_target::process).is_some()
    }

    fn reload(&mut self, fault: &'a Entry) {
        if let Some(with) = fault.value.entry("with").filter(|_| self.is_foreign()) {
            let help = "leave out `with`: the program gets its SIGHUP, and reads whatever it reads";
            self.find(with.key.id, "nobody writes the settings of a target that is a `command`", help);
        }
    }

    fn link(&mut self, id: Id, name: &str, peers: &[&str]) {
        if !peers.contains(&name) {
            let help = match peers {
                [] => "there is no peer: each has its name under `world`, and what it is".to_owned(),
                _ => format!("{}a link has the name of its peer: {}", did_you_mean(name, peers), list(peers)),
            };
            self.find(id, format!("no peer `{name}` in `world`"), help);
        }
    }

    fn phases(&mut self) {
        let Some(cycle) = self.value(self.root, "cycle") else { return };
        let phases: Vec<&Node> =
            cycle.items().iter().filter(|phase| !self.recovery.hides(&[phase])).collect();
        self.phase_names(&phases);
        for phase in &phases {
            self.phase(phase);
        }
        if phases.len() == cycle.items().len() {
            self.settling(cycle.id, &phases);
        }
    }

    fn phase_names(&mut self, phases: &[&'a Node]) {
        let mut seen = BTreeMap::new();
        for phase in phases {
            let Some(name) = self.value(phase, "name").and_then(|name| Some((name.id, text(name)?))) else {
                continue;
            };
            if seen.insert(name.1, ()).is_some() {
                let help = "events and reports name phases: give each a name of its own";
                self.find(name.0, format!("a second phase called `{}`", name.1), help);
            }
        }
    }

    fn phase(&mut self, phase: &'a Node) {
        match (phase.entry("for"), phase.entry("until")) {
            (Some(_), Some(until)) => self.find(
                until.key.id,
                "a phase has `for` or `until`, not both",
                "a disturbance lasts (`for`), the settling waits (`within` and `until`): make it two phases",
            ),
            (None, None) => self.find(
                phase.id,
                "the phase has neither `for` nor `until`",
                "give a disturbance `for: 10s`, or the settling `within: 60s` and `until: { sessions: 4 }`",
            ),
            (Some(lasts), None) => self.disturbance(phase, lasts),
            (None, Some(until)) => self.settle(phase, until),
        }
    }

    fn disturbance(&mut self, phase: &'a Node, lasts: &'a Entry) {
        self.longer_than_nothing(lasts);
        self.begins_in_time(phase, lasts);
        for key in ["within", "watch"] {
            if let Some(entry) = phase.entry(key) {
                let help = format!("a phase with `for` ends by itself: remove `{key}`");
                self.find(entry.key.id, format!("`{key}` belongs to the settling phase"), help);
            }
        }
    }

    fn settle(&mut self, phase: &'a Node, until: &'a Entry) {
        // A target of somebody else's may have no figure of its own to name.
        if !self.is_foreign() && !self.recovery.hides(&[&until.value]) && until.value.entries().is_empty() {
            let help = "name a figure of the target and its value at rest: `until: { sessions: 4 }`";
            self.find(until.value.id, "`until` names nothing", help);
        }
        if let Some(faults) = phase.entry("faults") {
            let help = "every fault heals before the target settles: move them to a phase with `for`";
            self.find(faults.key.id, "the settling phase has faults", help);
        }
        match phase.entry("within") {
            Some(within) => self.longer_than_nothing(within),
            None if self.settled(phase, "within") => {}
            None => {
                self.find(
                    phase.id,
                    "the settling phase has no bound",
                    "say how long it may take: `within: 60s`",
                );
            }
        }
        if let Some(watch) = phase.entry("watch") {
            self.longer_than_nothing(watch);
        }
    }

    /// A fault that begins when its phase is over never happens: then the disturbance does not disturb.
    fn begins_in_time(&mut self, phase: &'a Node, lasts: &'a Entry) {
        let time = |node: &Node| text(node).and_then(|text| text.parse::<Time>().ok());
        let Some(length) = time(&lasts.value).filter(|_| !self.recovery.hides(&[&lasts.value])) else {
            return;
        };
        let faults = phase.entry("faults").map_or(&[][..], |entry| entry.value.items());
        for fault in faults.iter().flat_map(Node::entries) {
            let at = self.value(&fault.value, "at");
            if let Some(at) = at.filter(|at| time(at).is_some_and(|at| at >= length)) {
                let message = format!("`{}` begins after its phase has ended", fault.key.text);
                self.find(
                    at.id,
                    message,
                    format!("the phase lasts {length}: begin earlier, or let it last longer"),
                );
            }
        }
    }

    fn longer_than_nothing(&mut self, entry: &'a Entry) {
        let time = text(&entry.value).and_then(|text| text.parse::<Time>().ok());
        if time == Some(Time(Duration::ZERO)) && !self.recovery.hides(&[&entry.value]) {
            let key = &entry.key.text;
            self.find(entry.value.id, format!("`{key}` is no time at all"), "say how long, such as `10s`");
        }
    }

    /// Exactly one phase settles, and it is the last.
    fn settling(&mut self, cycle: Id, phases: &[&'a Node]) {
        let settling: Vec<&Node> =
            phases.iter().filter(|phase| phase.entry("until").is_some()).copied().collect();
        let help = "a cycle ends when the target is at rest: `- { name: settle, within: 60s, until: { .. } }` comes last";
        match (settling.as_slice(), phases.last()) {
            (_, None) => {}
            ([], Some(_)) => self.find(cycle, "no phase settles", help),
            ([only], Some(last)) if only.id != last.id => {
                self.find(only.id, "the settling phase is not the last", help);
            }
            ([_], Some(_)) => {}
            ([.., second], Some(_)) => self.find(second.id, "a second settling phase", help),
        }
    }

    fn expectation(&mut self) {
        let Some(expect) = self.value(self.root, "expect") else { return };
        let Some(leak) = self.value(expect, "leak") else { return };
        if let Some(outcome) = expect.entry("outcome") {
            let help = "a run ends in one outcome: remove `outcome` or `leak`";
            self.find(outcome.key.id, "expected to leak and to end in another outcome", help);
        }
        let Some(resource) = self.value(leak, "resource") else { return };
        let name = text(resource).unwrap_or_default();
        if name == "rss" {
            let help =
                "RSS never decides a leak, since allocators keep pages: name tasks, fds, threads or heap";
            self.find(resource.id, "`rss` cannot be a leak", help);
        }
        let at_rest = self.value(expect, "at_rest").and_then(|at_rest| at_rest.entry(name));
        if let Some(entry) = at_rest {
            let help = format!("remove `{name}` here, or `leak`");
            self.find(entry.key.id, format!("`{name}` is bounded at rest and expected to leak"), help);
        }
    }

    /// An image is started as a container, and nowhere else. Without `engines` a scenario plays in sim.
    fn image(&mut self) {
        let target = self.value(self.root, "target");
        let Some(image) = target.and_then(|target| target.entry("image")) else { return };
        let engines = self.root.entry("engines").map_or(&[][..], |engines| engines.value.items());
        let other = engines.iter().find(|engine| text(engine) != Some("container"));
        let place = other.map(|engine| engine.id).or_else(|| engines.is_empty().then_some(image.key.id));
        if let Some(place) = place.filter(|_| !self.recovery.hides(&[&image.value])) {
            let message = "a target that is an `image` plays in containers alone";
            self.find(place, message, "use `engines: [container]`");
        }
    }

    fn engines(&mut self) {
        let Some(engines) = self.value(self.root, "engines") else { return };
        let named = |engine: &Node, name: &str| text(engine) == Some(name);
        for (index, engine) in engines.items().iter().enumerate() {
            let name = text(engine).unwrap_or_default();
            if engines.items()[..index].iter().any(|earlier| named(earlier, name)) {
                self.find(
                    engine.id,
                    format!("`{name}` is named twice"),
                    "each engine once, the default first",
                );
            }
        }
        let target = self.value(self.root, "target");
        let process = target.filter(|target| target.entry("image").is_none()).and_then(check_target::process);
        let sim = engines.items().iter().find(|engine| named(engine, "sim"));
        if let (Some(process), Some(sim)) = (process, sim) {
            let help = "use `engines: [process]`, or a target with a `name`";
            let key = &process.key.text;
            self.find(sim.id, format!("a target that is a `{key}` cannot play in `sim`"), help);
        }
    }
}

pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}
