//! The chaos proxy: real sockets, the same links and toxics as in the simulation.
//!
//! What TCP lets a proxy do, and how it is done:
//! - a connect refused by the kernel: nothing listens while a fault refuses every connect (the port stays reserved);
//!   where only some are refused (`p`), or the upstream itself refuses, the connection is accepted and reset;
//! - a connect that hears nothing: the kernel drops every SYN while a fault has every connect hang; where only some hang
//!   (`p`), and where they are to be accepted and not served, the kernel has accepted the connection, but nothing is dialled
//!   and nothing answers until the fault heals; who has hung up by then is forgotten;
//! - a RST: `SO_LINGER` 0.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chaos::door::{Door, Knock, kernel_buffer};
use crate::chaos::link::Link;
use crate::chaos::relay::{Relay, reset};
use crate::chaos::starved;
use crate::chaos::toxic::Admission;

/// A TCP proxy in front of one server. Dropping it ends it at once; [`Proxy::shutdown`] also waits for its tasks.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Arc<Link>,
    upstream: Mutex<SocketAddr>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Proxy {
    /// Listens at `listen` (port 0 for any) and hands each connection on to `upstream` over `link`. Faults at work on the
    /// link are at work on the first connection.
    ///
    /// # Errors
    /// Those of binding and listening.
    pub async fn start(listen: SocketAddr, upstream: SocketAddr, link: Arc<Link>) -> io::Result<Self> {
        let mut door = Door::reserve(listen, link.buffer_bytes())?;
        let addr = door.addr();
        door.set(link.welcome())?;
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let shared = Arc::new(Shared { link, upstream: Mutex::new(upstream), cancel, tasks });
        shared.tasks.spawn(accept(Arc::clone(&shared), door));
        Ok(Self { addr, shared })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How a client of this process gets in.
    pub fn entrance(&self) -> Entrance {
        Entrance { addr: self.addr, buffer_bytes: self.shared.link.buffer_bytes() }
    }

    /// The link it plays.
    pub fn link(&self) -> &Arc<Link> {
        &self.shared.link
    }

    /// Hands further connections on to `upstream`: a server that was started again may have another port.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Closes everything and waits until no task of it is left.
    pub async fn shutdown(self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
    }
}

/// The way into a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Entrance {
    addr: SocketAddr,
    buffer_bytes: usize,
}

impl Entrance {
    /// Connects as a client that keeps no more unread bytes than the link does: left to itself, the kernel keeps megabytes,
    /// and a client that does not read would long look like one that does.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn connect(self) -> io::Result<TcpStream> {
        dial(self.addr, self.buffer_bytes).await
    }
}

async fn accept(shared: Arc<Shared>, mut door: Door) {
    loop {
        let changed = shared.link.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        shared.receive_at(&mut door);
        loop {
            tokio::select! {
                biased;
                () = shared.cancel.cancelled() => return,
                () = &mut changed => break,
                knock = door.next() => match knock {
                    Knock::Client(client) => shared.take_in(client),
                    Knock::Unheard(count) => shared.link.unheard(count),
                    // Perhaps the door could not be opened: then it is tried again.
                    Knock::Nothing => break,
                },
            }
        }
    }
}

impl Shared {
    /// Opens, silences or shuts the door, as faults want it. A door that could not be opened is tried again.
    fn receive_at(self: &Arc<Self>, door: &mut Door) {
        let was_shut = door.is_shut();
        let accepted = door.set(self.link.welcome()).unwrap_or_default();
        if door.is_shut() && !was_shut {
            self.link.shut();
        }
        accepted.into_iter().for_each(|client| self.take_in(client));
    }

    fn take_in(self: &Arc<Self>, client: TcpStream) {
        self.tasks.spawn(serve(Arc::clone(self), client));
    }
}

async fn serve(shared: Arc<Shared>, client: TcpStream) {
    tokio::select! {
        biased;
        () = shared.cancel.cancelled() => {}
        () = play(&shared, client) => {}
    }
}

async fn play(shared: &Shared, client: TcpStream) {
    let ordinal = shared.link.next_ordinal();
    let admission = tokio::select! {
        biased;
        admission = shared.link.receive(ordinal) => admission,
        () = hung_up(&client) => return,
    };
    if admission == Admission::Refuse {
        return reset(client);
    }
    let upstream = *shared.upstream.lock().unwrap_or_else(PoisonError::into_inner);
    match dial(upstream, shared.link.buffer_bytes()).await {
        Ok(server) => {
            // Small frames must not wait for one another: delay is the toxics' business.
            _ = client.set_nodelay(true);
            _ = server.set_nodelay(true);
            Relay::new(shared.link.open(ordinal, 0), client, server).await;
        }
        Err(_) => reset(client),
    }
}

/// Connects, with kernel buffers that hold what a link's do.
pub(crate) async fn dial(upstream: SocketAddr, buffer_bytes: usize) -> io::Result<TcpStream> {
    connect(upstream, buffer_bytes).await.inspect_err(starved::note)
}

async fn connect(upstream: SocketAddr, buffer_bytes: usize) -> io::Result<TcpStream> {
    let socket = if upstream.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let bytes = u32::try_from(kernel_buffer(buffer_bytes)).unwrap_or(u32::MAX);
    socket.set_recv_buffer_size(bytes)?;
    socket.set_send_buffer_size(bytes)?;
    socket.connect(upstream).await
}

/// Resolves when the client has closed without having sent anything.
async fn hung_up(client: &TcpStream) {
    if matches!(client.peek(&mut [0]).await, Ok(1..)) {
        std::future::pending().await
    }
}
