//! Where a run was played: what the reader of a figure needs to place it. Gathered once a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine and the program of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// When the report was made, RFC 3339 in UTC.
    pub reported_at: String,
    /// The version of Watertight.
    pub watertight: String,
    /// How Watertight was built, and a target in sim with it: `debug` or `release`.
    pub build: String,
    /// Whether tokio was built with `tokio_unstable`: task hooks and dumps need it.
    pub tokio_unstable: bool,
    /// The system: `Linux (Debian GNU/Linux 13)`.
    pub os: String,
    /// The version of its kernel.
    pub kernel: String,
    /// What it runs on: `x86_64`.
    pub arch: String,
    /// The processor's name.
    pub cpu: String,
    /// Cores that this program may use.
    pub cores: usize,
    /// Memory of the machine.
    pub memory_bytes: u64,
}

impl Environment {
    /// This machine, now.
    pub fn gather() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted).ok();
        let system = system.as_ref();
        let cpu = system.and_then(|system| Some(system.cpus().first()?.brand().trim().to_owned()));
        Self {
            reported_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            watertight: env!("CARGO_PKG_VERSION").to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            tokio_unstable: cfg!(tokio_unstable),
            os: System::long_os_version().unwrap_or_else(|_| unknown()),
            kernel: System::kernel_version().unwrap_or_else(|_| unknown()),
            arch: std::env::consts::ARCH.to_owned(),
            cpu: cpu.filter(|name| !name.is_empty()).unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.map_or(0, System::total_memory),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let here = Environment::gather();
        assert!(here.cores > 0 && here.memory_bytes > 0, "{here:?}");
        assert!(here.reported_at.ends_with('Z') && here.reported_at.len() == 20, "{here:?}");
        assert!(here.kernel != "unknown", "{here:?}");
    }
}
