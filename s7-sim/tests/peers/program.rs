//! Our program as a child that ends with its test, and the commands of others.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The workspace's root, from where files are named.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// `s7-sim` on a free port of loopback.
pub struct Sim {
    child: Child,
    /// The port.
    pub port: u16,
}

impl Sim {
    /// Starts it with more arguments, and waits until it says where it listens.
    pub fn start(args: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s7-sim"));
        command.args(["--listen", "127.0.0.1:0"]).args(args).current_dir(root()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("s7-sim: {error}"))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let sim = Self { child, port: port.unwrap_or_default() };
        if sim.port == 0 { Err(format!("s7-sim said `{line}`: {read:?}")) } else { Ok(sim) }
    }

    /// Ends it in order, so that what it writes is written.
    pub fn terminate(&mut self) -> Result<(), String> {
        output(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("s7-sim ended with {status}")) }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end: its standard output, or what went wrong with all it said.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}:\n{said}{complained}", output.status))
}
