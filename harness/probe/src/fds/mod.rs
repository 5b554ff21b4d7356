//! The census of open file descriptors: what each is, and for sockets with whom and in which state.

use std::io;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod origins;
#[cfg(target_os = "linux")]
mod sockets;

#[cfg(target_os = "linux")]
pub use origins::opened_here;

/// One open file descriptor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fd {
    /// Its number.
    pub fd: u32,
    /// What it is.
    pub kind: Kind,
    /// The inode of a socket or a pipe: the same on both of a pipe's ends, and unlike the number never used again soon.
    pub inode: Option<u64>,
    /// The path of a file.
    pub path: Option<String>,
    /// The near address of a TCP or UDP socket.
    pub local: Option<String>,
    /// The far address of a TCP socket.
    pub peer: Option<String>,
    /// The state of a TCP socket as `ss` prints it: `ESTAB`, `CLOSE-WAIT`, …
    pub tcp_state: Option<String>,
    /// `file:line` of the code that opened it, where that said so by [`opened_here`].
    #[serde(default)]
    pub opened_at: Option<String>,
}

/// What a file descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// What and with whom, without numbers that differ from run to run: `socket 127.0.0.1:102 ESTAB`.
    pub fn describe(&self) -> String {
        let kind = match self.kind {
            Kind::Socket => "socket",
            Kind::Pipe => "pipe",
            Kind::File => "file",
            Kind::EventFd => "eventfd",
            Kind::Epoll => "epoll",
            Kind::Timer => "timerfd",
            Kind::Anonymous => "anonymous inode",
        };
        let rest = [&self.path, &self.peer, &self.tcp_state].into_iter().flatten();
        rest.fold(kind.to_owned(), |text, part| format!("{text} {part}"))
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
