//! One link with a server behind it, in memory or over TCP: tests say what both carriers must do alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use watertight::chaos::link::Link;
use watertight::chaos::{FaultId, Proxy, Side};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;

use crate::sim::{World, fault};

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
pub type Stream = Box<dyn Duplex>;

/// A bound for what must happen; nothing that must happen comes near it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long silence is listened to.
pub const SILENCE: Duration = Duration::from_millis(50);

/// One engine's way to a link with a server behind it.
pub enum Net {
    Sim(World),
    Tcp { link: Arc<Link>, proxy: Proxy, server: TcpListener },
}

impl Net {
    pub fn sim() -> Self {
        Self::Sim(World::new(LinkSpec::default()))
    }

    pub async fn tcp() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = TcpListener::bind(loopback).await.unwrap();
        let link = Link::new("plc", &LinkSpec::default(), Side::Server);
        let proxy = Proxy::start(loopback, server.local_addr().unwrap(), Arc::clone(&link)).await.unwrap();
        Self::Tcp { link, proxy, server }
    }

    pub fn link(&self) -> &Arc<Link> {
        match self {
            Self::Sim(world) => &world.link,
            Self::Tcp { link, .. } => link,
        }
    }

    pub fn begin(&self, yaml: &str) -> FaultId {
        self.begin_with(yaml, Seed(7))
    }

    pub fn begin_with(&self, yaml: &str, seed: Seed) -> FaultId {
        let fault = fault(yaml);
        let id = fault.id(0, seed);
        self.link().apply(id, &fault);
        id
    }

    pub async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Sim(world) => Ok(Box::new(world.net.connect("target", &world.link, "plc-0").await?)),
            Self::Tcp { proxy, .. } => Ok(Box::new(proxy.entrance().connect().await?)),
        }
    }

    pub async fn accept(&self) -> Stream {
        match self {
            Self::Sim(world) => Box::new(world.listener.accept().await.unwrap()),
            Self::Tcp { server, .. } => Box::new(server.accept().await.unwrap().0),
        }
    }

    pub async fn pair(&self) -> (Stream, Stream) {
        (self.connect().await.unwrap(), timeout(DEADLINE, self.accept()).await.unwrap())
    }

    pub async fn end(self) {
        if let Self::Tcp { proxy, .. } = self {
            timeout(DEADLINE, proxy.shutdown()).await.expect("no task of the proxy stays");
        }
    }
}

pub async fn ping(from: &mut Stream, to: &mut Stream) {
    from.write_all(b"!").await.unwrap();
    assert_eq!(timeout(DEADLINE, to.read_u8()).await.unwrap().unwrap(), b'!');
}

pub async fn read_all(stream: &mut Stream) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut all)).await.unwrap().unwrap();
    all
}

/// Waits for what the other side does in its own time.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, poll).await.unwrap_or_else(|_| panic!("never: {what}"));
}
