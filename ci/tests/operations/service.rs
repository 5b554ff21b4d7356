//! The unit of systemd.

use std::process::Command;

use super::Test;
use super::program::{output, root, text};

const UNIT: &str = "ci/systemd/s7-gateway.service";
/// Where the unit expects the program; a machine that tests need not have it.
const INSTALLED: &str = "/usr/local/bin/s7-gateway";
/// Keys of systemd 254: an older one passes over them, as the unit says.
const NEWER: [&str; 2] = ["'RestartSteps'", "'RestartMaxDelaySec'"];

pub const ALL: &[Test] =
    &[Test { name: "service::is_verified_by_systemd", needs: &["systemd-analyze"], run: verify }];

/// Verifies a copy that starts a program which is there: whether the gateway is installed here is not the question.
fn verify() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copy = folder.path().join("s7-gateway.service");
    let unit = text(UNIT)?;
    if !unit.contains(INSTALLED) {
        return Err(format!("{UNIT}: expected {INSTALLED} to be started, found another program"));
    }
    std::fs::write(&copy, unit.replace(INSTALLED, "/bin/true")).map_err(|error| error.to_string())?;
    let mut analyze = Command::new("systemd-analyze");
    let said = output(analyze.args(["verify", "--man=no"]).arg(&copy).current_dir(root()))?;
    // Unknown keys and values are warnings only, and other units of the machine may have some.
    let is_ours =
        |line: &&str| line.contains("s7-gateway.service") && !NEWER.iter().any(|key| line.contains(key));
    let ours: Vec<&str> = said.lines().filter(is_ours).collect();
    if ours.is_empty() { Ok(()) } else { Err(ours.join("\n")) }
}
