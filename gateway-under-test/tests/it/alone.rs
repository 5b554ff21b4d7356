//! A process for each test: heap is counted for all of a process.

use std::process::Command;

/// Set in the process that plays one test.
const ALONE: &str = "GATEWAY_HEAP_TEST_ALONE";

/// Plays a test in a process of its own.
pub fn alone(test: &str, play: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return play();
    }
    let program = std::env::current_exe().expect("this test's own program");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("this test's own program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

/// Plays on one thread and a paused clock, with the probe's books open.
pub fn paused(play: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true);
    watertight_probe::tasks::install(&mut runtime);
    runtime.build().expect("a current-thread runtime").block_on(play);
}
