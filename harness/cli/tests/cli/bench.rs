//! What every test here needs: the command line in a process of its own, and waiting for a condition with a deadline.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use watertight::report::{CaseReport, RunReport};

use crate::fake::NOTES;

/// Set: the world is the real one, for `watertight` and for whatever it starts.
pub const REAL_WORLD: &str = "WATERTIGHT_TEST_REAL_WORLD";

/// How often a condition is looked at, and how often at most: a minute, far above what any of them takes.
const LOOK_PERIOD: Duration = Duration::from_millis(10);
const LOOKS_MAX: usize = 6_000;

/// A folder for one test: notes of its children, and reports.
pub struct Bench {
    folder: TempDir,
    is_real: bool,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), is_real: false }
    }

    /// A bench whose `watertight` plays the world that the real one does.
    pub fn of_real_world() -> Self {
        Self { is_real: true, ..Self::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `watertight ARGS`, with its output captured.
    pub fn watertight(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
        command.arg("__cli").args(args).env(NOTES, self.folder.path());
        if self.is_real {
            command.env(REAL_WORLD, "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `watertight ARGS` to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.watertight(args).output().expect("it starts"))
    }

    /// Runs `watertight run ARGS` and reads the report it writes.
    pub fn report(&self, args: &[&str]) -> (Ran, RunReport) {
        let json = self.path("report-of-run.json");
        let json_arg = json.to_str().expect("temporary paths are UTF-8");
        let ran = self.run(&[&["run", "--json", json_arg], args].concat());
        let report = read_report(&json, &ran);
        (ran, report)
    }

    /// The process that left a note under `name`, once it has.
    pub fn noted(&self, name: &str) -> Pid {
        let path = self.path(name);
        eventually(&format!("a note from the {name}"), || path.exists());
        let raw = std::fs::read_to_string(path).expect("notes are whole").parse().expect("notes are pids");
        Pid::from_raw(raw).expect("pids are positive")
    }
}

/// Waits for a `watertight` that is expected to end, and kills one that does not.
pub fn ended(mut parent: Child) -> Ran {
    let pid = Pid::from_child(&parent);
    if !holds(|| !runs(pid)) {
        parent.kill().expect("it runs");
        panic!("waited in vain for watertight to end");
    }
    Ran::from(parent.wait_with_output().expect("it has ended"))
}

/// What a process left.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn read_report(path: &Path, ran: &Ran) -> RunReport {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}; {}", ran.stderr));
    serde_json::from_str(&text).expect("reports are read back")
}

pub fn case<'a>(report: &'a RunReport, scenario: &str) -> &'a CaseReport {
    report.cases.iter().find(|case| case.scenario == scenario).expect("the case was reported")
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    assert!(holds(condition), "waited in vain for {what}");
}

/// Whether `condition` comes to hold within the deadline.
fn holds(condition: impl Fn() -> bool) -> bool {
    (0..LOOKS_MAX).any(|_| {
        let holds = condition();
        if !holds {
            thread::sleep(LOOK_PERIOD);
        }
        holds
    })
}

/// Whether the process runs: it is there, and no zombie.
pub fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
    test_kill_process(pid).is_ok() && state.flatten().is_some_and(|state| state != 'Z')
}
