//! One proxied connection: two sockets as the two ends of a [`Conn`], in one task.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::chaos::conn::{Conn, Step, Way};
use crate::chaos::lane::{Entry, Lane};
use crate::chaos::timer::Timer;
use crate::chaos::toxic::{Cut, Side};

/// Closes a socket with a RST.
pub(super) fn reset(socket: TcpStream) {
    _ = socket.set_zero_linger();
    drop(socket);
}

/// Relays until both ends are done. Dropped before, it closes both sockets.
#[derive(Debug)]
pub(super) struct Relay {
    conn: Arc<Conn>,
    /// Client, server.
    ends: [Socket; 2],
}

#[derive(Debug)]
struct Socket {
    side: Side,
    /// `None` once it is closed.
    stream: Option<TcpStream>,
    /// Nothing more comes from it.
    in_done: bool,
    /// It was read to its end: nothing lies in the kernel's buffer.
    read_out: bool,
    /// Nothing more goes to it.
    out_done: bool,
    read_timer: Timer,
    write_timer: Timer,
}

impl Relay {
    pub(super) fn new(conn: Arc<Conn>, client: TcpStream, server: TcpStream) -> Self {
        Self { conn, ends: [Socket::new(Side::Client, client), Socket::new(Side::Server, server)] }
    }

    /// Carries what `side` writes, past the lane while nothing else plays a part, through it otherwise.
    fn carry(&mut self, side: Side, cx: &mut Context<'_>) {
        let [client, server] = &mut self.ends;
        let (from, to) = if side == Side::Client { (client, server) } else { (server, client) };
        // What is left in the lane goes first, and then the way past it is free again.
        let mut was_tried = false;
        loop {
            match pass(&self.conn, from, to, cx) {
                Way::Past(Passed::Some) => was_tried = false,
                Way::Past(Passed::Dry) => return,
                Way::Past(Passed::TornAt(end)) => {
                    return if end == side { from } else { to }.torn(&self.conn);
                }
                Way::Past(Passed::End) => {
                    (from.in_done, from.read_out) = (true, true);
                    _ = self.conn.shutdown(side);
                }
                Way::Behind if was_tried => return,
                // Reading goes on meanwhile: a link that waited for each write would leave both kernel buffers idle by turns.
                Way::Behind => {
                    was_tried = true;
                    _ = from.pump_in(&self.conn, cx);
                    _ = to.pump_out(&self.conn, cx);
                }
                Way::Through => {
                    _ = from.pump_in(&self.conn, cx);
                    _ = to.pump_out(&self.conn, cx);
                    return;
                }
            }
        }
    }

    /// Whether there is nothing left to wait for.
    fn is_over(&self) -> bool {
        if self.ends.iter().all(|end| end.stream.is_some() && !end.in_done && !end.out_done) {
            return false;
        }
        let closed = |end: &Socket| end.stream.is_none();
        let done = |end: &Socket| end.in_done && end.out_done || end.stream.is_none();
        if self.ends.iter().all(done) {
            return true;
        }
        match self.conn.cut() {
            Some(Cut::Close) => self.ends.iter().all(|end| end.out_done || closed(end)),
            // The survivor of a vanished peer has closed, and the fault is over: nobody is left to wait for a FIN.
            _ => self.conn.is_lost() && self.ends.iter().all(|end| end.in_done || closed(end)),
        }
    }
}

/// What became of an attempt to hand bytes on past the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// Some went; there may be more.
    Some,
    /// There are none now.
    Dry,
    /// There will be none.
    End,
    /// The socket at this side is broken.
    TornAt(Side),
}

thread_local! {
    /// Where bytes lie between two sockets: at rest a connection needs no memory for them.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The most that is read at once past a lane.
const SCRATCH_BYTES: usize = 256 * 1024;

/// One read from `from` and one write to `to`, past the lane if that may be.
fn pass(conn: &Conn, from: &mut Socket, to: &mut Socket, cx: &mut Context<'_>) -> Way<Passed> {
    let (from_side, to_side, is_done) = (from.side, to.side, from.in_done || to.out_done);
    let (Some(from), Some(to), false) = (&mut from.stream, &mut to.stream, is_done) else {
        return Way::Through;
    };
    SCRATCH.with_borrow_mut(|scratch| {
        let most = conn.link().buffer_bytes().min(SCRATCH_BYTES);
        if scratch.len() < most {
            scratch.resize(most, 0);
        }
        conn.pass_with(from_side, cx, |lane, cx| {
            let mut buffer = ReadBuf::new(&mut scratch[..most]);
            match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Pending => return (0, Passed::Dry),
                Poll::Ready(Err(_)) => return (0, Passed::TornAt(from_side)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return (0, Passed::End),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buffer.filled();
            match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(Err(_)) => (0, Passed::TornAt(to_side)),
                written => {
                    let count = if let Poll::Ready(Ok(count)) = written { count } else { 0 };
                    lane.push(&bytes[count..], conn.opened());
                    (count, Passed::Some)
                }
            }
        })
    })
}

impl Future for Relay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Each call loops until it would have to wait, and leaves its waker with what it waits for.
        for side in [Side::Client, Side::Server] {
            this.carry(side, cx);
        }
        if !this.is_over() {
            return Poll::Pending;
        }
        this.ends.iter_mut().for_each(Socket::close);
        Poll::Ready(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for end in &mut self.ends {
            end.let_go(&self.conn);
        }
    }
}

