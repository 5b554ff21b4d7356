//! Looks at whom is watched: cheap figures every time, dear ones as often as they can be had cheaply.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use tokio::time::Instant;
use watertight_probe::client::{Client, ClientError};
use watertight_probe::fds::{self, Fd};

use super::{Details, Place, Sample, Site};
use crate::census::outside::FdCounts;
use crate::census::{Blind, Census, Outside};

/// Details may cost this part of the time: a process with ten thousand sockets is not listed every second.
const DETAILS_SHARE: u32 = 200;

/// A probe is not asked for lists more often than this: they cost the process work.
const LISTS_PERIOD: Duration = Duration::from_secs(10);

/// How long a probe may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Places in the code that are told, those that hold most.
const SITES_SHOWN: usize = 5;

/// Names of places that are remembered.
const NAMES_MAX: usize = 256;

/// Why somebody cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// There is no such process.
    #[error("there is no process {pid}; `ps -e` or `pgrep -a NAME` lists them")]
    NoProcess {
        /// Its number.
        pid: u32,
    },
    /// The system does not tell us of it.
    #[error("process {pid} may not be looked into: {why}; watch as the user it runs as, or as root")]
    NotPermitted {
        /// Its number.
        pid: u32,
        /// What the system says.
        why: io::Error,
    },
    /// It ended while it was watched.
    #[error("process {pid} has ended")]
    Ended {
        /// Its number.
        pid: u32,
    },
    /// Its probe does not answer, or says no.
    #[error("{0}; is a probe served there (WATERTIGHT_PROBE=ADDR)?")]
    Probe(#[from] ClientError),
}

impl WatchError {
    /// Whether the next look may find it again.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Probe(_))
    }
}

/// Looks at one process.
#[derive(Debug)]
pub struct Eye {
    target: String,
    view: View,
    details: Details,
    /// When the details are looked at again, since the watch began.
    details_due: Duration,
    every: Duration,
}

#[derive(Debug)]
enum View {
    Outside(Outside),
    Inside { probe: Client, names: BTreeMap<u32, String> },
}

impl Eye {
    /// Looks at what is at `place`, about so often.
    ///
    /// # Errors
    /// Nobody is there, or may not be looked at.
    pub fn open(place: &Place, token: Option<&str>, every: Duration) -> Result<Self, WatchError> {
        let (target, view) = match place {
            Place::Pid(pid) => (named(*pid), View::Outside(outside(*pid)?)),
            Place::Probe(address) => {
                let client = Client::new(*address).within(ANSWER_WITHIN);
                let probe = token.into_iter().fold(client, |client, token| client.token(token));
                probe.snapshot()?;
                (place.to_string(), View::Inside { probe, names: BTreeMap::new() })
            }
        };
        Ok(Self { target, view, details: Details::default(), details_due: Duration::ZERO, every })
    }

    /// Whom it looks at, in words.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Looks once, `after` the watch began.
    ///
    /// # Errors
    /// See [`super::Watch::look`].
    pub fn look(&mut self, after: Duration) -> Result<Sample, WatchError> {
        let census = self.view.census()?;
        if after >= self.details_due {
            let began = Instant::now();
            self.details = self.view.details()?;
            self.details_due =
                after + self.view.details_pause(began.elapsed()).saturating_sub(self.every / 2);
        }
        Ok(Sample { after, census, details: self.details.clone() })
    }
}

impl View {
    fn census(&self) -> Result<Census, WatchError> {
        match self {
            Self::Outside(outside) => outside.census().map_err(|blind| ended(outside.pid(), &blind)),
            Self::Inside { probe, .. } => Ok(inside(probe.snapshot()?)),
        }
    }

    fn details(&mut self) -> Result<Details, WatchError> {
        match self {
            Self::Outside(outside) => {
                Ok(Details { tcp_time_wait: time_wait(outside.pid()), ..of_fds(&outside.fds()) })
            }
            Self::Inside { probe, names } => {
                let fds = probe.fds()?;
                Ok(Details { sites: sites(probe, names)?, ..of_fds(&fds) })
            }
        }
    }

