//! The network of a service of one's own: simulated, or TCP. The service does not see which.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::either::Either;

use crate::chaos::{Link, SimListener, SimNet, SimStream};
use crate::world::{SIM_TARGET_ADDRESS, SIM_TARGET_PARTY};

/// A connection: `AsyncRead + AsyncWrite`. Dropping it closes it.
pub type Stream = Either<TcpStream, SimStream>;

/// How a service listens and connects. Clones are the same network.
#[derive(Debug, Clone)]
pub struct Net {
    kind: Kind,
    ready: watch::Sender<Option<Place>>,
}

#[derive(Debug, Clone)]
enum Kind {
    Tcp { listen: IpAddr },
    Sim { net: SimNet, links: Arc<BTreeMap<String, Arc<Link>>> },
}

/// Where a service that is ready is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    At(SocketAddr),
    Nowhere,
}

impl Net {
    /// TCP; it listens on `listen`, at a port that is free.
    pub(super) fn tcp(listen: IpAddr) -> Self {
        Self { kind: Kind::Tcp { listen }, ready: watch::Sender::default() }
    }

    /// The simulated network; `addresses` of each server peer are reached over the link of its name.
    pub(super) fn simulated(net: &SimNet, addresses: &BTreeMap<String, Vec<String>>) -> Self {
        let links = addresses.iter().filter_map(|(name, of)| Some((net.find_link(name)?, of)));
        let links = links.flat_map(|(link, of)| of.iter().map(move |at| (at.clone(), Arc::clone(&link))));
        let links = Arc::new(links.collect());
        Self { kind: Kind::Sim { net: net.clone(), links }, ready: watch::Sender::default() }
    }

    /// Listens where the world's consumers connect. Call it once: a second call is another place, which they do not know, or, in sim, an error.
    ///
    /// # Errors
    /// The system's, such as no descriptor left; in sim `AddrInUse`, if it listens already.
    pub async fn listen(&self) -> io::Result<Listener> {
        let (listener, at) = match &self.kind {
            Kind::Tcp { listen } => {
                let listener = TcpListener::bind((*listen, 0)).await?;
                let at = listener.local_addr()?;
                (Kept::Tcp(listener), at)
            }
            Kind::Sim { net, .. } => {
                (Kept::Sim(net.listen(SIM_TARGET_PARTY, SIM_TARGET_ADDRESS)?), SIM_LISTENS_AT)
            }
        };
        self.is_ready(Place::At(at));
        Ok(Listener { kept: listener, at, accepted: 0 })
    }

    /// Connects to `address`, one of [`Start::peers`](super::Start::peers). No deadline: drop the future when it has waited enough.
    ///
    /// # Errors
    /// As TCP: refused, reset; `NotFound` for an address that is nobody's.
    pub async fn connect(&self, address: &str) -> io::Result<Stream> {
        match &self.kind {
            Kind::Tcp { .. } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Either::Left(stream))
            }
            Kind::Sim { net, links } => {
                let link = links.get(address).ok_or_else(|| {
                    let known: Vec<_> = links.keys().map(String::as_str).collect();
                    let known = known.join(", ");
                    io::Error::new(
                        io::ErrorKind::NotFound,
                        format!("no peer at `{address}`; there are: {known}"),
                    )
                })?;
                Ok(Either::Right(net.connect(SIM_TARGET_PARTY, link, address).await?))
            }
        }
    }

    /// Says that the service is ready although it does not listen.
    pub fn serves_nobody(&self) {
        self.is_ready(Place::Nowhere);
    }

    fn is_ready(&self, place: Place) {
        self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(place)).is_some());
    }

    /// Where it is reached, once it is ready.
    pub(super) async fn ready(&self) -> Place {
        let mut ready = self.ready.subscribe();
        let place = ready.wait_for(Option::is_some).await.expect("this network holds the sender");
        place.clone().expect("it was waited for")
    }
}

/// Accepts connections of consumers: a [`tokio_util::net::Listener`], as tokio's own are.
#[derive(Debug)]
pub struct Listener {
    kept: Kept,
    at: SocketAddr,
    /// Connections so far, for the simulated ones' addresses.
    accepted: u64,
}

#[derive(Debug)]
enum Kept {
    Tcp(TcpListener),
    Sim(SimListener),
}

impl tokio_util::net::Listener for Listener {
    type Io = Stream;
    /// In sim each connection has one of its own.
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, SocketAddr)>> {
        Poll::Ready(match &self.kept {
            Kept::Tcp(listener) => {
                let (stream, from) = ready!(listener.poll_accept(cx))?;
                stream.set_nodelay(true)?;
                Ok((Either::Left(stream), from))
            }
            Kept::Sim(listener) => {
                let stream = ready!(listener.poll_accept(cx))?;
                self.accepted += 1;
                Ok((Either::Right(stream), simulated_address(self.accepted)))
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

/// What a simulated listener says of itself.
const SIM_LISTENS_AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

/// Ports of one simulated host.
const PORTS: u64 = 1 << 16;

/// An address for the connection of this number: a host of `10.0.0.0/8` for every 65,536 of them.
fn simulated_address(number: u64) -> SocketAddr {
    let host = u32::from(Ipv4Addr::new(10, 0, 0, 0)) | (number / PORTS) as u32 & 0x00ff_ffff;
    SocketAddr::new(Ipv4Addr::from(host).into(), (number % PORTS) as u16)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::net::Listener as _;

    use super::*;
    use crate::chaos::Side;
    use crate::scenario::model::LinkSpec;

    #[test]
    fn simulated_connections_have_addresses_of_their_own() {
        assert_eq!(simulated_address(1).to_string(), "10.0.0.0:1");
        assert_eq!(simulated_address(PORTS + 7).to_string(), "10.0.0.1:7");
    }

    #[tokio::test]
    async fn tcp_listens_at_a_free_port_and_says_where() {
        let net = Net::tcp(Ipv4Addr::LOCALHOST.into());
        let mut listener = net.listen().await.expect("loopback has ports");
        let Place::At(at) = net.ready().await else { panic!("it listens") };
        let text = at.to_string();
        let (client, accepted) = tokio::join!(net.connect(&text), listener.accept());
        let (mut server, _) = accepted.expect("somebody connects");
        server.write_all(b"hi").await.expect("it is open");
        let mut heard = [0; 2];
        client.expect("somebody listens").read_exact(&mut heard).await.expect("two bytes come");
        assert_eq!((&heard, listener.local_addr().expect("it knows")), (b"hi", at));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_in_sim_is_reached_at_its_address_and_nobody_else() {
        let sim = SimNet::new();
        sim.link("db", &LinkSpec::default(), Side::Server);
        let _listener = sim.listen("world", "db-0:1").expect("nobody listens there");
        let net = Net::simulated(&sim, &[("db".to_owned(), vec!["db-0:1".to_owned()])].into());
        net.connect("db-0:1").await.expect("somebody listens");
        let error = net.connect("db-1:1").await.map(drop).expect_err("nobody has this address");
        assert_eq!(error.to_string(), "no peer at `db-1:1`; there are: db-0:1");
        assert_eq!(sim.sockets_of(SIM_TARGET_PARTY), 0, "what was dropped is closed");
    }
}