impl Socket {
    fn new(side: Side, stream: TcpStream) -> Self {
        let (read_timer, write_timer) = (Timer::default(), Timer::default());
        Self {
            side,
            stream: Some(stream),
            in_done: false,
            read_out: false,
            out_done: false,
            read_timer,
            write_timer,
        }
    }

    /// From the socket into the lane.
    fn pump_in(&mut self, conn: &Conn, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(stream) = self.stream.as_ref().filter(|_| !self.in_done) else { return Poll::Ready(()) };
            if ready!(stream.poll_read_ready(cx)).is_err() {
                self.torn(conn);
                continue;
            }
            let mut dry = false;
            let step = conn.write_with(self.side, cx, |lane, now| {
                let result = match lane {
                    Some(lane) => stream.try_read(lane.spare()).map(|count| lane.commit(count, now)),
                    None => stream
                        .try_read(&mut [0; SCRAP_BYTES])
                        .map(|taken| Entry { taken, ..Entry::default() }),
                };
                dry = matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
                result
            });
            match step {
                Step::Ready(Ok(0)) => {
                    (self.in_done, self.read_out) = (true, true);
                    _ = conn.shutdown(self.side);
                }
                Step::Ready(Ok(_)) => {}
                // For an end that a fault has closed, the close is what it is told.
                Step::Ready(Err(error)) if closed(conn, &error) => self.in_done = true,
                Step::Ready(Err(_)) => self.torn(conn),
                Step::Park(_) if dry => {}
                Step::Park(None) => return Poll::Pending,
                Step::Park(Some(at)) => ready!(self.write_timer.poll(at, cx)),
            }
        }
    }

    /// From the lane to the socket.
    fn pump_out(&mut self, conn: &Conn, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(stream) = self.stream.as_ref().filter(|_| !self.out_done) else {
                return Poll::Ready(());
            };
            let mut full = false;
            let step = conn.read_with(self.side, cx, |lane: &mut Lane, allowed| {
                let front = lane.front();
                let result = stream.try_write(&front[..front.len().min(allowed)]);
                full = matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
                result.inspect(|count| lane.consume(*count))
            });
            match step {
                Step::Ready(Ok(0)) => {
                    self.out_done = true;
                    _ = SockRef::from(stream).shutdown(Shutdown::Write);
                }
                Step::Ready(Ok(_)) => {}
                Step::Ready(Err(_)) => self.torn(conn),
                Step::Park(None) if full => _ = ready!(stream.poll_write_ready(cx)),
                Step::Park(at) => {
                    if full && stream.poll_write_ready(cx).is_ready() {
                        continue;
                    }
                    match at {
                        Some(at) => ready!(self.read_timer.poll(at, cx)),
                        None => return Poll::Pending,
                    }
                }
            }
        }
    }

    /// This end is reset, by a fault or by its own party, and the far end hears it unless a fault has swallowed it.
    fn torn(&mut self, conn: &Conn) {
        if let Some(stream) = self.stream.take() {
            reset(stream);
            conn.tear(self.side);
        }
    }

    /// Closes in order: what still lies in the kernel's buffer is read, or the close would turn into a RST.
    fn close(&mut self) {
        if let Some(stream) = self.stream.take().filter(|_| !self.read_out) {
            let mut scrap = [0; SCRAP_BYTES];
            while matches!(stream.try_read(&mut scrap), Ok(1..)) {}
        }
    }

    fn let_go(&mut self, conn: &Conn) {
        self.close();
        conn.drop_end(self.side);
    }
}

fn closed(conn: &Conn, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe && conn.cut() == Some(Cut::Close)
}

/// Bytes read at once when they are thrown away.
const SCRAP_BYTES: usize = 4096;
