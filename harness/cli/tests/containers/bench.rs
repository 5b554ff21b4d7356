//! The command `watertight`, as people start it, and waiting for a condition with a deadline.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use watertight::report::{CaseReport, RunReport};

/// How often a condition is looked at, and how often at most: a minute, far above what any of them takes.
const LOOK_PERIOD: Duration = Duration::from_millis(50);
const LOOKS_MAX: usize = 1_200;

/// `watertight run ARGS --engine container`, from the root of the workspace.
pub fn watertight(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watertight"));
    command.arg("run").args(args).args(["--engine", "container"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Its exit code, and its report.
pub fn play(args: &[&str]) -> Result<(Option<i32>, RunReport), String> {
    let output = watertight(args).args(["--json", "-"]).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {said}"))?;
    Ok((output.status.code(), report))
}

/// The one case of a report.
pub fn only_case(report: &RunReport) -> Result<&CaseReport, String> {
    match report.cases.as_slice() {
        [case] => Ok(case),
        cases => Err(format!("expected one case, found {}", cases.len())),
    }
}

/// Waits until `condition` gives something.
pub fn eventually<T>(what: &str, condition: impl Fn() -> Option<T>) -> Result<T, String> {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = condition() {
            return Ok(found);
        }
        thread::sleep(LOOK_PERIOD);
    }
    Err(format!("waited in vain for {what}"))
}
