//! How runs end.

use watertight::report::CaseReport;
use watertight::timeline::Ended;
use watertight::verdict::Outcome;

use crate::bench::{only_case, play, watertight};

pub fn scenarios_of_the_gate_end_as_in_processes() -> Result<(), String> {
    let gate = ["flapping-network", "slow-consumer", "half-open-peer"]
        .map(|name| format!("scenarios/gate/{name}.yaml"));
    let (exit, report) = play(&[&gate[0], &gate[1], &gate[2], "--cycles", "10"])?;
    let is_clean = |case: &CaseReport| case.outcome == Outcome::Clean && counts_all(case);
    if exit == Some(0) && report.cases.len() == gate.len() && report.cases.iter().all(is_clean) {
        return Ok(());
    }
    Err(told(&report.cases))
}

/// From outside and from inside, and by the container.
fn counts_all(case: &CaseReport) -> bool {
    case.timeline.cycles.iter().all(|cycle| {
        let census = &cycle.census;
        let has = |count: Option<u64>| count.is_some_and(|count| count > 0);
        let counts = [census.fds, census.threads, census.rss_bytes, census.tasks, census.heap_blocks];
        counts.into_iter().all(has)
            && census.gauges.get("container_memory_bytes").is_some_and(|bytes| *bytes > 0.0)
    })
}

pub fn a_leak_is_found_under_a_limit_of_64_mib() -> Result<(), String> {
    let file = "scenarios/defects/d15-slice-pins-block.yaml";
    let (exit, report) = play(&[file, "--set", "target.limits.memory=64MiB"])?;
    let case = only_case(&report)?;
    let named = case.findings.first().is_some_and(|finding| finding.site.contains("slice_pins_block.rs"));
    if exit == Some(0) && case.outcome == Outcome::Leak && named {
        return Ok(());
    }
    Err(told(&report.cases))
}

pub fn a_target_that_outgrows_its_memory_leaks() -> Result<(), String> {
    // Blocks smaller than a page, so that each of them costs one: 3 MB a cycle.
    let leak = ["--plant", "heap=3kB*1000", "--no-expect", "--cycles", "100"];
    let limit = ["--set", "target.limits.memory=80MiB"];
    let (exit, report) = play(&[&["scenarios/gate/flapping-network.yaml"], &leak[..], &limit[..]].concat())?;
    let case = only_case(&report)?;
    let killed = matches!(case.timeline.ended, Some(Ended::OutOfMemory { limit_bytes, .. }) if limit_bytes == 80 << 20);
    let noted = case.notes.iter().any(|note| note.contains("killed by the kernel at its limit of 80.0 MiB"));
    if exit == Some(1) && case.outcome == Outcome::Leak && killed && noted {
        return Ok(());
    }
    Err(told(&report.cases))
}

pub fn a_target_that_never_fits_has_broken_its_budget() -> Result<(), String> {
    let limit = ["--set", "target.limits.memory=6MiB"];
    let (exit, report) = play(&[&["scenarios/gate/flapping-network.yaml"], &limit[..]].concat())?;
    let case = only_case(&report)?;
    let said = case.headline.contains("killed by the kernel at its limit of 6.0 MiB");
    if exit == Some(1) && case.outcome == Outcome::OverBudget && said {
        return Ok(());
    }
    Err(told(&report.cases))
}

/// Each of what needs a process or a network of its own, in every cycle; the controls of the run say whether it happened.
const FAULTS: &str = "
version: 1
name: faults
about: The target stands still, is cut off, and is started again.
engines: [process]
seed: 7
target: s7-gateway
world:
  plc:     { s7: { count: 2, scan: 1s } }
  browser: { sse: { count: 1, read: 1MiB/s } }
cycles: { warm_up: 2, count: 10, wall: { warm_up: 2, count: 10, pace: 25 } }
cycle:
  - name: pause
    for: 15s
    faults: [ pause: { for: 10s } ]
  - name: partition
    for: 15s
    faults: [ partition: { for: 10s } ]
  - name: kill
    for: 5s
    faults: [ kill: {} ]
  - { name: settle, within: 120s, until: { sessions: 2, sse_consumers: 1 } }
";

pub fn a_target_is_paused_killed_and_cut_off() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("faults.yaml");
    std::fs::write(&file, FAULTS).map_err(|error| error.to_string())?;
    let (exit, report) = play(&[&file.to_string_lossy()])?;
    let case = only_case(&report)?;
    let happened = |what: &str| case.audit.iter().any(|audit| audit.what == what && audit.found >= 10);
    let all =
        ["target: times paused", "target: times cut off", "target: signals sent"].into_iter().all(happened);
    if exit == Some(0) && all {
        return Ok(());
    }
    Err(told(&report.cases))
}

pub fn an_engine_that_is_not_there() -> Result<(), String> {
    let mut command = watertight(&["scenarios/gate/flapping-network.yaml"]);
    let output = command.env("DOCKER_HOST", "unix:///no/such/engine.sock").output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected =
        ["needs a Docker engine", "/no/such/engine.sock", "DOCKER_HOST", "apt-get install docker.io"];
    // The text is wrapped to the width of a terminal.
    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if output.status.code() == Some(3) && expected.iter().all(|part| plain.contains(part)) {
        return Ok(());
    }
    Err(format!("expected exit 3 and {expected:?}, found {:?}: {said}", output.status.code()))
}

fn told(cases: &[CaseReport]) -> String {
    let told = cases.iter().map(|case| {
        let audit: Vec<_> = case.audit.iter().filter(|audit| !audit.holds()).collect();
        format!(
            "{} {:?} {:?}: {}; {:?}; {audit:?}",
            case.scenario, case.outcome, case.exit, case.headline, case.notes
        )
    });
    told.collect::<Vec<_>>().join("\n")
}
