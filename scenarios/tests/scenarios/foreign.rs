//! Targets that are somebody else's: the small Go service of `scenarios/foreign`, built once, and what it is in a report.

use std::path::Path;
use std::process::Command;

/// The source and the program that is built from it, from the root of the workspace: scenarios name it.
const SOURCE: &str = "scenarios/foreign/leaky.go";
const PROGRAM: &str = "target/foreign/leaky";

/// What installs the compiler.
const NEEDS_GO: &str = "go is not on this machine: `apt-get install golang-go`, or `ci/setup.sh`";

/// Builds the Go service unless it is newer than its source; the reason why it cannot be built, if so.
pub fn build() -> Option<String> {
    let age = |path: &str| Path::new(path).metadata().and_then(|metadata| metadata.modified()).ok();
    if age(PROGRAM).is_some_and(|built| age(SOURCE).is_some_and(|source| source <= built)) {
        return None;
    }
    // Whoever else builds it meanwhile makes the same program: it is put into its place in one step.
    let made = format!("{PROGRAM}.{}", std::process::id());
    let built = Command::new("go")
        .args(["build", "-o", &made, SOURCE])
        .envs([("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local"), ("GO111MODULE", "off")])
        .output();
    match built {
        Err(_) => Some(NEEDS_GO.to_owned()),
        Ok(output) if !output.status.success() => {
            Some(format!("go build {SOURCE}: {}", String::from_utf8_lossy(&output.stderr)))
        }
        Ok(_) => std::fs::rename(&made, PROGRAM).err().map(|error| format!("{PROGRAM}: {error}")),
    }
}
