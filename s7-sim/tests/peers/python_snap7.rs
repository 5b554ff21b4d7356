//! python-snap7's own end-to-end and acceptance tests, written for real PLCs, run against the simulator.

use std::process::Command;

use super::Test;
use super::program::{Sim, output, root};

/// Its source distribution, which has the tests.
const SOURCE: &str = ".venv/python-snap7-3.3.0";
const PYTHON: &str = ".venv/bin/python";
/// The data blocks and the password that the tests expect.
const FIXTURE: &str = "s7-sim/testdata/python-snap7-fixture.json";
/// How many tests there are in this version: none may be skipped.
const PASSED: &str = "60 passed";

pub const OWN_TESTS: Test =
    Test { name: "python_snap7::its_own_60_tests_pass", needs: &[PYTHON, SOURCE], run: own_tests };

fn own_tests() -> Result<(), String> {
    let sim = Sim::start(&["--config", FIXTURE])?;
    let mut pytest = Command::new(root().join(PYTHON));
    pytest.current_dir(root().join(SOURCE)).args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    pytest.args(["tests/test_client_e2e.py", "tests/real_plc"]);
    pytest.args(["--e2e", "--allow-plc-write", "--allow-plc-admin", "--plc-ip", "127.0.0.1"]);
    pytest.args(["--plc-port", &sim.port.to_string()]);
    let said = output(&mut pytest)?;
    let last = said.lines().next_back().unwrap_or_default();
    if last.starts_with(PASSED) && !last.contains("skipped") { Ok(()) } else { Err(said) }
}
