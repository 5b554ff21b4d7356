//! The house that every machine has: a process of its own for each program, reached over loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

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
    let child = Command::new(std::env::current_exe()?)
        .arg(EXEC_ROLE)
        .args(&program.argv)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(Process(child))
}

/// A process of this machine.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Resident for Process {
    fn outputs(&mut self) -> Option<[Output; 2]> {
        Some([Box::new(self.0.stdout.take()?), Box::new(self.0.stderr.take()?)])
    }

    fn pid(&self) -> Option<u32> {
        self.0.id()
    }

    fn address(&self) -> IpAddr {
        LOOPBACK
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, bool> {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let sent = pid.is_some_and(|pid| kill_process(pid, signal).is_ok());
        Box::pin(async move { sent })
    }

    fn ended(&mut self) -> Option<End> {
        self.0.try_wait().ok().flatten().map(end)
    }

    fn wait(&mut self) -> BoxFuture<'_, io::Result<End>> {
        Box::pin(async { self.0.wait().await.map(end) })
    }
}

fn end(status: ExitStatus) -> End {
    End { how: status.to_string(), success: status.success(), out_of_memory: None }
}
