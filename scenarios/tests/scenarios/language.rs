//! What describes the language to editors and readers lies beside the scenarios, and is as the types say.

use serde_json::Value;
use watertight::runner::{Library, WorldLibrary};
use watertight::scenario::{examples, reference};
use watertight::units::Day;
use watertight_scenarios::S7World;

use crate::targets::Test;

/// Each with its name.
pub const ALL: [(&str, Test); 5] = [
    ("the_schema_is_current", the_schema_is_current),
    ("the_reference_is_current", the_reference_is_current),
    ("every_key_is_described_to_editors", every_key_is_described_to_editors),
    ("every_example_passes_check", every_example_passes_check),
    ("no_scenario_here_is_blind", no_scenario_here_is_blind),
];

/// Suggestions that are right to be made, with the reason why the scenario is as it is.
const BLIND_AND_RIGHT_TO_BE: [(&str, &str, &str); 2] = [
    ("scenarios/foreign/mosquitto.yaml", "nothing-inside", "a mosquitto as it comes tells nothing of itself"),
    ("scenarios/foreign/redis.yaml", "nothing-inside", "a redis-server as it comes tells nothing of itself"),
];

fn the_schema_is_current() -> Result<(), String> {
    let schema = WorldLibrary(S7World).schema();
    is_current("scenarios/scenario.schema.json", &format!("{schema:#}"), "watertight schema")
}

fn the_reference_is_current() -> Result<(), String> {
    let reference = reference::markdown(&WorldLibrary(S7World).schema());
    is_current("scenarios/LANGUAGE.md", &reference, "watertight schema --reference")
}

fn is_current(file: &str, text: &str, command: &str) -> Result<(), String> {
    let found = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    if found.trim_end() == text.trim_end() {
        return Ok(());
    }
    Err(format!("{file} is not what the types say: `cargo {command} > {file}` writes it anew"))
}

/// Hover and completion have something to say of every key, and an example of every fault.
fn every_key_is_described_to_editors() -> Result<(), String> {
    let schema = WorldLibrary(S7World).schema();
    let mut silent = Vec::new();
    let mut told = 0;
    undescribed("", &schema, &mut silent, &mut told);
    for fault in schema["$defs"]["Fault"]["oneOf"].as_array().into_iter().flatten() {
        for (name, value) in fault["properties"].as_object().into_iter().flatten() {
            if value["examples"][0].is_null() {
                silent.push(format!("{name}: no example"));
            }
        }
    }
    if told < 200 {
        silent.push(format!("only {told} keys were found"));
    }
    if silent.is_empty() { Ok(()) } else { Err(format!("editors show nothing for: {}", silent.join(", "))) }
}

fn undescribed(at: &str, node: &Value, silent: &mut Vec<String>, told: &mut usize) {
    for (name, value) in node["properties"].as_object().into_iter().flatten() {
        *told += 1;
        for word in ["title", "description", "markdownDescription"] {
            if value[word].as_str().is_none_or(|text| text.trim().is_empty()) {
                silent.push(format!("{at}.{name}: no {word}"));
            }
        }
    }
    let below = match node {
        Value::Object(map) => map.iter().collect(),
        _ => Vec::new(),
    };
    for (name, value) in below {
        undescribed(&format!("{at}.{name}"), value, silent, told);
        for item in value.as_array().into_iter().flatten() {
            undescribed(&format!("{at}.{name}"), item, silent, told);
        }
    }
}

/// What editors and `watertight explain` show as an example holds together, and the schema agrees.
fn every_example_passes_check() -> Result<(), String> {
    let library = WorldLibrary(S7World);
    let keys = examples::KEYS.iter().chain(&examples::SELDOM).map(|(_, example)| (*example).to_owned());
    let faults = examples::FAULTS.iter().map(|(_, example)| examples::in_a_cycle(example));
    let kinds = library.schema()["$defs"]["Fault"]["oneOf"].as_array().map_or(0, Vec::len);
    if kinds != examples::FAULTS.len() {
        return Err(format!("{kinds} kinds of faults, {} examples", examples::FAULTS.len()));
    }
    for example in keys.chain(faults) {
        let text = examples::scenario_with(&example);
        let name = if text.contains("name: store-flaps") { "store-flaps.yaml" } else { "x.yaml" };
        library.cases_of_text(name.as_ref(), &text).map_err(|error| format!("{example}:\n{error}"))?;
    }
    Ok(())
}

fn no_scenario_here_is_blind() -> Result<(), String> {
    let library = WorldLibrary(S7World);
    let files = library.discover(&["scenarios".into()]).map_err(|error| error.0)?;
    let today = Day::today();
    let mut told = Vec::new();
    let mut expected: Vec<_> = BLIND_AND_RIGHT_TO_BE.to_vec();
    for file in files {
        for advice in library.advice(&file, &[], today).map_err(|error| error.0)? {
            let is_this = |(path, name, _): &(&str, &str, &str)| file.ends_with(path) && *name == advice.name;
            match expected.iter().position(is_this) {
                Some(at) => drop(expected.swap_remove(at)),
                None => told.push(format!("{} [{}]", advice.problem.one_line(), advice.name)),
            }
        }
    }
    told.extend(expected.iter().map(|(file, name, _)| format!("{file}: `{name}` is not told any more")));
    if told.is_empty() { Ok(()) } else { Err(told.join("\n")) }
}
