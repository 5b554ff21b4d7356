//! The seam to the network: whoever starts the gateway says what connecting and listening mean.
//!
//! [`TcpNet`] is the real one; a simulation brings its own.

use std::io;
use std::net::SocketAddr;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::cpu::{self, Cpu};

/// A byte stream to one peer.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A byte stream of whatever kind the network hands out. Dropping it closes the connection.
pub type BoxStream = Box<dyn Stream>;

/// How the gateway reaches its stations and is reached by its consumers.
pub trait Net: Send + Sync + 'static {
    /// Connects to `to` (`host:port`). No deadline: the caller drops the future when it has waited enough.
    fn connect(&self, to: &str) -> BoxFuture<'static, io::Result<BoxStream>>;

    /// What the machine says of its processor; nothing, unless it is this gateway's own.
    fn cpu(&self) -> &dyn Cpu {
        &cpu::Unknown
    }

    /// Listens at `at` (`host:port`; port 0 lets the network choose).
    fn listen(&self, at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// A place where consumers connect. Dropping it stops listening.
pub trait Listener: Send {
    /// The next connection and the peer's name. Cancel-safe: a dropped call loses no connection.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, String)>>;

    /// Where it listens, with the port that the network chose.
    fn local_addr(&self) -> String;
}

/// Connections that wait in the kernel until they are accepted; a reconnect storm fills a shorter queue.
const BACKLOG: u32 = 1024;

/// The operating system's TCP.
#[derive(Debug, Clone, Copy)]
pub struct TcpNet {
    /// Bytes that the kernel keeps for one accepted connection whose peer does not read. Left to itself, Linux lets that
    /// grow to megabytes, and a consumer that is gone is noticed only once they are full.
    pub send_buffer: u32,
}

impl Net for TcpNet {
    fn cpu(&self) -> &dyn Cpu {
        &cpu::OfProcess
    }

    fn connect(&self, to: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let to = to.to_owned();
        async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        }
        .boxed()
    }

    fn listen(&self, at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (at, send_buffer) = (at.to_owned(), self.send_buffer);
        async move { Ok(Box::new(bind(&at, send_buffer).await?) as Box<dyn Listener>) }.boxed()
    }
}

async fn bind(at: &str, send_buffer: u32) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(at).await? {
        match bind_address(address, send_buffer) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn bind_address(address: SocketAddr, send_buffer: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the TIME_WAIT of the connections it has just closed.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(send_buffer)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, String)>> {
        async move {
            let (stream, peer) = TcpListener::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as BoxStream, peer.to_string()))
        }
        .boxed()
    }

    fn local_addr(&self) -> String {
        TcpListener::local_addr(self).map_or_else(|_| "unknown".to_owned(), |address| address.to_string())
    }
}
