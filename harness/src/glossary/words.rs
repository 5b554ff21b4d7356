//! Names that are no keys: outcomes, resources, exit codes, templates, suggestions, and the words of reports.

use schemars::JsonSchema;

use super::Topic;
use crate::exit::Exit;
use crate::resource::Resource;
use crate::scenario::advice;
use crate::scenario::draft::Template;
use crate::verdict::Outcome;

/// Words that reports and pages use, in the order in which a run comes by them.
const WORDS: [(&str, &str); 10] = [
    ("cycle", "Disturb, heal, settle, census. A run is some warm-up cycles, then counted ones."),
    (
        "warm-up",
        "The first cycles (`cycles.warm_up`): caches fill, lazy statics are made. They are played and not judged.",
    ),
    (
        "heal",
        "The end of a fault: at the end of its phase, or after its `for`. Every fault has healed before the target settles.",
    ),
    (
        "settle",
        "The wait, with a bound (`within`), until the target's own figures say that it is at rest (`until`). Missing the bound is inconclusive, never a leak.",
    ),
    (
        "census",
        "What the target holds at rest: tasks, descriptors, threads, heap, RSS. It is the floor over the time in which it is watched (`watch`), not one instant.",
    ),
    (
        "sensitivity",
        "The smallest leak that a clean run would have seen (`would have seen`), computed by adding ever smaller ones to what was measured.",
    ),
    ("site", "A place in the code that allocates or spawns: a file and a line of your own."),
    ("fingerprint", "The name of a leak that stays when lines move: what `ignore:` takes."),
    ("tenant", "Whom a resource belongs to inside the target: a station, a connection, a customer."),
    ("toxic", "A fault at work on one connection."),
];

/// Names that stand in braces in commands, environments and addresses, each as it is typed without them.
const BRACES: [(&str, &str, &str); 5] = [
    (
        "{port}",
        "port",
        "A free port of loopback, at which the target is to listen; for a peer that is a command, its own.",
    ),
    ("{port.NAME}", "port.NAME", "One more free port, the same wherever this name stands: `{port.metrics}`."),
    (
        "{peers.NAME}",
        "peers.NAME",
        "The address, `host:port`, at which the target reaches that peer through its link; `{peers.NAME.host}` and `{peers.NAME.port}` are its parts.",
    ),
    ("{scratch}", "scratch", "An empty folder of the run's own, which ends with it."),
    ("{seed}", "{seed}", "The seed of the run."),
];

pub(super) fn topics() -> Vec<Topic> {
    let mut topics = of_enum::<Outcome>("an outcome");
    topics.extend(of_enum::<Resource>("a resource").into_iter().map(resource));
    topics.extend(of_enum::<Exit>("an exit code").into_iter().map(exit));
    topics.extend(Template::ALL.map(template));
    topics.extend(advice::KINDS.map(|(name, meaning)| topic(name, "a suggestion", meaning, None)));
    topics.extend(WORDS.map(|(name, meaning)| topic(name, "a word", meaning, None)).map(word));
    topics.extend(BRACES.map(in_braces));
    topics
}

fn topic(name: &str, group: &'static str, text: &str, example: Option<String>) -> Topic {
    Topic { name: name.to_owned(), aliases: Vec::new(), group, text: format!("{text}\n"), example }
}

/// A topic for each variant: its name in YAML and JSON, and what its documentation says.
fn of_enum<T: JsonSchema>(group: &'static str) -> Vec<Topic> {
    let schema = schemars::schema_for!(T).to_value();
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let described = variants.iter().filter_map(|variant| {
        let text = variant["description"].as_str()?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(topic(variant["const"].as_str()?, group, &text, None))
    });
    described.collect()
}

/// A clean run shows its sensitivity under other words.
fn word(topic: Topic) -> Topic {
    let aliases = if topic.name == "sensitivity" { vec!["would have seen".to_owned()] } else { Vec::new() };
    Topic { aliases, ..topic }
}

fn in_braces((name, typed, meaning): (&str, &str, &str)) -> Topic {
    let example =
        "target:\n  command: [my-service, --listen, \"127.0.0.1:{port}\", --store, \"{peers.store}\"]";
    let topic = topic(name, "a name in braces", meaning, Some(example.to_owned()));
    Topic { aliases: vec![typed.to_owned()], ..topic }
}

/// Where a resource stands in a scenario.
fn resource(topic: Topic) -> Topic {
    let name = &topic.name;
    let bound = if ["heap", "rss"].contains(&name.as_str()) { "64MiB" } else { "300" };
    let example = format!(
        "expect:\n  always: {{ {name}: {{ max: {bound} }} }}\n  at_rest: {{ {name}: {{ max: {bound} }} }}"
    );
    Topic { example: Some(example), ..topic }
}

/// An exit is found by its number as well.
fn exit(topic: Topic) -> Topic {
    let number = topic.text.split(':').next().unwrap_or_default().to_owned();
    let outcomes: Vec<&str> =
        OUTCOMES.iter().filter(|(_, exit)| *exit == number).map(|(name, _)| *name).collect();
    let outcomes =
        if outcomes.is_empty() { String::new() } else { format!("outcomes: {}\n", outcomes.join(", ")) };
    let text = format!("{}{outcomes}", topic.text);
    Topic { name: format!("exit {number}"), aliases: vec![number, topic.name], text, ..topic }
}

/// The exit of each outcome where nothing is expected; [`Exit::from`] says it, a test holds both together.
const OUTCOMES: [(&str, &str); 8] = [
    ("clean", "0"),
    ("retained", "0"),
    ("saturating", "0"),
    ("leak", "1"),
    ("over_budget", "1"),
    ("suspect", "3"),
    ("inconclusive", "3"),
    ("invalid", "3"),
];

fn template(template: Template) -> Topic {
    let text = format!(
        "{}\nfinds: {}\nwatertight new NAME --template {}",
        template.about(),
        template.finds(),
        template.name()
    );
    topic(template.name(), "a template", &text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_ends_with_the_exit_that_is_told() {
        let all = [
            Outcome::Clean,
            Outcome::Retained,
            Outcome::Saturating,
            Outcome::Suspect,
            Outcome::Inconclusive,
            Outcome::Invalid,
            Outcome::OverBudget,
            Outcome::Leak,
        ];
        for outcome in all {
            let name = serde_json::to_value(outcome).expect("it has a name");
            let name = name.as_str().expect("names are text");
            let told = OUTCOMES.iter().find(|(known, _)| *known == name).map(|(_, exit)| *exit);
            assert_eq!(told, Some((Exit::from(outcome) as u8).to_string().as_str()), "{name}");
        }
    }

    #[test]
    fn outcomes_resources_and_exits_have_the_words_of_their_types() {
        let topics = topics();
        let text =
            |name: &str| topics.iter().find(|topic| topic.name == name).map(|topic| topic.text.as_str());
        assert!(
            text("retained").is_some_and(|text| text.contains("live heap is flat")),
            "{:?}",
            text("retained")
        );
        assert!(text("tasks").is_some_and(|text| text.contains("Live async tasks")));
        assert!(
            text("exit 3").is_some_and(|text| text.contains("worth a retry") && text.contains("suspect"))
        );
    }
}
