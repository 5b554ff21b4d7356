//! The keys of the language, from its schema.

use serde_json::Value;

use super::Topic;
use crate::scenario::draft::OwnTarget;
use crate::scenario::examples;
use crate::scenario::keys::{Key, keys};

/// Where the kinds of peers are.
const PEERS: &str = "world";

/// The group of faults.
const FAULT: &str = "a fault";

/// A topic for every key; keys that mean the same in many maps, as those of every fault do, are told once.
pub(super) fn topics(schema: &Value, own: Option<&OwnTarget>) -> Vec<Topic> {
    let keys = keys(schema);
    let mut topics: Vec<Topic> = Vec::new();
    for key in &keys {
        let topic = topic(key, &keys, own);
        let same = |other: &&mut Topic| other.text == topic.text && last(&other.name) == last(&topic.name);
        match topics.iter_mut().find(same) {
            Some(told) => told.aliases.push(topic.name),
            None => topics.push(topic),
        }
    }
    topics
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

fn topic(key: &Key, keys: &[Key], own: Option<&OwnTarget>) -> Topic {
    let group = match key.holder() {
        PEERS => "a kind of peer",
        _ if key.is_fault() => FAULT,
        _ => "a key",
    };
    Topic {
        name: key.path.clone(),
        aliases: Vec::new(),
        group,
        text: text(key, keys),
        example: peer_example(key, own).or_else(|| examples::of(&key.path)),
    }
}

/// What it means, what it may be, and what it holds.
fn text(key: &Key, keys: &[Key]) -> String {
    let needed = if key.is_needed { "; needed" } else { "" };
    let default =
        key.default.as_ref().map_or_else(String::new, |default| format!("; `{default}` unless said"));
    let mut text = format!("{}\nvalue: {}{needed}{default}\n", key.meaning, key.kind);
    let below: Vec<&Key> = keys.iter().filter(|other| other.holder() == key.path).collect();
    let widest = below.iter().map(|key| key.name().chars().count()).max().unwrap_or_default();
    if !below.is_empty() {
        text += "holds:\n";
    }
    for key in below {
        let needed = if key.is_needed { " (needed)" } else { "" };
        text += &format!("  {:<widest$}  {}{needed}\n", key.name(), key.meaning);
    }
    text
}

/// A peer of the world's own target is shown as its new scenarios have it.
fn peer_example(key: &Key, own: Option<&OwnTarget>) -> Option<String> {
    let kind = key.path.strip_prefix("world.")?.split('.').next()?;
    let peer = own?.peers.iter().find(|peer| peer.spec.split(':').next() == Some(kind))?;
    Some(format!("world:\n  {}: {{ {} }}", peer.name, peer.spec))
}
