//! Blocks of YAML: scenarios, parts of scenarios, templates of pipelines.

use crate::block::Block;
use crate::scratch::Scratch;
use crate::{PROGRAMS, console};

/// Holds a block of YAML against what its flags say.
pub fn held(block: &Block, scratch: &Scratch) -> Result<(), String> {
    if let Some(name) = block.value("file") {
        scratch.write(name, &block.text)?;
        return checked(name, block.is("wrong"), scratch);
    }
    if let Some(name) = block.value("shows") {
        return console::is_shown(&bare(&block.text), &bare(&scratch.read(name)?));
    }
    if let Some(name) = block.value("into") {
        let merged = merged(&scratch.read(name)?, &block.text);
        // In a folder of its own: a scenario has the name of its file.
        let beside = format!("merged/{name}");
        scratch.write(&beside, &merged)?;
        return checked(&beside, false, scratch);
    }
    if block.is("pipeline") {
        let value = serde_saphyr::from_str::<serde_json::Value>(&block.text);
        return value.map(drop).map_err(|error| error.to_string());
    }
    Err("YAML is `file=NAME`, `shows=NAME`, `into=NAME` or `pipeline`".to_owned())
}

/// A file without its comments and empty lines.
fn bare(text: &str) -> String {
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.lines().filter(is_said).map(|line| format!("{line}\n")).collect()
}

/// Whether `watertight check` says of a file what it should.
fn checked(name: &str, is_wrong: bool, scratch: &Scratch) -> Result<(), String> {
    let said = scratch.run(PROGRAMS[0], &["check".to_owned(), name.to_owned()])?;
    match (said.code, is_wrong) {
        (0, false) | (2, true) => Ok(()),
        (code, _) => Err(format!("`watertight check {name}` ended with {code}:\n{}", said.text)),
    }
}

/// `file` with the keys of `part` in the place of its own.
fn merged(file: &str, part: &str) -> String {
    let new = sections(part);
    let is_kept = |section: &&(String, String)| new.iter().all(|(key, _)| *key != section.0);
    let old = sections(file);
    old.iter().filter(is_kept).chain(&new).map(|(_, text)| text.as_str()).collect()
}

/// The keys at the outer edge, each with its lines.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let key = line.split(':').next().filter(|_| line.starts_with(|first: char| first.is_alphabetic()));
        match (key, found.last_mut()) {
            (Some(key), _) => found.push((key.to_owned(), format!("{line}\n"))),
            (None, Some((_, lines))) => lines.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    found
}
