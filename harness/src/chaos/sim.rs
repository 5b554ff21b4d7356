//! The simulated network: byte streams in memory under tokio's paused clock.
//!
//! Event-driven inside the stream: nobody pumps, nothing ticks, and a parked reader or writer has at most one timer. So
//! the clock jumps from one thing that happens to the next.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::chaos::conn::{Conn, Step};
use crate::chaos::lane::{Entry, Lane};
use crate::chaos::link::{Link, LinkStats};
use crate::chaos::reception::Reception;
use crate::chaos::timer::Timer;
use crate::chaos::toxic::{Admission, Side};
use crate::scenario::model::LinkSpec;

/// Connections that a listener lets wait to be accepted, as a kernel's backlog; further connects wait.
pub const BACKLOG: usize = 128;

/// Memory of one direction of a connection at rest: several frames of a typical request and answer.
const REST_BYTES: usize = 1024;

/// The network of one simulated world. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct SimNet {
    shared: Arc<Mutex<Net>>,
}

#[derive(Debug, Default)]
struct Net {
    links: BTreeMap<String, Arc<Link>>,
    listeners: BTreeMap<String, Arc<Backlog>>,
    sockets: Vec<(u64, SimSocket, Option<End>)>,
    next_socket: u64,
}

/// The end of a connection that a socket is.
type End = (Weak<Conn>, Side);

/// One open socket of a simulated party: what a file descriptor is to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimSocket {
    /// Whose it is.
    pub owner: Arc<str>,
    /// The address listened at, or the far end's.
    pub peer: Arc<str>,
    /// The link and the connection's ordinal on it; `None` for a listener.
    pub connection: Option<(Arc<str>, u64)>,
    /// As `ss` prints it: `LISTEN`, `ESTAB`, `CLOSE-WAIT`; `half-open` where a fault has taken the other end.
    pub state: &'static str,
}

impl fmt::Display for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.connection.is_none() { "at" } else { "to" };
        write!(f, "sim tcp {word} {}, {}", self.peer, self.state)
    }
}

impl SimNet {
    /// A network without links.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the link `name`, or gives back the one that exists. `peer` is the side at which the peer of that name sits.
    pub fn link(&self, name: &str, spec: &LinkSpec, peer: Side) -> Arc<Link> {
        let mut net = self.lock();
        Arc::clone(net.links.entry(name.to_owned()).or_insert_with(|| Link::new(name, spec, peer)))
    }

    /// The link `name`, if it has been made.
    pub fn find_link(&self, name: &str) -> Option<Arc<Link>> {
        self.lock().links.get(name).cloned()
    }

    /// The figures of every link, by name.
    pub fn stats(&self) -> BTreeMap<String, LinkStats> {
        self.lock().links.iter().map(|(name, link)| (name.clone(), link.stats())).collect()
    }

    /// Listens at `addr` on behalf of `owner`.
    ///
    /// # Errors
    /// `AddrInUse` if somebody does already.
    pub fn listen(&self, owner: &str, addr: &str) -> io::Result<SimListener> {
        let mut net = self.lock();
        if net.listeners.contains_key(addr) {
            let message = format!("`{addr}` is in use in the simulated network; listen at another name");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
        }
        let backlog = Arc::new(Backlog::default());
        net.listeners.insert(addr.to_owned(), Arc::clone(&backlog));
        let addr: Arc<str> = addr.into();
        let owner: Arc<str> = owner.into();
        let listening =
            SimSocket { owner: owner.clone(), peer: addr.clone(), connection: None, state: "LISTEN" };
        let socket = net.register(listening, None);
        Ok(SimListener { net: self.clone(), owner, addr, backlog, socket })
    }

    /// Whether somebody listens at `addr`.
    pub fn is_listening(&self, addr: &str) -> bool {
        self.lock().listeners.contains_key(addr)
    }

