//! The chaos proxy: real sockets, the same links and toxics as in the simulation.
//!
//! What TCP lets a proxy do, and how it is done:
//! - a connect refused by the kernel: nothing listens while a fault refuses every connect (the port stays reserved);
//!   where only some are refused (`p`), or the upstream itself refuses, the connection is accepted and reset;
//! - a connect that hears nothing: the kernel has accepted it, but nothing is dialled and nothing answers until the
//!   fault heals; who has hung up by then is forgotten;
//! - a RST: `SO_LINGER` 0.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chaos::link::Link;
use crate::chaos::relay::{Relay, reset};
use crate::chaos::starved;
use crate::chaos::toxic::Admission;

/// Connections that the kernel lets wait to be accepted.
const BACKLOG: i32 = 1024;

/// The least that a kernel buffer is asked to hold.
const KERNEL_BUFFER_MIN: usize = 8 * 1024;

/// Memory of one direction of a connection at rest: what one read from a busy socket brings.
const REST_BYTES: usize = 32 * 1024;

/// How long an accept that failed (no descriptors left) waits before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

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
        let door = Door::reserve(listen, link.buffer_bytes())?;
        let addr = door.addr;
        let listener = if link.refuses_all() { None } else { Some(door.open()?) };
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let shared = Arc::new(Shared { link, upstream: Mutex::new(upstream), cancel, tasks });
        shared.tasks.spawn(accept(Arc::clone(&shared), door, listener));
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

/// A port that stays ours while nothing listens on it.
///
/// The keeper is bound and never listens: a connect then finds no listener and is refused by the kernel, and the port is
/// given to nobody else.
#[derive(Debug)]
struct Door {
    addr: SocketAddr,
    buffer_bytes: usize,
    _keeper: Socket,
}

impl Door {
    fn reserve(listen: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let keeper = Socket::new(Domain::for_address(listen), Type::STREAM, None)?;
        keeper.set_reuse_address(true)?;
        keeper.bind(&listen.into())?;
        let addr = keeper.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { addr, buffer_bytes, _keeper: keeper })
    }

    fn open(&self) -> io::Result<TcpListener> {
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
}

async fn accept(shared: Arc<Shared>, door: Door, mut listener: Option<TcpListener>) {
    loop {
        let changed = shared.link.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if shared.link.refuses_all() {
            if listener.take().is_some() {
                shared.link.shut();
            }
        } else if listener.is_none() {
            listener = door.open().ok();
        }
        tokio::select! {
            biased;
            () = shared.cancel.cancelled() => return,
            () = changed => {}
            client = next_client(listener.as_ref()) => {
                if let Some(client) = client {
                    shared.tasks.spawn(serve(Arc::clone(&shared), client));
                }
            }
        }
    }
}

/// The next client; `None` if none could be accepted just now. Never, while the link refuses all.
async fn next_client(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        None => std::future::pending().await,
        Some(listener) => match listener.accept().await {
            Ok((client, _)) => Some(client),
            Err(error) => {
                starved::note(&error);
                tokio::time::sleep(ACCEPT_RETRY).await;
                None
            }
        },
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
        admission = shared.link.admit(ordinal) => admission,
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
            Relay::new(shared.link.open(ordinal, REST_BYTES), client, server).await;
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

/// What to ask of the kernel where a link's buffer holds `bytes`.
fn kernel_buffer(bytes: usize) -> usize {
    bytes.max(KERNEL_BUFFER_MIN)
}

/// Resolves when the client has closed without having sent anything.
async fn hung_up(client: &TcpStream) {
    if matches!(client.peek(&mut [0]).await, Ok(1..)) {
        std::future::pending().await
    }
}
