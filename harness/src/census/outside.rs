//! What the system tells of a process without its help: `/proc` alone, so any process in any language can be looked at.

use std::collections::BTreeMap;
use std::io;

use watertight_probe::fds::{self, Fd, Kind};

use super::stat::Stat;
use super::{Blind, Census, tree};

/// The figure that tells how many processes were counted together.
pub const PROCESSES_GAUGE: &str = "processes";

/// Looks at one process from outside.
#[derive(Debug)]
pub struct Outside {
    pid: u32,
    /// When it started: another process that is given its number later is not it.
    started: u64,
    /// Whether what it has started is counted with it.
    with_children: bool,
}

impl Outside {
    /// Watches the process `pid`, and no other.
    ///
    /// # Errors
    /// There is no such process, or this system does not tell of it.
    pub fn new(pid: u32) -> io::Result<Self> {
        let stat = Stat::read(pid)?;
        if !stat.is_alive() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has ended")));
        }
        Ok(Self { pid, started: stat.started, with_children: false })
    }

    /// Counts with it every process that it has started, their children too, and of those that it left behind the ones in its
    /// process group; the figure [`PROCESSES_GAUGE`] tells how many they are. Memory that they share is counted once for each.
    #[must_use]
    pub fn with_children(self) -> Self {
        Self { with_children: true, ..self }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Counts what it holds: descriptors, threads, resident memory. Tasks and heap cannot be seen from outside.
    ///
    /// # Errors
    /// It has ended, or its number belongs to another process by now.
    pub fn census(&self) -> Result<Census, Blind> {
        let stat = Stat::read(self.pid).ok().filter(|stat| stat.is_alive() && stat.started == self.started);
        let stat = stat.ok_or(Blind::Gone { pid: self.pid })?;
        let mut census = Census {
            fds: fds::count(Some(self.pid)).ok(),
            threads: Some(stat.threads),
            rss_bytes: Some(stat.rss_bytes),
            ..Census::default()
        };
        if self.with_children {
            let members = tree::members(self.pid);
            let counted = members.iter().filter(|pid| add(&mut census, **pid).is_ok()).count();
            census.gauges.insert(PROCESSES_GAUGE.to_owned(), (1 + counted) as f64);
        }
        Ok(census)
    }

    /// Its open descriptors one by one, with their sockets' peers and states. Dearer than counting: it reads the tables of all
    /// sockets.
    pub fn fds(&self) -> Vec<Fd> {
        let members = if self.with_children { tree::members(self.pid) } else { Vec::new() };
        let all = std::iter::once(self.pid).chain(members);
        all.flat_map(|pid| fds::census(Some(pid)).unwrap_or_default()).collect()
    }
}

/// Adds what the process `pid` holds, unless it has ended.
fn add(census: &mut Census, pid: u32) -> io::Result<()> {
    let (stat, fds) = (Stat::read(pid)?, fds::count(Some(pid))?);
    let sum = |counted: &mut Option<u64>, more: u64| *counted = counted.map(|count| count + more);
    sum(&mut census.fds, fds);
    sum(&mut census.threads, stat.threads);
    sum(&mut census.rss_bytes, stat.rss_bytes);
    Ok(())
}

/// How many descriptors of each kind, and how many TCP sockets in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FdCounts {
    /// `socket`, `pipe`, `file`, `eventfd`, `epoll`, `timerfd`, `other`.
    pub kinds: BTreeMap<&'static str, u64>,
    /// By state as `ss` prints it: `ESTAB`, `CLOSE-WAIT`, …
    pub tcp: BTreeMap<String, u64>,
}

impl FdCounts {
    /// Counts `fds`.
    pub fn of(fds: &[Fd]) -> Self {
        let mut counts = Self::default();
        for fd in fds {
            *counts.kinds.entry(kind_name(fd.kind)).or_default() += 1;
            if let (Some("tcp"), Some(state)) = (fd.protocol.as_deref(), &fd.state) {
                *counts.tcp.entry(state.clone()).or_default() += 1;
            }
        }
        counts
    }
}

/// The name of a kind of descriptor in tables and metrics.
pub const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Socket => "socket",
        Kind::Pipe => "pipe",
        Kind::File => "file",
        Kind::EventFd => "eventfd",
        Kind::Epoll => "epoll",
        Kind::Timer => "timerfd",
        _ => "other",
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_socket_of_this_process_is_counted_by_kind_and_state() {
        let _listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback is there");
        let here = Outside::new(std::process::id()).expect("/proc is there");
        let counts = FdCounts::of(&here.fds());
        // Other tests have sockets of their own.
        assert!(counts.kinds["socket"] >= 1 && counts.tcp["LISTEN"] >= 1, "{counts:?}");
        let census = here.census().expect("this process lives");
        assert!(census.fds >= Some(1) && census.threads >= Some(1) && census.rss_bytes > Some(0));
        assert_eq!((census.tasks, census.heap_blocks), (None, None));
    }

    #[test]
    fn a_process_that_has_ended_is_gone_even_before_it_is_reaped() {
        let mut child = Command::new("sleep").arg("100").spawn().expect("sleep is everywhere");
        let outside = Outside::new(child.id()).expect("it runs");
        child.kill().expect("it is ours");
        let pid = child.id();
        // It is a zombie until it is waited for: waiting for its state only, without reaping it.
        let id = rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child));
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(id, options).expect("it is a child");
        assert_eq!(outside.census(), Err(Blind::Gone { pid }));
        assert!(Outside::new(pid).is_err());
        child.wait().expect("it is ours");
    }

    #[test]
    fn what_a_process_has_started_is_counted_with_it_if_asked_for() {
        let here = Outside::new(std::process::id()).expect("/proc is there").with_children();
        let processes = || here.census().expect("this process lives").gauges[PROCESSES_GAUGE];
        let mut child = Command::new("sleep").arg("100").spawn().expect("sleep is everywhere");
        // Other tests have children of their own, which come and go.
        assert!(processes() >= 2.0);
        assert!(tree::descendants(std::process::id()).contains(&child.id()));
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        assert!(!tree::descendants(std::process::id()).contains(&child.id()));
    }
}
