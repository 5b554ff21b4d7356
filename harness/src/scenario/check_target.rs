//! What types cannot say about a target or a peer that is somebody else's program: names in braces that the run knows, and what
//! may be done to a process that is not the run's own.

use super::check::{Finding, text};
use super::recovery::Recovery;
use super::suggest::{did_you_mean, list};
use super::template;
use super::tree::{Entry, Id, Node, Value};
use crate::chaos::toxics::kill::TARGET;

/// Everything that is wrong with the target and with peers that are commands.
pub(super) fn check(root: &Node, recovery: &Recovery) -> Vec<Finding> {
    let mut findings = Vec::new();
    let value = |key| Some(&root.entry(key)?.value).filter(|value| !recovery.hides(&[*value]));
    let peers: Vec<&Entry> = value("world").map_or(&[][..], Node::entries).iter().collect();
    if let Some(target) = value("target") {
        findings.extend(without_program(target, recovery));
        names_of_target(target, &peers, &mut findings);
        if let Some(pid) = target.entry("pid") {
            left_alone(root, TARGET, &pid.key.text, &mut findings);
        }
    }
    for peer in peers {
        let [kind] = peer.value.entries() else { continue };
        names_of_peer(&kind.value, &mut findings);
        if kind.key.text == "tcp" {
            command_or_address(kind, &mut findings);
        }
        if kind.value.entry("address").is_some() {
            left_alone(root, &peer.key.text, "address", &mut findings);
        }
    }
    findings
}

/// The key that makes a target a process of its own: it cannot play in sim.
pub(super) fn process(target: &Node) -> Option<&Entry> {
    target.entry("command").or_else(|| target.entry("pid"))
}

/// A command of no words. One that is no list at all has been reported.
fn without_program(target: &Node, recovery: &Recovery) -> Option<Finding> {
    let command = &target.entry("command")?.value;
    let is_empty = matches!(&command.value, Value::List(items) if items.is_empty());
    (is_empty && !recovery.hides(&[command])).then(|| Finding {
        id: command.id,
        message: "`command` needs a program".to_owned(),
        help: Some("each word by itself: `command: [program, argument]`".to_owned()),
    })
}

/// Keys of a target, and of `inside` below it, in whose texts names may stand.
const TARGETS_TEXTS: [&str; 6] = ["command", "env", "ready", "listens", "probe", "inside"];

/// The same of a peer.
const PEERS_TEXTS: [&str; 3] = ["command", "env", "ready"];

fn names_of_target(target: &Node, peers: &[&Entry], findings: &mut Vec<Finding>) {
    if process(target).is_none() {
        return;
    }
    let mut known: Vec<String> = ["port", "port.NAME", "scratch", "seed"].map(str::to_owned).to_vec();
    for peer in peers {
        let name = &peer.key.text;
        known.extend(["", ".host", ".port"].map(|part| format!("peers.{name}{part}")));
    }
    let is_running = target.entry("pid").is_some();
    let known = if is_running { Vec::new() } else { known };
    names_in(target, &TARGETS_TEXTS, &known, findings);
}

fn names_of_peer(peer: &Node, findings: &mut Vec<Finding>) {
    if peer.entry("command").is_some() {
        let known = ["port", "scratch", "seed"].map(str::to_owned);
        names_in(peer, &PEERS_TEXTS, &known, findings);
    }
}

/// A TCP service is started by the run, or runs already.
fn command_or_address(service: &Entry, findings: &mut Vec<Finding>) {
    let has = |key: &str| service.value.entry(key).is_some();
    let message = match (has("command"), has("address")) {
        (true, false) | (false, true) => return,
        (true, true) => "`tcp` has both `command` and `address`: keep one of them",
        (false, false) => "`tcp` has neither `command` nor `address`: one says where the service is",
    };
    let help = "`command: [program, ..]` is started by the run; `address: host:port` runs already".to_owned();
    findings.push(Finding { id: service.key.id, message: message.to_owned(), help: Some(help) });
}

/// Finds names in the texts under `keys` that are not `known`.
fn names_in(map: &Node, keys: &[&str], known: &[String], findings: &mut Vec<Finding>) {
    for entry in keys.iter().filter_map(|key| map.entry(key)) {
        let mut texts = Vec::new();
        collect(&entry.value, &mut texts);
        for (id, text) in texts {
            let unknown = template::names(text).filter(|name| !is_known(name, known));
            findings.extend(unknown.map(|name| unknown_name(id, name, known)));
        }
    }
}

fn is_known(name: &str, known: &[String]) -> bool {
    let is_named_port = name.starts_with("port.") && known.iter().any(|known| known == "port.NAME");
    is_named_port || known.iter().any(|known| known == name)
}

fn unknown_name(id: Id, name: &str, known: &[String]) -> Finding {
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match words.as_slice() {
        [] => format!(
            "a process that runs already has its ports: write them down, or `{{{{{name}}}}}` for braces"
        ),
        words => {
            let meant = did_you_mean(name, words);
            format!("{meant}there is: {}; `{{{{{name}}}}}` is the text in braces as it stands", list(words))
        }
    };
    Finding { id, message: format!("nothing is called `{{{name}}}` here"), help: Some(help) }
}

/// Every scalar below `node`.
fn collect<'a>(node: &'a Node, texts: &mut Vec<(Id, &'a str)>) {
    match &node.value {
        Value::Scalar(scalar) => texts.push((node.id, &scalar.text)),
        Value::List(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Map(entries) => entries.iter().for_each(|entry| collect(&entry.value, texts)),
    }
}

/// A process that the run has not started is not the run's to end, to stop or to signal.
fn left_alone(root: &Node, party: &str, key: &str, findings: &mut Vec<Finding>) {
    let phases = root.entry("cycle").map_or(&[][..], |entry| entry.value.items());
    let faults =
        phases.iter().flat_map(|phase| phase.entry("faults").map_or(&[][..], |entry| entry.value.items()));
    for fault in faults.filter_map(|fault| fault.entries().first()) {
        let kind = fault.key.text.as_str();
        let named = fault.value.entry("peer").and_then(|peer| text(&peer.value)).unwrap_or(TARGET);
        if ["kill", "pause", "reload"].contains(&kind) && named == party {
            let message = format!(
                "`{kind}` of `{party}`, which is given by `{key}`: it runs already, and is left alone"
            );
            let help = format!("disturb its links, or have the run start it: `{party}: {{ command: [..] }}`");
            findings.push(Finding { id: fault.key.id, message, help: Some(help) });
        }
    }
}
