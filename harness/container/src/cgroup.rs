//! What the kernel counts of a container, read from this machine's side.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel's groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// The groups of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cgroup {
    memory: PathBuf,
    pids: PathBuf,
    /// Version 2 has one hierarchy and other names.
    unified: bool,
}

impl Cgroup {
    /// The groups that the process `pid` is in; `None`: they cannot be seen from here.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::named(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
    }

    /// From the lines of a process's `cgroup`: `4:memory:/docker/…`, or `0::/system.slice/…` in version 2.
    fn named(text: &str) -> Option<Self> {
        let path = |controller: &str| {
            let of = |line: &str| {
                let mut words = line.splitn(3, ':').skip(1);
                let (controllers, path) = (words.next()?, words.next()?);
                controllers.split(',').any(|one| one == controller).then(|| path.to_owned())
            };
            text.lines().find_map(of)
        };
        let below = |controller: &str, path: &str| {
            Path::new(MOUNT).join(controller).join(path.trim_start_matches('/'))
        };
        if let (Some(memory), Some(pids)) = (path("memory"), path("pids")) {
            return Some(Self {
                memory: below("memory", &memory),
                pids: below("pids", &pids),
                unified: false,
            });
        }
        let both = below("", &path("")?);
        Some(Self { memory: both.clone(), pids: both, unified: true })
    }

    /// Memory in use that cannot be had back by forgetting files, in bytes.
    fn memory_bytes(&self) -> Option<u64> {
        let (used, files) = match self.unified {
            true => ("memory.current", "inactive_file"),
            false => ("memory.usage_in_bytes", "total_inactive_file"),
        };
        let files = field(&self.memory.join("memory.stat"), files).unwrap_or_default();
        Some(number(&self.memory.join(used))?.saturating_sub(files))
    }

    /// The most memory that was in use, in bytes.
    pub(crate) fn memory_peak_bytes(&self) -> Option<u64> {
        let name = if self.unified { "memory.peak" } else { "memory.max_usage_in_bytes" };
        number(&self.memory.join(name))
    }

    /// Its figures, as gauges of a census.
    pub(crate) fn gauges(&self) -> BTreeMap<String, f64> {
        let figures = [
            ("container_memory_bytes", self.memory_bytes()),
            ("container_memory_peak_bytes", self.memory_peak_bytes()),
            ("container_pids", number(&self.pids.join("pids.current"))),
        ];
        figures.into_iter().filter_map(|(name, figure)| Some((name.to_owned(), figure? as f64))).collect()
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The figure in the line that begins with `name`.
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_in_both_versions() {
        let first = "12:pids:/docker/a1\n4:memory:/docker/a1\n1:name=systemd:/docker/a1\n0::/\n";
        let found = Cgroup::named(first).unwrap();
        assert_eq!(found.memory, Path::new("/sys/fs/cgroup/memory/docker/a1"));
        assert_eq!(
            (found.pids.as_path(), found.unified),
            (Path::new("/sys/fs/cgroup/pids/docker/a1"), false)
        );
        let second = Cgroup::named("0::/system.slice/docker-a1.scope\n").unwrap();
        assert_eq!(second.memory, Path::new("/sys/fs/cgroup/system.slice/docker-a1.scope"));
        assert!(second.unified && second.pids == second.memory);
        assert_eq!(Cgroup::named(""), None);
    }
}