    /// How long details rest that took so long.
    fn details_pause(&self, took: Duration) -> Duration {
        let least = match self {
            Self::Outside(_) => Duration::ZERO,
            Self::Inside { .. } => LISTS_PERIOD,
        };
        least.max(took * DETAILS_SHARE)
    }
}

fn ended(pid: u32, blind: &Blind) -> WatchError {
    match blind {
        Blind::Gone { pid } => WatchError::Ended { pid: *pid },
        Blind::Inside { .. } => WatchError::Ended { pid },
    }
}

/// The view from outside, if we may look at what is behind the door.
fn outside(pid: u32) -> Result<Outside, WatchError> {
    let outside = Outside::new(pid).map_err(|_| WatchError::NoProcess { pid })?;
    match fds::count(Some(pid)) {
        Ok(_) => Ok(outside),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Err(WatchError::NoProcess { pid }),
        Err(why) => Err(WatchError::NotPermitted { pid, why }),
    }
}

/// `pid 4711 (redis-server)`.
fn named(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("pid {pid} ({})", name.trim())
}

fn inside(snapshot: watertight_probe::snapshot::Snapshot) -> Census {
    Census {
        tasks: snapshot.tasks,
        fds: snapshot.fds,
        threads: snapshot.threads,
        heap_blocks: snapshot.heap.map(|live| live.blocks),
        heap_bytes: snapshot.heap.map(|live| live.bytes),
        rss_bytes: snapshot.rss_bytes,
        gauges: snapshot.gauges,
    }
}

fn of_fds(fds: &[Fd]) -> Details {
    let FdCounts { kinds, tcp } = FdCounts::of(fds);
    Details { fds_by_kind: kinds, tcp, ..Details::default() }
}

/// Closed connections in the process's network that the kernel still remembers. Source: proc_pid_net(5), sockstat.
fn time_wait(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/sockstat")).ok()?;
    let line = text.lines().find(|line| line.starts_with("TCP:"))?;
    line.split_ascii_whitespace().skip_while(|word| *word != "tw").nth(1)?.parse().ok()
}

/// The call stacks that hold most, tenants taken together, each by its innermost line of the process's own code.
fn sites(probe: &Client, names: &mut BTreeMap<u32, String>) -> Result<Vec<Site>, WatchError> {
    let mut by_stack = BTreeMap::<u32, (u64, u64, u32)>::new();
    for site in probe.sites(1)?.sites {
        let (bytes, blocks, _) = by_stack.entry(site.stack).or_insert((0, 0, site.id));
        *bytes += site.live_bytes;
        *blocks += site.live_blocks;
    }
    let mut most: Vec<_> = by_stack.into_values().collect();
    most.sort_unstable_by(|a, b| b.cmp(a));
    most.truncate(SITES_SHOWN);
    name(probe, names, &most.iter().map(|(_, _, id)| *id).collect::<Vec<_>>())?;
    let mut by_place = BTreeMap::<String, (u64, u64)>::new();
    for (live_bytes, live_blocks, id) in most {
        let place = names.get(&id).cloned().unwrap_or_else(|| "?".to_owned());
        let (bytes, blocks) = by_place.entry(place).or_default();
        *bytes += live_bytes;
        *blocks += live_blocks;
    }
    let site = |(place, (live_bytes, live_blocks))| Site { place, live_bytes, live_blocks };
    let mut sites: Vec<Site> = by_place.into_iter().map(site).collect();
    sites.sort_by_key(|site| std::cmp::Reverse(site.live_bytes));
    Ok(sites)
}

/// Asks for the names that are not known yet: resolving takes the process tenths of a second.
fn name(probe: &Client, names: &mut BTreeMap<u32, String>, ids: &[u32]) -> Result<(), WatchError> {
    let unknown: Vec<u32> = ids.iter().copied().filter(|id| !names.contains_key(id)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    if names.len() + unknown.len() > NAMES_MAX {
        names.clear();
    }
    for (id, frames) in probe.stacks(&unknown)? {
        let frame = frames.iter().find(|frame| frame.own).or_else(|| frames.first());
        names.insert(id, frame.map_or_else(|| "?".to_owned(), watertight_probe::frames::Frame::place));
    }
    Ok(())
}
