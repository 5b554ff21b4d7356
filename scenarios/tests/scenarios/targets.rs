//! Targets that do not come up or do not last: each ends its run with a message that names the cause, and nothing hangs.

use std::net::TcpListener;
use std::path::Path;

use watertight::exit::Exit;
use watertight::report::CaseReport;
use watertight::runner::{Options, Selection, Stop, WorldLibrary, play_one, select};
use watertight_scenarios::S7World;

/// A scenario with another target.
const SCENARIO: &str = "
version: 1
name: target
about: A target that does not come up.
engines: [process]
seed: 7
target: TARGET
world:
  plc: { s7: { count: 1, scan: 1s } }
cycles: { warm_up: 5, count: 20 }
cycle:
  - { name: steady, for: 2s }
  - { name: settle, within: 20s, until: { sessions: 1 } }
";

/// A test; an error is a sentence.
pub type Test = fn() -> Result<(), String>;

/// Each with its name.
pub const ALL: [(&str, Test); 4] = [
    ("a_program_that_is_not_there", a_program_that_is_not_there),
    ("a_program_that_ends_at_once", a_program_that_ends_at_once),
    ("a_program_that_never_gets_ready", a_program_that_never_gets_ready),
    ("a_port_that_is_taken", a_port_that_is_taken),
];

fn a_program_that_is_not_there() -> Result<(), String> {
    ends_with("{ command: [/no/such/program] }", "needs /no/such/program: not on this machine")
}

fn a_program_that_ends_at_once() -> Result<(), String> {
    ends_with("{ command: ['false'] }", "the target ended by itself: target ended with exit status: 1")
}

fn a_program_that_never_gets_ready() -> Result<(), String> {
    let target = "{ command: [sleep, '100'], ready: { line: ready } }";
    ends_with(
        target,
        "the target was not ready within 20s: target: no line contains `ready`; it printed nothing",
    )
}

fn a_port_that_is_taken() -> Result<(), String> {
    let taken = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = taken.local_addr().map_err(|error| error.to_string())?;
    let target = format!("{{ name: s7-gateway, with: {{ http: {{ listen: '{address}' }} }} }}");
    ends_with(&target, &format!("cannot listen on {address}: Address already in use"))
}

/// Plays the scenario with `target`: it must end without a result, and say `why` first.
fn ends_with(target: &str, why: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let report = play(&folder.path().join("target.yaml"), target).map_err(|error| error.to_string())?;
    if report.exit == Exit::Inconclusive && report.headline.contains(why) {
        return Ok(());
    }
    Err(format!("expected exit 3 and `{why}`, found {:?}: {}", report.exit, report.headline))
}

fn play(file: &Path, target: &str) -> Result<CaseReport, Box<dyn std::error::Error>> {
    std::fs::write(file, SCENARIO.replace("TARGET", target))?;
    let selection = Selection { paths: vec![file.to_owned()], ..Selection::default() };
    let jobs = select(&WorldLibrary(S7World), &selection)?;
    let [job] = jobs.as_slice() else { return Err(format!("{} cases", jobs.len()).into()) };
    let options = Options::default();
    Ok(play_one(job, &options.request(job), &options, &Stop::never())?)
}
