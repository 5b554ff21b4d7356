//! Whose a container, a network or an image is: labels that name the run and the process that made it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// The run that a container or a network belongs to.
pub(crate) const RUN: &str = "watertight.run";

/// The process that made it: [`Owner`].
pub(crate) const OWNER: &str = "watertight.owner";

/// The program that an image was made of.
pub(crate) const PROGRAM: &str = "watertight.program";

/// A run's name: nobody else's on this machine, now or earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunId(pub(crate) String);

impl RunId {
    /// The next one of this process.
    pub(crate) fn next() -> io::Result<Self> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let Owner { pid, started, .. } = Owner::this_process()?;
        Ok(Self(format!("{pid}-{started}-{}", RUNS.fetch_add(1, Ordering::Relaxed))))
    }

    /// The labels of what belongs to it.
    pub(crate) fn labels(&self) -> io::Result<HashMap<String, String>> {
        let owner = Owner::this_process()?.to_string();
        Ok(HashMap::from([(RUN.to_owned(), self.0.clone()), (OWNER.to_owned(), owner)]))
    }
}

/// A process, and no other that later gets its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Of the machine's start: after the next one, every process of this is gone.
    boot: String,
    /// The namespace that its number is one of.
    namespace: String,
    pid: u32,
    /// When it was started, in ticks since the machine's start.
    started: u64,
}

impl Owner {
    pub(crate) fn this_process() -> io::Result<Self> {
        let pid = std::process::id();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let namespace = namespace()?;
        let started =
            started(pid).ok_or_else(|| io::Error::other("/proc does not tell when a process was started"))?;
        Ok(Self { boot, namespace, pid, started })
    }

    /// Whether the process that `label` names has ended. One that cannot be seen from here, or that is named otherwise, has not.
    pub(crate) fn is_gone(label: &str) -> bool {
        let (Some(owner), Ok(this)) = (Self::parse(label), Self::this_process()) else { return false };
        if owner.boot != this.boot {
            return true;
        }
        owner.namespace == this.namespace && started(owner.pid) != Some(owner.started)
    }

    /// The number of the process that `label` names.
    pub(crate) fn pid_of(label: &str) -> Option<u32> {
        Self::parse(label).map(|owner| owner.pid)
    }

    fn parse(label: &str) -> Option<Self> {
        let mut words = label.split('/');
        let (boot, namespace) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (pid, started) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then_some(Self { boot, namespace, pid, started })
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.boot, self.namespace, self.pid, self.started)
    }
}

fn namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned())
}

/// When a process was started, in ticks since the machine's start: field 22 of its `stat`, counted past its name, which may hold
/// anything. `None`: it has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (state != "Z").then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_back_and_lives() {
        let this = Owner::this_process().unwrap();
        assert_eq!(Owner::parse(&this.to_string()), Some(this.clone()));
        assert!(!Owner::is_gone(&this.to_string()));
    }

    #[test]
    fn an_owner_is_gone_when_its_number_is_another_process_or_the_machine_was_started_again() {
        let this = Owner::this_process().unwrap();
        assert!(Owner::is_gone(&Owner { started: this.started + 1, ..this.clone() }.to_string()));
        assert!(Owner::is_gone(&Owner { boot: "earlier".to_owned(), ..this }.to_string()));
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_left_alone() {
        let elsewhere =
            Owner { namespace: "pid:[1]".to_owned(), started: 1, ..Owner::this_process().unwrap() };
        assert!(!Owner::is_gone(&elsewhere.to_string()));
        for other in ["", "somebody", "a/b/1/x", "a/b/1/2/3"] {
            assert!(!Owner::is_gone(other), "{other}");
        }
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let this = Owner::this_process().unwrap();
        let owner = Owner { pid: child.id(), started: started(child.id()).unwrap(), ..this };
        assert!(!Owner::is_gone(&owner.to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Owner::is_gone(&owner.to_string()));
    }
}