    /// Connects over `link` to whoever listens at `addr`, on behalf of `owner`.
    ///
    /// Takes a round trip of the link's latency. Resolves once the connection waits to be accepted, as TCP's does. A
    /// connect that is dropped leaves nothing behind.
    ///
    /// # Errors
    /// `ConnectionRefused` if nobody listens or a fault refuses. Under a black hole it waits until that heals.
    pub async fn connect(&self, owner: &str, link: &Arc<Link>, addr: &str) -> io::Result<SimStream> {
        let ordinal = link.next_ordinal();
        if link.admit(ordinal).await == Admission::Refuse {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let round_trip = link.base_latency() * 2;
        if round_trip > Duration::ZERO {
            tokio::time::sleep(round_trip).await;
            if link.admit(ordinal).await == Admission::Refuse {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
        }
        loop {
            let backlog = self.lock().listeners.get(addr).cloned();
            let backlog = backlog.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            let room = backlog.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if backlog.has_room() {
                return self.establish(owner, link, addr, ordinal, &backlog);
            }
            room.await;
        }
    }

    fn establish(
        &self,
        owner: &str,
        link: &Arc<Link>,
        addr: &str,
        ordinal: u64,
        backlog: &Backlog,
    ) -> io::Result<SimStream> {
        let conn = link.open(ordinal, REST_BYTES);
        link.count_if_waiting(ordinal);
        let (owner, addr): (Arc<str>, Arc<str>) = (owner.into(), addr.into());
        let server_owner = backlog.owner(self, &addr).unwrap_or_else(|| addr.clone());
        let client = self.stream(&conn, Side::Client, owner.clone(), addr);
        let server = self.stream(&conn, Side::Server, server_owner, owner);
        backlog.push(server);
        Ok(client)
    }

    fn stream(&self, conn: &Arc<Conn>, side: Side, owner: Arc<str>, peer: Arc<str>) -> SimStream {
        let connection = Some((conn.link().shared_name(), conn.ordinal()));
        let connected = SimSocket { owner, peer, connection, state: "ESTAB" };
        let socket = self.lock().register(connected, Some((Arc::downgrade(conn), side)));
        SimStream {
            net: self.clone(),
            conn: Arc::clone(conn),
            side,
            socket,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// How many sockets `owner` holds, listeners included.
    pub fn sockets_of(&self, owner: &str) -> usize {
        self.lock().sockets.iter().filter(|(_, socket, _)| &*socket.owner == owner).count()
    }

    /// The sockets `owner` holds, in the order in which they were opened.
    pub fn open_endpoints(&self, owner: &str) -> Vec<SimSocket> {
        let net = self.lock();
        let owned = net.sockets.iter().filter(|(_, socket, _)| &*socket.owner == owner);
        let now = |(socket, end): (&SimSocket, &Option<End>)| {
            let conn = end.as_ref().and_then(|(conn, side)| Some((conn.upgrade()?, *side)));
            let state = conn.map_or(socket.state, |(conn, side)| conn.state_at(side));
            SimSocket { state, ..socket.clone() }
        };
        owned.map(|(_, socket, end)| now((socket, end))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Net> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net {
    fn register(&mut self, socket: SimSocket, end: Option<End>) -> u64 {
        self.next_socket += 1;
        self.sockets.push((self.next_socket, socket, end));
        self.next_socket
    }

    fn unregister(&mut self, id: u64) -> Option<(SimSocket, Option<End>)> {
        let at = self.sockets.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
        let (_, socket, end) = self.sockets.remove(at);
        Some((socket, end))
    }
}

/// Connections that wait to be accepted.
#[derive(Debug, Default)]
struct Backlog {
    waiting: Mutex<Waiting>,
    room: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    streams: VecDeque<SimStream>,
    acceptor: Option<Waker>,
    timer: Timer,
}

impl Waiting {
    /// Takes the first stream that its acceptor may hear of; else when to look again, unless something changes before.
    fn take(&mut self, waker: &Waker) -> Result<SimStream, Option<Instant>> {
        let mut again: Option<Instant> = None;
        for at in 0..self.streams.len() {
            let conn = &self.streams[at].conn;
            match conn.link().reception(conn.ordinal(), conn.opened(), Some(waker)) {
                Reception::Now => return Ok(self.streams.remove(at).expect("it was just looked at")),
                Reception::Later(when) => again = [again, when].into_iter().flatten().min(),
            }
        }
        Err(again)
    }
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        self.lock().streams.len() < BACKLOG
    }

    fn owner(&self, net: &SimNet, addr: &str) -> Option<Arc<str>> {
        let net = net.lock();
        let mut sockets = net.sockets.iter().map(|(_, socket, _)| socket);
        let listener = sockets.find(|socket| socket.connection.is_none() && &*socket.peer == addr);
        listener.map(|socket| socket.owner.clone())
    }

    fn push(&self, stream: SimStream) {
        let mut waiting = self.lock();
        waiting.streams.push_back(stream);
        let acceptor = waiting.acceptor.take();
        drop(waiting);
        acceptor.into_iter().for_each(Waker::wake);
    }
}

/// Accepts simulated connections. Dropping it resets those that were not accepted.
#[derive(Debug)]
pub struct SimListener {
    net: SimNet,
    owner: Arc<str>,
    addr: Arc<str>,
    backlog: Arc<Backlog>,
    socket: u64,
}

impl SimListener {
    /// The name it listens at.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Whose listener it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The next connection. Cancel safe: a connection that was not returned is still there.
    ///
    /// # Errors
    /// None today; the type leaves room for a fault that exhausts descriptors.
    pub async fn accept(&self) -> io::Result<SimStream> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`SimListener::accept`]; the last caller is woken.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<SimStream>> {
        let mut waiting = self.backlog.lock();
        loop {
            let again = match waiting.take(cx.waker()) {
                Ok(stream) => {
                    drop(waiting);
                    self.backlog.room.notify_one();
                    return Poll::Ready(Ok(stream));
                }
                Err(again) => again,
            };
            waiting.acceptor = Some(cx.waker().clone());
            match again {
                Some(at) => ready!(waiting.timer.poll(at, cx)),
                None => return Poll::Pending,
            }
        }
    }
}

impl tokio_util::net::Listener for SimListener {
    type Io = SimStream;
    /// Who connects: the link and the connection's ordinal on it; of the listener, the name it listens at.
    type Addr = String;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(SimStream, String)>> {
        let stream = ready!(SimListener::poll_accept(self, cx))?;
        let from = format!("{} {}", stream.conn.link().name(), stream.ordinal());
        Poll::Ready(Ok((stream, from)))
    }

    fn local_addr(&self) -> io::Result<String> {
        Ok(self.addr().to_owned())
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut net = self.net.lock();
        net.listeners.remove(&*self.addr);
        let socket = net.unregister(self.socket);
        drop(net);
        drop(socket);
        let unaccepted = std::mem::take(&mut self.backlog.lock().streams);
        unaccepted.into_iter().for_each(SimStream::abort);
        self.backlog.room.notify_waiters();
    }
}

/// One end of a simulated connection. Dropping it closes it, as a process closes its socket.
pub struct SimStream {
    net: SimNet,
    conn: Arc<Conn>,
    side: Side,
    socket: u64,
    read_timer: Timer,
    write_timer: Timer,
}

impl SimStream {
    /// The connection's ordinal on its link.
    pub fn ordinal(&self) -> u64 {
        self.conn.ordinal()
    }

    /// Ends the connection with a RST to the far end.
    pub fn abort(self) {
        self.conn.reset_from(self.side);
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let into = buf.initialize_unfilled();
            if into.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match this.conn.read_with(this.side, cx, |lane, allowed| Ok(lane.take(into, allowed))) {
                Step::Ready(result) => return Poll::Ready(result.map(|count| buf.advance(count))),
                Step::Park(None) => return Poll::Pending,
                Step::Park(Some(at)) => ready!(this.read_timer.poll(at, cx)),
            }
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            let put = |lane: Option<&mut Lane>, now| {
                Ok(lane.map_or(Entry { taken: data.len(), ..Entry::default() }, |lane| lane.push(data, now)))
            };
            match this.conn.write_with(this.side, cx, put) {
                Step::Ready(result) => return Poll::Ready(result),
                Step::Park(None) => return Poll::Pending,
                Step::Park(Some(at)) => ready!(this.write_timer.poll(at, cx)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.conn.shutdown(self.side))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.conn.drop_end(self.side);
        let socket = self.net.lock().unregister(self.socket);
        drop(socket);
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = self.conn.link().name();
        f.debug_struct("SimStream")
            .field("link", &link)
            .field("ordinal", &self.ordinal())
            .field("side", &self.side)
            .finish()
    }
}
