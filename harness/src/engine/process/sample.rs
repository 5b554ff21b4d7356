//! What a running process holds, from outside (`/proc`) and, where it serves a probe, from inside.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use watertight_probe::client::Client;
use watertight_probe::fds;

use crate::census::Census;
use crate::explain::Inventory;
use crate::timeline::Ended;

/// Looks at one process, again and again.
pub(super) struct Sampler {
    pid: u32,
    system: System,
    probe: Option<Client>,
}

impl Sampler {
    /// Watches `pid` from outside, and through `probe` from inside.
    pub(super) fn new(pid: u32, probe: Option<SocketAddr>) -> Self {
        Self { pid, system: System::new(), probe: probe.map(Client::new) }
    }

    /// One census. Blocks for as long as the probe takes to answer, which its client bounds.
    pub(super) fn census(&mut self) -> Result<Census, Ended> {
        let mut census = self.outside()?;
        if let Some(probe) = &mut self.probe {
            let inside = probe.snapshot().map_err(|error| Ended::TargetDied { how: error.to_string() })?;
            census.tasks = inside.tasks;
            census.heap_bytes = inside.heap.map(|live| live.bytes);
            census.heap_blocks = inside.heap.map(|live| live.blocks);
            census.gauges = inside.gauges;
        }
        Ok(census)
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
