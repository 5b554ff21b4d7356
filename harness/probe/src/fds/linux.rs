//! File descriptors from `/proc/PID/fd`. Source: proc_pid_fd(5).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::origins;
use super::sockets::{self, Sockets};
use super::{FDS_MAX, Fd, Kind};
use crate::Tenant;

pub(super) fn count(pid: Option<u32>) -> io::Result<u64> {
    let _probe = Tenant::PROBE.enter();
    let listed = fs::read_dir(folder(pid).join("fd"))?.count() as u64;
    Ok(listed - u64::from(is_self(pid)))
}

pub(super) fn census(pid: Option<u32>) -> io::Result<Vec<Fd>> {
    let _probe = Tenant::PROBE.enter();
    let folder = folder(pid);
    let numbers = numbers(&folder.join("fd"))?;
    let sockets = sockets::read(&folder);
    let mut fds: Vec<_> = numbers
        .into_iter()
        .filter_map(|number| {
            // An fd that was closed since is no fd any more.
            let target = fs::read_link(folder.join(format!("fd/{number}"))).ok()?;
            let opened_at = if is_self(pid) { opened_at(number, &target) } else { None };
            Some(Fd { opened_at, ..fd(number, &target, &sockets) })
        })
        .collect();
    fds.sort();
    Ok(fds)
}

/// The line that opened a descriptor of this process: as it was told, or as it was seen.
fn opened_at(number: u32, target: &Path) -> Option<String> {
    let told = origins::of(number, target);
    #[cfg(all(feature = "opens", target_env = "gnu"))]
    let told = told.or_else(|| super::opens::line(number));
    told
}

/// Listed to the end before any link is read: then the fd that reads the folder is closed, and its link gone.
fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)?.take(FDS_MAX) {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

fn folder(pid: Option<u32>) -> PathBuf {
    match pid {
        Some(pid) => PathBuf::from(format!("/proc/{pid}")),
        None => PathBuf::from("/proc/self"),
    }
}

/// Reading its own folder opens one fd more.
fn is_self(pid: Option<u32>) -> bool {
    pid.is_none_or(|pid| pid == std::process::id())
}

fn fd(number: u32, target: &Path, sockets: &Sockets) -> Fd {
    let target = target.to_string_lossy();
    let (kind, inode) = classify(&target);
    let socket = inode.filter(|_| kind == Kind::Socket).and_then(|inode| sockets.get(&inode));
    Fd {
        fd: number,
        kind,
        inode,
        path: (kind == Kind::File || kind == Kind::Anonymous).then(|| target.into_owned()),
        protocol: socket.map(|socket| socket.protocol.to_owned()),
        local: socket.and_then(|socket| socket.local.clone()),
        peer: socket.and_then(|socket| socket.peer.clone()),
        state: socket.and_then(|socket| socket.state).map(str::to_owned),
        opened_at: None,
    }
}

/// The link's text says the kind: `socket:[123]`, `pipe:[123]`, `anon_inode:[eventfd]`, or a path.
fn classify(target: &str) -> (Kind, Option<u64>) {
    let inode = |prefix: &str| target.strip_prefix(prefix)?.strip_suffix(']')?.parse().ok();
    match target {
        "anon_inode:[eventfd]" => (Kind::EventFd, None),
        "anon_inode:[eventpoll]" => (Kind::Epoll, None),
        "anon_inode:[timerfd]" => (Kind::Timer, None),
        _ if target.starts_with("anon_inode:") => (Kind::Anonymous, None),
        _ if target.starts_with("socket:[") => (Kind::Socket, inode("socket:[")),
        _ if target.starts_with("pipe:[") => (Kind::Pipe, inode("pipe:[")),
        _ => (Kind::File, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_text_tells_the_kind() {
        assert_eq!(classify("socket:[4711]"), (Kind::Socket, Some(4711)));
        assert_eq!(classify("pipe:[4712]"), (Kind::Pipe, Some(4712)));
        assert_eq!(classify("anon_inode:[eventpoll]"), (Kind::Epoll, None));
        assert_eq!(classify("anon_inode:inotify"), (Kind::Anonymous, None));
        assert_eq!(classify("/dev/null"), (Kind::File, None));
    }
}
