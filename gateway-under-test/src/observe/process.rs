//! A gateway that has its process for itself: descriptors and memory are what the system says. Source: proc(5).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rustix::param::page_size;
use rustix::process::{Resource as Limited, getrlimit};

use super::{EmbeddedVitals, Heap, Resource, Vitals, by_count};
use crate::tenant;

/// The figures of the whole process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessVitals {
    own: EmbeddedVitals,
    started_at: Option<f64>,
}

impl ProcessVitals {
    /// To be made when the process starts: that moment is what [`Vitals::started_at`] tells.
    #[expect(clippy::disallowed_methods, reason = "the edge: a scraper asks for the wall clock's time")]
    pub fn start() -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            own: EmbeddedVitals::here(),
            started_at: since_1970.ok().map(|since_1970| since_1970.as_secs_f64()),
        }
    }
}

impl Vitals for ProcessVitals {
    fn tasks(&self) -> Option<u64> {
        self.own.tasks()
    }

    fn heap(&self) -> Option<Heap> {
        self.own.heap()
    }

    fn fds(&self) -> Option<u64> {
        let listed = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        // Reading the folder opens one more.
        listed.checked_sub(1)
    }

    fn fds_limit(&self) -> Option<u64> {
        getrlimit(Limited::Nofile).current
    }

    fn rss_bytes(&self) -> Option<u64> {
        let pages = resident_pages(&fs::read_to_string("/proc/self/statm").ok()?)?;
        Some(pages * page_size() as u64)
    }

    fn started_at(&self) -> Option<f64> {
        self.started_at
    }

    #[expect(clippy::disallowed_methods, reason = "it locks every arena, and no paused clock waits for it")]
    fn trim(&self) -> BoxFuture<'static, Option<bool>> {
        let trimming = tokio::task::spawn_blocking(tenant::trim);
        async { trimming.await.ok().flatten() }.boxed()
    }

    fn inventory(&self, of: Resource, within: Duration) -> BoxFuture<'static, Option<String>> {
        let own = self.own.own();
        match of {
            Resource::Tasks => self.own.inventory(of, within),
            Resource::Heap => off_the_workers(move || own.heap_by_site()),
            Resource::Fds => off_the_workers(fds_by_kind),
        }
    }
}

/// What reads files, among them this program's debug information.
#[expect(clippy::disallowed_methods, reason = "files take their time, and no paused clock waits for them")]
fn off_the_workers(
    read: impl FnOnce() -> Option<String> + Send + 'static,
) -> BoxFuture<'static, Option<String>> {
    let reading = tokio::task::spawn_blocking(read);
    async { reading.await.ok().flatten() }.boxed()
}

fn fds_by_kind() -> Option<String> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd").ok()? {
        // One that was closed since is none any more.
        let Ok(target) = fs::read_link(entry.ok()?.path()) else { continue };
        *kinds.entry(kind(&target)).or_insert(0) += 1;
    }
    Some(by_count(kinds))
}

/// The link's text says the kind: `socket:[123]`, `pipe:[123]`, `anon_inode:[eventfd]`, or a path.
fn kind(target: &Path) -> String {
    let target = target.to_string_lossy();
    match target.split_once(':') {
        Some(("anon_inode", what)) => what.trim_matches(['[', ']']).to_owned(),
        Some((kind @ ("socket" | "pipe"), _)) => kind.to_owned(),
        _ => target.into_owned(),
    }
}

/// Fields in pages: size, resident, …
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_field_is_what_is_resident() {
        assert_eq!(resident_pages("23000 1311 900 50 0 400 0\n"), Some(1311));
        assert_eq!(resident_pages(""), None);
    }

    #[test]
    fn descriptors_are_told_apart_by_kind_and_files_by_path() {
        let kinds = ["socket:[17]", "pipe:[18]", "anon_inode:[eventpoll]", "anon_inode:inotify", "/dev/null"];
        let found = kinds.map(|target| kind(Path::new(target)));
        assert_eq!(found, ["socket", "pipe", "eventpoll", "inotify", "/dev/null"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_descriptors_within_its_limit_and_memory() {
        let vitals = ProcessVitals::start();
        let (fds, limit) = (vitals.fds().expect("/proc is there"), vitals.fds_limit().unwrap_or(u64::MAX));
        assert!((3..limit).contains(&fds), "{fds} of {limit}");
        assert!((1 << 16..1 << 40).contains(&vitals.rss_bytes().expect("/proc is there")));
    }
}
