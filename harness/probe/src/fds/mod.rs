//! The census of open file descriptors: what each is, and for sockets with whom and in which state.

use std::io;

#[cfg(feature = "serve")]
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(feature = "opens", target_os = "linux", target_env = "gnu"))]
mod opens;
#[cfg(target_os = "linux")]
mod origins;
#[cfg(target_os = "linux")]
mod sockets;

#[cfg(all(feature = "opens", target_os = "linux", target_env = "gnu"))]
pub use opens::trace_opens;
#[cfg(target_os = "linux")]
pub use origins::opened_here;

/// Remembers that the caller opened `fd`; nothing here: descriptors are not listed on this system.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn opened_here(_fd: &impl std::os::fd::AsFd) {}

/// One open file descriptor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Fd {
    /// Its number.
    pub fd: u32,
    /// What it is.
    pub kind: Kind,
    /// The inode of a socket or a pipe: the same on both of a pipe's ends, and unlike the number never used again soon.
    pub inode: Option<u64>,
    /// The path of a file.
    pub path: Option<String>,
    /// `tcp`, `udp` or `unix`, for sockets of these families.
    #[cfg_attr(feature = "serve", serde(default))]
    pub protocol: Option<String>,
    /// The near address of a TCP or UDP socket; the path of a Unix one that is bound.
    pub local: Option<String>,
    /// The far address of a TCP socket.
    pub peer: Option<String>,
    /// The state of a TCP or Unix socket as `ss` prints it: `ESTAB`, `CLOSE-WAIT`, …
    pub state: Option<String>,
    /// `file:line` of the code that opened it, where that said so by [`opened_here`].
    #[cfg_attr(feature = "serve", serde(default))]
    pub opened_at: Option<String>,
}

/// What a file descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// A socket of any family.
    Socket,
    /// Either end of a pipe.
    Pipe,
    /// A file, directory or device with a path.
    File,
    /// An eventfd.
    EventFd,
    /// An epoll instance.
    Epoll,
    /// A timerfd.
    Timer,
    /// Any other anonymous inode: inotify, signalfd, io_uring, …
    Anonymous,
}

impl Fd {
    /// What, with whom and in which state, in words that are the same from run to run: `tcp to 127.0.0.1:102, CLOSE-WAIT`.
    ///
    /// Ports that the system hands out are a `*`; the near address is told where others know it, as a listener's.
    pub fn describe(&self) -> String {
        let mut text = self.what();
        let local = self.local.as_deref().map(without_handed_out_port);
        let peer = self.peer.as_deref().map(without_handed_out_port);
        let known = |address: &&String| !address.ends_with(":*");
        if let Some(local) = local.as_ref().filter(|local| known(local) || peer.is_none()) {
            text += &format!(" at {local}");
        }
        if let Some(peer) = peer {
            let called_us = peer.ends_with(":*") && local.as_ref().is_some_and(|local| known(&local));
            text += &format!(" {} {peer}", if called_us { "from" } else { "to" });
        }
        self.state.iter().fold(text, |text, state| format!("{text}, {state}"))
    }

    fn what(&self) -> String {
        let path = self.path.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Socket => self.protocol.as_deref().map_or("socket", |protocol| match protocol {
                "unix" => "unix socket",
                other => other,
            }),
            Kind::Pipe => "pipe",
            Kind::File => return format!("file {path}"),
            Kind::EventFd => "eventfd",
            Kind::Epoll => "epoll",
            Kind::Timer => "timerfd",
            Kind::Anonymous => path.trim_start_matches("anon_inode:").trim_matches(['[', ']']),
        }
        .to_owned()
    }
}

/// Ports from here on are handed out by the system and differ from connection to connection. Source: Linux,
/// `net.ipv4.ip_local_port_range`.
const HANDED_OUT_FROM: u16 = 32_768;

fn without_handed_out_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse().is_ok_and(|port: u16| port >= HANDED_OUT_FROM) => {
            format!("{host}:*")
        }
        _ => address.to_owned(),
    }
}

/// Every open file descriptor of `pid`, or of this process, by number; at most [`FDS_MAX`].
pub fn census(pid: Option<u32>) -> io::Result<Vec<Fd>> {
    #[cfg(target_os = "linux")]
    return linux::census(pid);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// How many file descriptors `pid`, or this process, has open.
pub fn count(pid: Option<u32>) -> io::Result<u64> {
    #[cfg(target_os = "linux")]
    return linux::count(pid);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// File descriptors listed one by one; a process with more is still counted right.
pub const FDS_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn fd(kind: Kind) -> Fd {
        Fd {
            fd: 7,
            kind,
            inode: None,
            path: None,
            protocol: None,
            local: None,
            peer: None,
            state: None,
            opened_at: None,
        }
    }

    fn socket(protocol: &str, local: &str, peer: &str, state: &str) -> String {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (protocol, state) = (some(protocol), some(state));
        Fd { protocol, local: some(local), peer: some(peer), state, ..fd(Kind::Socket) }.describe()
    }

    #[test]
    fn a_socket_is_described_by_protocol_peer_and_state() {
        let called = socket("tcp", "127.0.0.1:49152", "127.0.0.1:102", "CLOSE-WAIT");
        assert_eq!(called, "tcp to 127.0.0.1:102, CLOSE-WAIT");
        let caller = socket("tcp", "127.0.0.1:8080", "127.0.0.1:49152", "ESTAB");
        assert_eq!(caller, "tcp at 127.0.0.1:8080 from 127.0.0.1:*, ESTAB");
        assert_eq!(socket("tcp", "[::1]:102", "", "LISTEN"), "tcp at [::1]:102, LISTEN");
        let both = socket("tcp", "127.0.0.1:49152", "127.0.0.1:49153", "ESTAB");
        assert_eq!(both, "tcp to 127.0.0.1:*, ESTAB");
        assert_eq!(socket("udp", "0.0.0.0:53", "", ""), "udp at 0.0.0.0:53");
        assert_eq!(socket("unix", "/run/x.sock", "", "LISTEN"), "unix socket at /run/x.sock, LISTEN");
        assert_eq!(socket("unix", "", "", "ESTAB"), "unix socket, ESTAB");
        assert_eq!(socket("", "", "", ""), "socket");
    }

    #[test]
    fn anything_else_is_described_by_its_kind_and_path() {
        let with = |kind, path: &str| Fd { path: Some(path.to_owned()), ..fd(kind) }.describe();
        assert_eq!(with(Kind::File, "/dev/null"), "file /dev/null");
        assert_eq!(with(Kind::Anonymous, "anon_inode:[io_uring]"), "io_uring");
        assert_eq!(with(Kind::Anonymous, "anon_inode:inotify"), "inotify");
        assert_eq!(fd(Kind::EventFd).describe(), "eventfd");
        assert_eq!(fd(Kind::Pipe).describe(), "pipe");
    }
}
