//! Ending a process for sure: killed, awaited, reaped.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};

/// How long the kernel may take to end a process that is killed; one that waits for a disk takes longer, and is left to it.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// Kills `pid`, waits until it has ended, and reaps it if it is this process's child.
///
/// One that has ended by itself meanwhile is fine.
pub(crate) fn end(pid: Pid) {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => {
            let _gone = pidfd_send_signal(&process, Signal::KILL);
            // It can be read from once the process has ended.
            let within = Timespec::try_from(ENDS_WITHIN).ok();
            let _late = poll(&mut [PollFd::new(&process, PollFlags::IN)], within.as_ref());
        }
        // It has ended, or this kernel has no descriptors of processes.
        Err(_) => {
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
    reap(pid);
}

/// Takes note of the end of a child that has ended: until then it stays in the table of processes.
pub(crate) fn reap(pid: Pid) {
    let _not_a_child = waitpid(Some(pid), WaitOptions::NOHANG);
}
