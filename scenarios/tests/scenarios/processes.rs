//! Faults of processes that cannot be carried out: said before the run where that can be known, else by the run.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use watertight::chaos::Fault;
use watertight::engine::EXEC_ROLE;
use watertight::exit::Exit;
use watertight::report::CaseReport;
use watertight::runner::{Options, Selection, Stop, WorldLibrary, play_one, select};
use watertight::scenario::{Overrides, parse_bytes};
use watertight::seed::Seed;
use watertight::world::{Setting, World};
use watertight_scenarios::S7World;
use watertight_scenarios::peers::S7Peer;

use crate::targets::Test;

/// A scenario with another engine, target and fault.
const SCENARIO: &str = "
version: 1
name: process
about: Something happens to a process.
engines: [ENGINE]
seed: 7
target: TARGET
world:
  plc:     { s7: { count: 1, scan: 1s } }
  browser: { sse: { count: 1, read: 1MiB/s } }
cycles: { warm_up: 5, count: 20, wall: { warm_up: 5, count: 20, pace: 10 } }
cycle:
  - name: disturb
    for: 5s
    faults:
      - FAULT
  - { name: settle, within: 20s, until: { sessions: 1 } }
";

/// Each with its name.
pub const ALL: [(&str, Test); 6] = [
    ("a_consumer_has_no_process", a_consumer_has_no_process),
    ("the_target_cannot_be_paused_in_sim", the_target_cannot_be_paused_in_sim),
    ("a_reload_that_is_refused_says_why", a_reload_that_is_refused_says_why),
    ("settings_of_a_reload_are_written_in_full", settings_of_a_reload_are_written_in_full),
    ("a_program_gets_its_hangup", a_program_gets_its_hangup),
    ("a_program_hears_what_the_run_ignores", a_program_hears_what_the_run_ignores),
];

fn a_consumer_has_no_process() -> Result<(), String> {
    is_refused(
        "kill: { peer: browser }",
        "`kill` names `browser`, a consumer, which has no process of its own",
    )
}

fn the_target_cannot_be_paused_in_sim() -> Result<(), String> {
    is_refused("pause: { for: 2s }", "the target cannot be paused in `sim`")
}

fn a_reload_that_is_refused_says_why() -> Result<(), String> {
    let report = play("sim", "s7-gateway", "reload: { with: { station: { rack: 99 } } }")?;
    ends_with(&report, "told to reload, it did not: ")?;
    ends_with(&report, "rack")
}

/// What the engine hands the world for a reload: the scenario with other settings, for the file and for sim alike.
fn settings_of_a_reload_are_written_in_full() -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let text = SCENARIO.replace("ENGINE", "sim").replace("TARGET", "s7-gateway");
    let text = text.replace("FAULT", "reload: { with: { http: { write_timeout: 7s } } }");
    let cases =
        parse_bytes::<S7Peer>(Path::new("process.yaml"), text.as_bytes(), &Overrides::default(), &|_| {
            Vec::new()
        });
    let mut scenario = cases.map_err(|error| said(&error))?.swap_remove(0).scenario;
    let Fault::Reload(reload) = &scenario.cycle[0].faults[0] else { return Err("no reload".to_owned()) };
    scenario.target.with = reload.settings(&scenario.target.with);
    let folder = tempfile::tempdir().map_err(|error| said(&error))?;
    let setting = Setting {
        scenario: &scenario,
        seed: Seed(7),
        pace: 1.0,
        scratch: folder.path(),
        listen: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let peers = [("plc".to_owned(), vec!["127.0.0.1:102".to_owned()])].into();
    S7World.rewrite_config(&setting, &peers).map_err(|error| said(&error))?;
    let file = std::fs::read_to_string(folder.path().join("gateway.yaml")).map_err(|error| said(&error))?;
    let in_sim = S7World.sim_config(&setting).map_err(|error| said(&error))?;
    for (text, station) in [(file, "127.0.0.1:102"), (in_sim, "plc-0:102")] {
        let config: serde_json::Value = serde_json::from_str(&text).map_err(|error| said(&error))?;
        let found = (&config["http"]["write_timeout"], &config["stations"][0]["address"]);
        if found != (&"7s".into(), &station.into()) {
            return Err(format!("expected 7s and {station}, found {found:?}"));
        }
    }
    Ok(())
}

fn a_program_gets_its_hangup() -> Result<(), String> {
    let report = play("process", "{ command: [sleep, '100'] }", "reload: { at: 1s }")?;
    ends_with(&report, "target ended with signal: 1 (SIGHUP)")
}

/// A run under `nohup`, or in the background of a script, ignores signals; its programs are not to inherit that.
fn a_program_hears_what_the_run_ignores() -> Result<(), String> {
    let itself = std::env::current_exe().map_err(|error| error.to_string())?;
    for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15)] {
        let ignores = format!("trap '' {name}; exec \"$0\" {EXEC_ROLE} sh -c 'kill -{name} $$'");
        let status = Command::new("sh").args(["-c", &ignores]).arg(&itself).status();
        let status = status.map_err(|error| error.to_string())?;
        if status.signal() != Some(number) {
            return Err(format!("expected the end by SIG{name}, found {status}"));
        }
    }
    Ok(())
}

fn is_refused(fault: &str, why: &str) -> Result<(), String> {
    match play("sim", "s7-gateway", fault) {
        Err(said) if said.contains(why) => Ok(()),
        Err(said) => Err(format!("expected `{why}`, found: {said}")),
        Ok(report) => Err(format!("expected `{why}`, found a run: {}", report.headline)),
    }
}

fn ends_with(report: &CaseReport, why: &str) -> Result<(), String> {
    if report.exit == Exit::Inconclusive && report.headline.contains(why) {
        return Ok(());
    }
    Err(format!("expected exit 3 and `{why}`, found {:?}: {}", report.exit, report.headline))
}

fn play(engine: &str, target: &str, fault: &str) -> Result<CaseReport, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let folder = tempfile::tempdir().map_err(|error| said(&error))?;
    let file = folder.path().join("process.yaml");
    let text = SCENARIO.replace("ENGINE", engine).replace("TARGET", target).replace("FAULT", fault);
    std::fs::write(&file, text).map_err(|error| said(&error))?;
    let selection = Selection { paths: vec![file], ..Selection::default() };
    let jobs = select(&WorldLibrary(S7World), &selection).map_err(|error| said(&error))?;
    let [job] = jobs.as_slice() else { return Err(format!("{} cases", jobs.len())) };
    let options = Options::default();
    play_one(job, &options.request(job), &options, &Stop::never()).map_err(|error| said(&error))
}
