//! What describes the language to editors and readers lies beside the scenarios, and is as the types say.

use watertight::runner::{Library, WorldLibrary};
use watertight::scenario::reference;
use watertight_scenarios::S7World;

use crate::targets::Test;

/// Each with its name.
pub const ALL: [(&str, Test); 2] = [
    ("the_schema_is_current", the_schema_is_current),
    ("the_reference_is_current", the_reference_is_current),
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
