//! Reports of real runs: they hold to the published schema, and their page is one that everybody can read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use watertight::exit::Exit;
use watertight::report::{CaseReport, RunReport, html, json};
use watertight::runner::{Options, Selection, Stop, WorldLibrary, play_one, select};
use watertight_scenarios::S7World;

use crate::targets::Test;

/// Each with its name.
pub const ALL: [(&str, Test); 1] =
    [("real_reports_hold_to_the_published_schema_and_their_pages_are_small", small)];

/// What needs a browser, with its name.
pub const IN_A_BROWSER: (&str, Test) = ("pages_load_nothing_and_have_no_serious_barrier", in_a_browser);

/// What it needs: a browser, what drives it, and what judges a page.
const NEEDS: [&str; 3] = ["/usr/bin/node", "/usr/bin/chromium", "ci/browser/node_modules/axe-core"];

/// The first of what it needs that is not on this machine.
pub fn missing() -> Option<&'static str> {
    NEEDS.into_iter().find(|file| !Path::new(file).exists())
}

/// A leak of tasks, one of heap, pages that are kept, and a healthy run.
const PLAYED: [&str; 4] = [
    "scenarios/defects/d04-heartbeat-outlives-connection.yaml",
    "scenarios/defects/d15-slice-pins-block.yaml",
    "scenarios/defects/d28-fragmented-not-leaked.yaml",
    "scenarios/gate/flapping-network.yaml",
];

fn played() -> Result<Vec<CaseReport>, String> {
    let paths = PLAYED.map(PathBuf::from).to_vec();
    let jobs = select(&WorldLibrary(S7World), &Selection { paths, ..Selection::default() });
    let options = Options::default();
    let play = |job| play_one(job, &options.request(job), &options, &Stop::never());
    let reports: Result<Vec<CaseReport>, _> =
        jobs.map_err(|error| error.to_string())?.iter().map(play).collect();
    reports.map_err(|error| error.to_string())
}

fn reports() -> Result<[(&'static str, RunReport); 3], String> {
    let cases = played()?;
    let mut plain = cases[0].clone();
    (plain.expected, plain.exit) = (None, Exit::Leak);
    let empty = RunReport {
        exit: Exit::Inconclusive,
        problems: vec!["interrupted: what follows was measured before".to_owned()],
        ..report(vec![])
    };
    Ok([("many", report(cases)), ("leak", report(vec![plain])), ("empty", empty)])
}

fn report(cases: Vec<CaseReport>) -> RunReport {
    RunReport::of(cases, std::time::Duration::from_secs(1))
}

fn small() -> Result<(), String> {
    let schema = json::schema();
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    for (name, report) in reports()? {
        let value: Value = serde_json::to_value(&report).map_err(|error| error.to_string())?;
        if let Some(error) = validator.iter_errors(&value).next() {
            return Err(format!("{name}: {error} at {}", error.instance_path()));
        }
        let page = html::text(&report);
        if page.len() > html::BYTES_MAX {
            return Err(format!("{name}: a page of {} bytes", page.len()));
        }
    }
    Ok(())
}

fn in_a_browser() -> Result<(), String> {
    if let Some(file) = missing() {
        return Err(format!("{file} is not on this machine: `ci/setup.sh` installs it"));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("node");
    command.arg("ci/browser/page.mjs");
    for (name, report) in reports()? {
        let file = folder.path().join(format!("{name}.html"));
        fs::write(&file, html::text(&report)).map_err(|error| error.to_string())?;
        command.arg(file);
    }
    let ended = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() && said.contains("3 pages, 0 faults") { Ok(()) } else { Err(said.into_owned()) }
}
