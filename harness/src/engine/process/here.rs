//! The house that every machine has: a process of its own for each program, reached over loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

use super::oom::OomKills;
use super::program::EXEC_ROLE;
use crate::housing::{End, House, Output, Resident};
use crate::world::{BoxFuture, Program};

/// This machine.
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Processes of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here;

impl House for Here {
    fn host(&self) -> IpAddr {
        LOOPBACK
    }

    fn listen(&self) -> IpAddr {
        LOOPBACK
    }

    fn start<'a>(&'a mut self, program: &'a Program) -> BoxFuture<'a, io::Result<Box<dyn Resident>>> {
        Box::pin(async { Ok(Box::new(spawn(program)?) as Box<dyn Resident>) })
    }

    fn cut_off(&mut self, _cut: bool) -> Option<BoxFuture<'_, io::Result<()>>> {
        None
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// Starts `program` as a process that dies with this one.
pub(super) fn spawn(program: &Program) -> io::Result<Process> {
    let oom_kills_before = OomKills::now();
    let child = Command::new(std::env::current_exe()?)
        .arg(EXEC_ROLE)
        .args(&program.argv)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: what it starts can be ended with it, and a Ctrl-C is the runner's to handle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok(Process { child, group, oom_kills_before })
}

/// A process of this machine. Dropping it kills it, and what is left of its process group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    oom_kills_before: OomKills,
}

impl Process {
    fn end(&self, status: ExitStatus) -> End {
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        let by_whom = if killed { format!(", {}", self.oom_kills_before.verdict()) } else { String::new() };
        End { how: format!("{status}{by_whom}"), success: status.success(), out_of_memory: None }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Whoever has left the group is found when the run is over.
            let _nobody_left = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Resident for Process {
    fn outputs(&mut self) -> Option<[Output; 2]> {
        Some([Box::new(self.child.stdout.take()?), Box::new(self.child.stderr.take()?)])
    }

    fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    fn address(&self) -> IpAddr {
        LOOPBACK
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, bool> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let sent = pid.is_some_and(|pid| kill_process(pid, signal).is_ok());
        Box::pin(async move { sent })
    }

    fn ended(&mut self) -> Option<End> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(self.end(status))
    }

    fn wait(&mut self) -> BoxFuture<'_, io::Result<End>> {
        Box::pin(async {
            let status = self.child.wait().await?;
            Ok(self.end(status))
        })
    }
}
