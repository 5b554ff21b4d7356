//! The way into a proxy: a port that stays ours, and is open, silent or shut as faults want it.
//!
//! - shut: nothing listens, so the kernel refuses (a keeper that is bound and never listens holds the port);
//! - silent: the accept queue is made one place long and a connection of our own sits in it, so the kernel drops every SYN,
//!   as a router does that has lost its way. Whoever still tries when the door opens gets in with a later SYN.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt as _;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::chaos::starved;

/// Connections that the kernel lets wait to be accepted.
const BACKLOG: i32 = 1024;

/// The least that a kernel buffer is asked to hold.
const KERNEL_BUFFER_MIN: usize = 8 * 1024;

/// How long an accept that failed (no descriptors left) waits before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// How often a silent door looks how many connects the kernel has dropped.
const DROPS_EVERY: Duration = Duration::from_millis(20);

/// How a link receives who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Welcome {
    /// It listens.
    Open,
    /// It hears nothing.
    Silent,
    /// It refuses.
    Refused,
}

/// What happened at the door.
#[derive(Debug)]
pub(super) enum Knock {
    /// Somebody came in.
    Client(TcpStream),
    /// So many connects were dropped without an answer.
    Unheard(u64),
    /// Nothing worth telling; knock again.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Door {
    addr: SocketAddr,
    buffer_bytes: usize,
    _keeper: Socket,
    state: State,
    /// The address of the last connection of our own, which may still wait to be accepted.
    own: Option<SocketAddr>,
}

#[derive(Debug)]
enum State {
    /// Nothing listens; `wanted` where that is because listening failed.
    Shut {
        wanted: bool,
    },
    Open(TcpListener),
    Silent {
        listener: TcpListener,
        _plug: Socket,
        dropped: u64,
    },
}

impl Door {
    /// Takes the port, and does not listen yet. What is connected through it keeps about `buffer_bytes` in the kernel.
    pub(super) fn reserve(listen: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let keeper = Socket::new(Domain::for_address(listen), Type::STREAM, None)?;
        keeper.set_reuse_address(true)?;
        keeper.bind(&listen.into())?;
        let addr = keeper.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { addr, buffer_bytes, _keeper: keeper, state: State::Shut { wanted: false }, own: None })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether nothing listens, and nothing should.
    pub(super) fn is_shut(&self) -> bool {
        matches!(self.state, State::Shut { wanted: false })
    }

    /// Receives as `welcome` says from now on. Returns who had been accepted before the door fell silent.
    ///
    /// # Errors
    /// Those of listening; then nothing listens.
    pub(super) fn set(&mut self, welcome: Welcome) -> io::Result<Vec<TcpStream>> {
        let before = std::mem::replace(&mut self.state, State::Shut { wanted: welcome != Welcome::Refused });
        match (welcome, before) {
            (Welcome::Refused, _) => {}
            (Welcome::Open, State::Open(listener)) => self.state = State::Open(listener),
            (Welcome::Open, State::Silent { listener, .. }) => {
                SockRef::from(&listener).listen(BACKLOG)?;
                self.state = State::Open(listener);
            }
            (Welcome::Open, State::Shut { .. }) => self.state = State::Open(self.listener()?),
            (Welcome::Silent, silent @ State::Silent { .. }) => self.state = silent,
            (Welcome::Silent, State::Open(listener)) => return self.silence(listener),
            (Welcome::Silent, State::Shut { .. }) => return self.silence(self.listener()?),
        }
        Ok(Vec::new())
    }

    fn listener(&self) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(self.addr), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit them; set later, the first would come after the window was announced.
        socket.set_recv_buffer_size(kernel_buffer(self.buffer_bytes))?;
        socket.set_send_buffer_size(kernel_buffer(self.buffer_bytes))?;
        socket.bind(&self.addr.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    fn silence(&mut self, listener: TcpListener) -> io::Result<Vec<TcpStream>> {
        SockRef::from(&listener).listen(0)?;
        let mut accepted = Vec::new();
        while let Some(Ok((client, from))) = listener.accept().now_or_never() {
            if Some(from) != self.own {
                accepted.push(client);
            }
        }
        let plug = Socket::new(Domain::for_address(self.addr), Type::STREAM, None)?;
        plug.set_nonblocking(true)?;
        // On its way, or there already: the accept queue is full either way, with this or with whoever was faster.
        _ = plug.connect(&self.addr.into());
        self.own = plug.local_addr()?.as_socket();
        self.state = State::Silent { listener, _plug: plug, dropped: connects_dropped() };
        Ok(accepted)
    }

    /// What happens next. Cancel safe.
    pub(super) async fn next(&mut self) -> Knock {
        match &mut self.state {
            State::Shut { wanted: false } => std::future::pending().await,
            State::Shut { wanted: true } => {
                tokio::time::sleep(ACCEPT_RETRY).await;
                Knock::Nothing
            }
            State::Open(listener) => match listener.accept().await {
                Ok((_, from)) if Some(from) == self.own => {
                    self.own = None;
                    Knock::Nothing
                }
                Ok((client, _)) => Knock::Client(client),
                Err(error) => {
                    starved::note(&error);
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    Knock::Nothing
                }
            },
            State::Silent { dropped, .. } => {
                tokio::time::sleep(DROPS_EVERY).await;
                let before = std::mem::replace(dropped, connects_dropped());
                Knock::Unheard(dropped.saturating_sub(before))
            }
        }
    }
}

/// What to ask of the kernel where a link's buffer holds `bytes`.
pub(super) fn kernel_buffer(bytes: usize) -> usize {
    bytes.max(KERNEL_BUFFER_MIN)
}

/// Connects that this machine's kernel has dropped since it started because a listener had no room; 0 where it does not
/// say. It counts all listeners together, and one that is not silenced drops next to none.
fn connects_dropped() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, counts) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut pairs = names.split_whitespace().zip(counts.split_whitespace());
    pairs.find(|(name, _)| *name == "ListenDrops").and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}
