//! Files of the project, and programs of others.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root, from where files are named.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// A file as text, named from the root.
pub fn text(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Where a program (a name) or a file of the project (a path) is. The project's own program lies beside this test.
pub fn find(need: &str) -> Option<PathBuf> {
    if need == "watertight" {
        let here = std::env::current_exe().ok()?;
        return Some(here.ancestors().nth(2)?.join(need)).filter(|path| path.is_file());
    }
    if need.contains('/') {
        return Some(root().join(need)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(need)).find(|path| path.is_file())
}

/// Runs a command to its end: what it said on both outputs, as an error where it failed.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{command:?} ended with {}:\n{said}", output.status))
}

/// An error that lists what is wrong, if anything is.
pub fn none_of(what: &str, wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(format!("{what}:\n  {}", wrong.join("\n  "))) }
}
