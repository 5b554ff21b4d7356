//! What a running process holds, from outside (`/proc`) and, where it serves a probe, from inside.

use std::io;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use watertight_probe::client::Client;
use watertight_probe::fds;

use crate::census::Census;
use crate::timeline::{Ended, Trimmed};

/// Looks at one process, again and again. Every look blocks for as long as the probe takes, which its client bounds.
#[derive(Debug)]
pub(super) struct Sampler {
    pid: u32,
    system: System,
    probe: Option<Client>,
}

/// A look inside that did not come about.
pub(super) fn blind(error: impl std::fmt::Display) -> Ended {
    Ended::TargetDied { how: format!("its probe does not answer: {error}") }
}

impl Sampler {
    /// Watches `pid` from outside, and through `probe` from inside.
    ///
    /// # Errors
    /// A system that does not tell of its processes.
    pub(super) fn new(pid: u32, probe: Option<Client>) -> io::Result<Self> {
        let system = System::new().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { pid, system, probe })
    }

    /// The process's number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The probe, where there is one.
    pub(super) fn probe(&self) -> Option<&Client> {
        self.probe.as_ref()
    }

    /// One census, with the target's own figures.
    pub(super) fn census(&mut self) -> Result<Census, Ended> {
        let mut census = self.outside()?;
        if let Some(probe) = &self.probe {
            let inside = probe.snapshot().map_err(blind)?;
            census.tasks = inside.tasks;
            census.heap_bytes = inside.heap.map(|live| live.bytes);
            census.heap_blocks = inside.heap.map(|live| live.blocks);
            census.gauges = inside.gauges;
            census.gauges.insert(crate::verdict::PANICS_GAUGE.to_owned(), inside.panics as f64);
        }
        Ok(census)
    }

    /// Asks the target's allocator to give back what is free; `None`: it has no probe, or had nothing to give.
    pub(super) fn trim(&mut self) -> Option<Trimmed> {
        let rss_before_bytes = self.outside().ok()?.rss_bytes?;
        let gave = self.probe.as_ref()?.trim().ok()?;
        let rss_after_bytes = self.outside().ok()?.rss_bytes?;
        gave.then_some(Trimmed { rss_before_bytes, rss_after_bytes })
    }

    fn outside(&mut self) -> Result<Census, Ended> {
        let pid = Pid::from_u32(self.pid);
        let what = ProcessRefreshKind::nothing().with_memory().with_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let gone = || Ended::TargetDied { how: format!("process {} is gone", self.pid) };
        let process = self.system.process(pid).ok_or_else(gone)?;
        Ok(Census {
            fds: fds::count(Some(self.pid)).ok(),
            threads: process.tasks().map(|tasks| tasks.len() as u64),
            rss_bytes: Some(process.memory()),
            ..Census::default()
        })
    }
}
