//! Open descriptors by number and what they refer to, and which of them belong to other tests' runtimes.
//!
//! A descriptor belongs to the process. But each runtime has an epoll of its own, and the kernel lists what that watches: so the
//! sockets of a test's neighbours can be told from its own. Files cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use watertight_probe::Tenant;

/// What is open: by number, what it refers to.
pub(super) type Open = BTreeMap<u32, String>;

/// Every descriptor of this process but those by which somebody looks at it; `None`: the platform does not list them.
pub(super) fn open() -> Option<Open> {
    let listed = std::fs::read_dir("/proc/self/fd").ok()?;
    let numbers: Vec<u32> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let target = |number: &u32| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
    let open =
        numbers.iter().filter_map(|number| Some((*number, target(number)?.to_string_lossy().into_owned())));
    Some(open.filter(|(_, target)| !is_a_look(target)).collect())
}

/// Other tests look at this process, too.
fn is_a_look(target: &str) -> bool {
    target.starts_with("/proc/")
        && ["/fd", "/task", "/comm", "/fdinfo"].iter().any(|part| target.contains(part))
}

/// What of `now` was not in `before`.
pub(super) fn new_in(now: &Open, before: &Open) -> Open {
    let is_new = |(number, target): &(&u32, &String)| before.get(number) != Some(target);
    now.iter().filter(is_new).map(|(number, target)| (*number, target.clone())).collect()
}

/// A runtime's own descriptors, known to the tests beside it until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    number: u64,
}

impl Claim {
    /// Runs `build`, and claims the epoll that it makes. More of them: somebody else built at the same time, and nothing is claimed.
    pub(super) fn of<T>(build: impl FnOnce() -> T) -> (T, Self) {
        let mut claims = claims();
        let before = open().unwrap_or_default();
        let built = build();
        let made = new_in(&open().unwrap_or_default(), &before);
        let epolls: Vec<u32> =
            made.iter().filter(|(_, target)| target.as_str() == EPOLL).map(|(number, _)| *number).collect();
        claims.made += 1;
        let number = claims.made;
        if epolls.len() <= EPOLLS_OF_A_RUNTIME {
            claims.epolls.insert(number, epolls);
        }
        (built, Self { number })
    }

    /// Takes out of `candidates` what runtimes of other tests own or watch.
    pub(super) fn without_others(&self, mut candidates: Open) -> Open {
        if candidates.is_empty() {
            return candidates;
        }
        let claims = claims();
        let others = claims.epolls.iter().filter(|(number, _)| **number != self.number);
        let theirs: BTreeSet<u32> =
            others.flat_map(|(_, epolls)| epolls).flat_map(|epoll| watched_by(*epoll)).collect();
        candidates.retain(|number, _| !theirs.contains(number));
        candidates
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _probe = Tenant::PROBE.enter();
        claims().epolls.remove(&self.number);
    }
}

/// An epoll, and what it watches. Source: proc_pid_fdinfo(5), `tfd:`.
fn watched_by(epoll: u32) -> BTreeSet<u32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap_or_default();
    let watched =
        info.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok());
    watched.chain([epoll]).collect()
}

struct Claims {
    made: u64,
    epolls: BTreeMap<u64, Vec<u32>>,
}

fn claims() -> MutexGuard<'static, Claims> {
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one that waits, and its duplicate by which sockets are registered.
const EPOLLS_OF_A_RUNTIME: usize = 2;
const EPOLL: &str = "anon_inode:[eventpoll]";

static CLAIMS: Mutex<Claims> = Mutex::new(Claims { made: 0, epolls: BTreeMap::new() });
