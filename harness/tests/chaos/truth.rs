//! One truth table over both engines: toxic × {existing, new} × {client, server} → the exact error.
//!
//! Every row is played in memory and over loopback. Existing connections are met idle (both ends parked in a read) and
//! active (bytes have passed).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use watertight::chaos::link::Link;
use watertight::chaos::{Proxy, Side};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;

use crate::sim::{World, fault};

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
pub type Stream = Box<dyn Duplex>;

/// A bound for what must happen; nothing that must happen comes near it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(50);

/// What an end sees of a connection.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Sees {
    /// A byte sent by the other end arrives.
    Bytes,
    /// The read ends.
    End,
    /// The read waits.
    Silence,
    /// The read fails.
    Error(ErrorKind),
}

use Sees::{Bytes, End, Silence};
const RST: Sees = Sees::Error(ErrorKind::ConnectionReset);

/// What a connect comes to, and what its end then sees.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum New {
    Sees(Sees),
    Refused,
    Hangs,
}

struct Row {
    toxic: &'static str,
    /// What the two ends of an existing connection see: client, server.
    existing: (Sees, Sees),
    /// What a new client sees in sim and over TCP, where the kernel accepts before the proxy is asked.
    new: (New, New),
}

const TABLE: &[Row] = &[
    Row {
        toxic: "latency: { link: plc, delay: 1ms }",
        existing: (Bytes, Bytes),
        new: (New::Sees(Bytes), New::Sees(Bytes)),
    },
    Row {
        toxic: "bandwidth: { link: plc, rate: 1MiB/s }",
        existing: (Bytes, Bytes),
        new: (New::Sees(Bytes), New::Sees(Bytes)),
    },
    Row { toxic: "refuse: { link: plc }", existing: (Bytes, Bytes), new: (New::Refused, New::Refused) },
    Row { toxic: "reset: { link: plc }", existing: (RST, RST), new: (New::Sees(RST), New::Sees(RST)) },
    Row { toxic: "close: { link: plc }", existing: (End, End), new: (New::Sees(End), New::Sees(End)) },
    Row {
        toxic: "close: { link: plc, dir: down }",
        existing: (End, Bytes),
        new: (New::Sees(End), New::Sees(End)),
    },
    Row {
        toxic: "half_open: { link: plc }",
        existing: (Silence, RST),
        new: (New::Hangs, New::Sees(Silence)),
    },
    Row {
        toxic: "half_open: { link: plc, gone: nobody }",
        existing: (Silence, Silence),
        new: (New::Hangs, New::Sees(Silence)),
    },
    Row {
        toxic: "blackhole: { link: plc }",
        existing: (Silence, Silence),
        new: (New::Hangs, New::Sees(Silence)),
    },
    Row {
        toxic: "stall: { link: plc }",
        existing: (Silence, Silence),
        new: (New::Sees(Silence), New::Sees(Silence)),
    },
    Row {
        toxic: "slow_read: { link: plc, rate: 0 }",
        existing: (Silence, Bytes),
        new: (New::Sees(Silence), New::Sees(Silence)),
    },
    Row {
        toxic: "flap: { link: plc, up: 1s, down: 1s, mode: refuse }",
        existing: (Bytes, Bytes),
        new: (New::Refused, New::Refused),
    },
    Row {
        toxic: "flap: { link: plc, up: 1s, down: 1s, mode: reset }",
        existing: (RST, RST),
        new: (New::Refused, New::Refused),
    },
    Row {
        toxic: "flap: { link: plc, up: 1s, down: 1s, mode: close }",
        existing: (End, End),
        new: (New::Refused, New::Refused),
    },
    Row {
        toxic: "flap: { link: plc, up: 1s, down: 1s, mode: blackhole }",
        existing: (Silence, Silence),
        new: (New::Hangs, New::Sees(Silence)),
    },
];

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

    pub async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Sim(world) => Ok(Box::new(world.net.connect("target", &world.link, "plc-0").await?)),
            Self::Tcp { proxy, .. } => Ok(Box::new(TcpStream::connect(proxy.addr()).await?)),
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

async fn look(stream: &mut Stream, expected: Sees) -> Sees {
    let mut byte = [0];
    let patience = if expected == Silence { SILENCE } else { DEADLINE };
    match timeout(patience, stream.read(&mut byte)).await {
        Err(_) => Silence,
        Ok(Ok(0)) => End,
        Ok(Ok(_)) => Bytes,
        Ok(Err(error)) => Sees::Error(error.kind()),
    }
}

async fn existing(net: &Net, row: &Row, active: bool) -> (Sees, Sees) {
    let (mut client, mut server) = net.pair().await;
    if active {
        ping(&mut client, &mut server).await;
        ping(&mut server, &mut client).await;
    }
    let fault = fault(row.toxic);
    let id = fault.id(0, Seed(7));
    let speak = [row.existing.0, row.existing.1].iter().all(|sees| matches!(sees, Bytes | Silence | End));
    let (expect_client, expect_server) = row.existing;
    let begin = async {
        tokio::task::yield_now().await;
        net.link().apply(id, &fault);
    };
    let seen = if speak && row.existing != (End, End) {
        begin.await;
        _ = client.write(b"!").await;
        _ = server.write(b"!").await;
        (look(&mut client, expect_client).await, look(&mut server, expect_server).await)
    } else {
        let (client, server, ()) =
            tokio::join!(look(&mut client, expect_client), look(&mut server, expect_server), begin);
        (client, server)
    };
    net.link().heal(id);
    seen
}

async fn new(net: &Net, row: &Row, expected: New) -> New {
    let fault = fault(row.toxic);
    let id = fault.id(0, Seed(7));
    net.link().apply(id, &fault);
    let seen = loop {
        match timeout(SILENCE * 4, net.connect()).await {
            Err(_) => break New::Hangs,
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => break New::Refused,
            // The listener closes in the proxy's own time; until then connects are accepted and reset.
            Ok(_) if expected == New::Refused => tokio::task::yield_now().await,
            Ok(Err(error)) => panic!("{}: {error}", row.toxic),
            Ok(Ok(mut client)) => break New::Sees(established(net, &mut client, expected).await),
        }
    };
    net.link().heal(id);
    seen
}

async fn established(net: &Net, client: &mut Stream, expected: New) -> Sees {
    let New::Sees(expected) = expected else { return look(client, Silence).await };
    let server = timeout(SILENCE * 4, net.accept()).await;
    if let (Ok(mut server), Bytes | Silence) = (server, expected) {
        _ = server.write(b"!").await;
        return look(client, expected).await;
    }
    look(client, expected).await
}

#[tokio::test(start_paused = true)]
async fn in_sim_both_ends_see_what_the_table_says() {
    for row in TABLE {
        for active in [false, true] {
            assert_eq!(
                existing(&Net::sim(), row, active).await,
                row.existing,
                "{} active: {active}",
                row.toxic
            );
        }
        assert_eq!(new(&Net::sim(), row, row.new.0).await, row.new.0, "{} new", row.toxic);
    }
}

#[tokio::test]
async fn over_tcp_both_ends_see_what_the_table_says() {
    for row in TABLE {
        for active in [false, true] {
            let net = Net::tcp().await;
            assert_eq!(existing(&net, row, active).await, row.existing, "{} active: {active}", row.toxic);
            net.end().await;
        }
        let net = Net::tcp().await;
        assert_eq!(new(&net, row, row.new.1).await, row.new.1, "{} new", row.toxic);
        net.end().await;
    }
}
