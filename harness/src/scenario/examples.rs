//! An example of every key of a file and of every fault: shown by editors and by `watertight explain`, checked by a test.
//!
//! They are of any world: the target is a program, its peers speak TCP.

use serde_json::{Map, Value};

use super::tree::{Ids, Node, Plain, Value as Tree};
use super::yaml;

/// The keys of the file itself, in its order, each as it stands in a file. Together they are a scenario.
pub const KEYS: [(&str, &str); 13] = [
    ("$schema", "$schema: scenario.schema.json"),
    ("version", "version: 1"),
    ("name", "name: store-flaps"),
    ("about", "about: The store goes away and comes back; nothing of a connection may stay."),
    ("tags", "tags: [gate, nightly]"),
    ("engines", "engines: [process]"),
    ("seed", "seed: 7"),
    (
        "target",
        "target:\n  command: [my-service, --listen, \"127.0.0.1:{port}\", --store, \"{peers.store}\"]\n  inside: { prometheus: { url: \"http://127.0.0.1:{port.metrics}/metrics\", tasks: tasks_alive, heap: heap_bytes, gauges: { sessions: sessions_open } } }",
    ),
    (
        "world",
        "world:\n  store: { tcp: { command: [redis-server, --port, \"{port}\"] } }\n  clients: { tcp_client: { count: 4, every: 200ms, stay: 8, talk: [{ send: PING, answer: [PONG] }] } }",
    ),
    ("links", "links:\n  store: { buffer: 16KiB, latency: 5ms }"),
    ("cycles", "cycles: { warm_up: 5, count: 60, wall: { warm_up: 4, count: 24, pace: 20 } }"),
    (
        "cycle",
        "cycle:\n  - name: flap\n    for: 20s\n    faults:\n      - flap: { link: store, up: 3s, down: 2s }\n  - { name: settle, within: 60s, until: { sessions: 4 }, watch: 5s }",
    ),
    (
        "expect",
        "expect:\n  always: { fds: { max: 100 }, heap: { max: 64MiB } }\n  at_rest: { tasks: { grow: 0 } }\n  recovery: { within: 30s }",
    ),
];

/// Keys that not every scenario has, each with what it needs beside it.
pub const SELDOM: [(&str, &str); 2] = [
    ("matrix", "matrix: { dice: [7, 8] }\nseed: $dice"),
    (
        "ignore",
        "ignore:\n  - { site: session.rs, resource: heap, reason: the pool is being rewritten, owner: alice, expires: 2099-12-31 }",
    ),
];

/// Every fault, as it stands in a list of `faults`.
pub const FAULTS: [(&str, &str); 23] = [
    ("latency", "latency: { link: store, delay: 50ms, jitter: 20ms }"),
    ("bandwidth", "bandwidth: { link: store, rate: 64KiB/s }"),
    ("refuse", "refuse: { link: store, for: 5s }"),
    ("accept_hang", "accept_hang: { link: store, for: 5s }"),
    ("accept_delay", "accept_delay: { link: store, delay: 2s }"),
    ("reset", "reset: { link: store, at: 2s }"),
    ("close", "close: { link: store, at: 2s }"),
    ("half_close", "half_close: { link: clients }"),
    ("limit", "limit: { link: store, bytes: 64KiB }"),
    ("mute", "mute: { link: store }"),
    ("half_open", "half_open: { link: clients, on_heal: reset }"),
    ("blackhole", "blackhole: { link: store, on_heal: drop }"),
    ("stall", "stall: { link: store, for: 2s, every: 5s }"),
    ("slow_read", "slow_read: { link: clients, rate: 256B/s }"),
    ("slice", "slice: { link: store, bytes: 1B }"),
    ("coalesce", "coalesce: { link: store, within: 20ms }"),
    ("retransmit", "retransmit: { link: store, loss: 20% }"),
    ("flap", "flap: { link: store, up: 3s, down: 2s, jitter: 20%, mode: reset }"),
    ("storm", "storm: { link: clients, conns: 20, over: 10s, abandon: mid_frame }"),
    ("kill", "kill: { signal: TERM, within: 10s, restart: true }"),
    ("pause", "pause: { peer: store, for: 5s, at: 2s }"),
    ("reload", "reload: { at: 2s }"),
    ("partition", "partition: { for: 5s, at: 2s }"),
];

/// The example of a fault as it stands in a file.
pub fn in_a_cycle(fault: &str) -> String {
    format!(
        "cycle:\n  - name: disturb\n    for: 20s\n    faults:\n      - {fault}\n  - {{ name: settle, within: 60s, until: {{ sessions: 4 }}, watch: 5s }}"
    )
}

/// The example for the key with this path: its own, or that of what holds it.
pub fn of(path: &str) -> Option<String> {
    let mut words = path.split('.');
    let first = words.next()?;
    let fault = path.strip_prefix("cycle.faults.").and_then(|rest| rest.split('.').next());
    if let Some((_, example)) = fault.and_then(|fault| FAULTS.iter().find(|(name, _)| *name == fault)) {
        return Some(in_a_cycle(example));
    }
    let known = KEYS.iter().chain(&SELDOM).find(|(key, _)| *key == first);
    known.map(|(_, example)| (*example).to_owned())
}

/// A whole scenario: the keys, with those of `example` in the place of their own.
pub fn scenario_with(example: &str) -> String {
    let starts = |line: &str| line.split_once(':').map(|(key, _)| key.to_owned());
    let own: Vec<String> = example.lines().filter(|line| !line.starts_with(' ')).filter_map(starts).collect();
    let others = KEYS.iter().filter(|(name, _)| !own.iter().any(|key| key == name)).map(|(_, lines)| *lines);
    others.chain([example]).map(|lines| format!("{lines}\n")).collect()
}

/// The value of an example, for a schema.
pub(super) fn value(example: &str) -> Option<Value> {
    let root = yaml::read(example, &mut Ids::default()).root?;
    root.entries().first().map(|entry| json(&entry.value))
}

fn json(node: &Node) -> Value {
    match &node.value {
        Tree::Scalar(scalar) => match scalar.resolve() {
            Plain::Null => Value::Null,
            Plain::Bool(truth) => truth.into(),
            Plain::Unsigned(number) => number.into(),
            Plain::Signed(number) => number.into(),
            Plain::Float(number) => number.into(),
            Plain::Text(text) => text.into(),
        },
        Tree::List(items) => items.iter().map(json).collect(),
        Tree::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.text.clone(), json(&entry.value)));
            entries.collect::<Map<_, _>>().into()
        }
    }
}
