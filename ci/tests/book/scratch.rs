//! The folder in which a chapter's commands are run, and the programs they start.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::PROGRAMS;

/// Folders of the project that a reader has beside a scenario of his own.
const COPIED: [&str; 2] = ["scenarios", "harness/examples"];

/// An empty folder, and the project's scenarios in it, a copy: commands write beside them.
pub struct Scratch {
    folder: TempDir,
}

/// What a command left: what it said on both outputs, as it came, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub code: i32,
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Where a program is. The project's own lie beside this test.
pub fn program(name: &str) -> Option<PathBuf> {
    if PROGRAMS.contains(&name) {
        let here = std::env::current_exe().ok()?;
        return Some(here.ancestors().nth(2)?.join(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Scratch {
    /// A new one.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        // Below the folder as below the root.
        let copied = Command::new("cp")
            .args(["-r", "--parents"])
            .args(COPIED.into_iter().filter(|folder| root().join(folder).is_dir()))
            .arg(folder.path())
            .current_dir(root())
            .status();
        match copied {
            Ok(status) if status.success() => Ok(Self { folder }),
            other => Err(format!("cannot copy {COPIED:?}: {other:?}")),
        }
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.folder.path().join(name);
        let folder = path.parent().expect("it lies in a folder");
        std::fs::create_dir_all(folder).map_err(|error| format!("{name}: {error}"))?;
        std::fs::write(&path, text).map_err(|error| format!("{name}: {error}"))?;
        Ok(path)
    }

    /// What stands in a file of it.
    pub fn read(&self, name: &str) -> Result<String, String> {
        std::fs::read_to_string(self.folder.path().join(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// Runs a program of the project in it to the end.
    pub fn run(&self, name: &str, args: &[String]) -> Result<Said, String> {
        let program = program(name).ok_or_else(|| format!("`{name}` is not built: `cargo build`"))?;
        let (mut reader, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
        let both = writer.try_clone().map_err(|error| format!("no pipe: {error}"))?;
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(writer).stderr(both);
        // A pipeline of ours is none of theirs.
        command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
        let mut child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        // The pipe ends once nobody holds its other end; the command does.
        drop(command);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text)
            .map_err(|error| format!("its output: {error}"))?;
        let status = child.wait().map_err(|error| format!("its end: {error}"))?;
        Ok(Said { text, code: status.code().unwrap_or(-1) })
    }
}
