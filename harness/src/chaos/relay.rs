//! One proxied connection: two sockets as the two ends of a [`Conn`], in one task.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::chaos::conn::{Conn, Step};
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
    /// Nothing more goes to it.
    out_done: bool,
    read_timer: Timer,
    write_timer: Timer,
}

impl Relay {
    pub(super) fn new(conn: Arc<Conn>, client: TcpStream, server: TcpStream) -> Self {
        Self { conn, ends: [Socket::new(Side::Client, client), Socket::new(Side::Server, server)] }
    }

    /// Whether there is nothing left to wait for.
    fn is_over(&self) -> bool {
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

impl Future for Relay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // What comes in on one side may at once go out on the other; what goes out makes room. Each call loops until it
        // would have to wait, and leaves its waker with what it waits for.
        for end in &mut this.ends {
            _ = end.pump_in(&this.conn, cx);
        }
        for end in &mut this.ends {
            _ = end.pump_out(&this.conn, cx);
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
        Self { side, stream: Some(stream), in_done: false, out_done: false, read_timer, write_timer }
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
                    self.in_done = true;
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
        if let Some(stream) = self.stream.take() {
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
