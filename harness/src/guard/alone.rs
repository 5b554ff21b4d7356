//! A test played once more in a process of its own: nobody else opens, spawns or allocates there.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::plan::Plan;
use super::ruling::Ruling;
use super::settle;

/// Names the test that a process was started for, and the file that its ruling goes to.
const TEST: &str = "WATERTIGHT_ALONE";
const RULING: &str = "WATERTIGHT_ALONE_RULING";

/// Where the ruling on this test goes, if this process was started for it.
pub(super) fn asked_for(plan: &Plan) -> Option<PathBuf> {
    let test = std::env::var(TEST).ok()?;
    (test == plan.name).then(|| std::env::var_os(RULING).map(PathBuf::from))?
}

/// Plays the test of `plan` in a process of its own; `took` is what it took in this one.
pub(super) fn rule(plan: &Plan, took: Duration) -> Ruling {
    let files = Files::new();
    let ruling = run(plan, &files, limit(took));
    match ruling {
        Ok(status) => files.ruling().unwrap_or_else(|| Ruling::Failed(why(status, &files))),
        Err(error) => Ruling::Failed(format!("the process could not be started: {error}")),
    }
}

fn run(plan: &Plan, files: &Files, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let log = std::fs::File::create(&files.log)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args([plan.name_in_crate(), "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(TEST, plan.name)
        .env(RULING, &files.ruling)
        .env("WATERTIGHT_HEAP", "unwind")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let began = settle::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Plays in cycles take so many times as long as the one that was suspected, and call stacks cost.
fn limit(took: Duration) -> Duration {
    LIMIT_MIN.max(took.saturating_mul(TIMES_AS_LONG))
}

fn why(status: Option<ExitStatus>, files: &Files) -> String {
    let how = status.map_or("did not end in time".to_owned(), |status| format!("ended with {status}"));
    format!("played alone, the test {how}{}", files.end_of_log())
}

/// What the child leaves: removed with this.
struct Files {
    ruling: PathBuf,
    log: PathBuf,
}

impl Files {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self::of(std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// A process that was killed leaves its files, and another may get its number, or have it in another container.
    fn of(pid: u32, number: u64) -> Self {
        let word = RandomState::new().hash_one(number);
        let stem = std::env::temp_dir().join(format!("watertight-{pid}-{number}-{word:016x}"));
        Self { ruling: stem.with_extension("ruling"), log: stem.with_extension("log") }
    }

    fn ruling(&self) -> Option<Ruling> {
        Ruling::read(&std::fs::read_to_string(&self.ruling).ok()?)
    }

    /// Its last lines, indented, after a colon.
    fn end_of_log(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_BYTES)..]).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        if last.is_empty() { String::new() } else { format!(":\n    {}", last.join("\n    ")) }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.ruling, &self.log] {
            remove(file);
        }
    }
}

/// What was never made need not be removed.
fn remove(file: &Path) {
    let _gone = std::fs::remove_file(file);
}

/// How often the child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);
const TIMES_AS_LONG: u32 = 64;
const LIMIT_MIN: Duration = Duration::from_secs(60);
const LOG_BYTES: usize = 4 << 10;
const LOG_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ruling_that_another_process_of_the_same_number_left_is_nobodys() {
        let left = Files::of(7, 0);
        std::fs::write(&left.ruling, "clean").expect("the folder for temporary files is writable");
        assert!(!Files::of(7, 0).ruling.exists());
    }
}
