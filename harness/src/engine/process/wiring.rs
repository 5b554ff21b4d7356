//! The links of a wall-clock world: a proxy in front of every instance of a server peer, and in front of the target for each
//! kind of consumer.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::sim::peer_side;
use super::here::LOOPBACK;
use crate::chaos::Link;
use crate::chaos::proxy::{Entrance, Proxy};
use crate::scenario::Scenario;
use crate::world::{BoxFuture, BoxStream, Dial, World};

/// Any free port of loopback.
const ANY_PORT: SocketAddr = SocketAddr::new(LOOPBACK, 0);

/// Links and their proxies, by peer.
#[derive(Debug)]
pub(super) struct Wiring {
    links: BTreeMap<String, Arc<Link>>,
    proxies: BTreeMap<String, Vec<Proxy>>,
}

impl Wiring {
    /// A link for each peer, without proxies yet.
    pub(super) fn new<W: World>(world: &W, scenario: &Scenario<W::Peer>) -> Self {
        let link = |(name, peer): (&String, &W::Peer)| {
            let spec = scenario.links.get(name).cloned().unwrap_or_default();
            (name.clone(), Link::new(name, &spec, peer_side(world.seat(peer))))
        };
        Self { links: scenario.world.iter().map(link).collect(), proxies: BTreeMap::new() }
    }

    /// The links, by peer.
    pub(super) fn links(&self) -> &BTreeMap<String, Arc<Link>> {
        &self.links
    }

    /// Puts a proxy at `host` in front of each instance of the server peer `name`, or leads the one that is there to it; gives
    /// back where they listen.
    pub(super) async fn wire_servers(
        &mut self,
        name: &str,
        instances: &[String],
        host: IpAddr,
    ) -> io::Result<Vec<String>> {
        let any_port = SocketAddr::new(host, 0);
        let proxies = self.proxies.entry(name.to_owned()).or_default();
        for (ordinal, instance) in instances.iter().enumerate() {
            match proxies.get(ordinal) {
                Some(proxy) => proxy.set_upstream(address(instance)?),
                None => proxies
                    .push(Proxy::start(any_port, address(instance)?, Arc::clone(&self.links[name])).await?),
            }
        }
        Ok(proxies.iter().map(|proxy| proxy.addr().to_string()).collect())
    }

    /// Puts a proxy in front of the target at `place` for the consumers `name`, or leads the one that is there to it. A target
    /// that listens on any address of its own is reached at `at`.
    pub(super) async fn wire_target(&mut self, name: &str, place: &str, at: IpAddr) -> io::Result<()> {
        let mut place = address(place)?;
        if place.ip().is_unspecified() || place.ip().is_loopback() {
            place.set_ip(at);
        }
        if let Some(proxies) = self.proxies.get(name) {
            proxies.iter().for_each(|proxy| proxy.set_upstream(place));
            return Ok(());
        }
        let proxy = Proxy::start(ANY_PORT, place, Arc::clone(&self.links[name])).await?;
        self.proxies.insert(name.to_owned(), vec![proxy]);
        Ok(())
    }

    /// Connects as a client of the link `name` would.
    pub(super) fn dial(&self, name: &str) -> Arc<dyn Dial> {
        let proxies = self.proxies.get(name).into_iter().flatten();
        Arc::new(TcpDial(proxies.map(Proxy::entrance).collect()))
    }

    /// Closes every connection and waits until no task of a proxy is left.
    pub(super) async fn shutdown(&mut self) {
        for proxy in std::mem::take(&mut self.proxies).into_values().flatten() {
            proxy.shutdown().await;
        }
    }
}

fn address(text: &str) -> io::Result<SocketAddr> {
    text.parse()
        .map_err(|_| io::Error::other(format!("expected an address such as 127.0.0.1:102, found `{text}`")))
}

/// Opens connections to proxies.
struct TcpDial(Vec<Entrance>);

impl Dial for TcpDial {
    fn dial(&self, ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>> {
        let entrance = self.0.get(ordinal % self.0.len().max(1)).copied();
        Box::pin(async move {
            let entrance = entrance
                .ok_or_else(|| io::Error::other("this link leads nowhere: the target serves nobody"))?;
            Ok(Box::new(entrance.connect().await?) as BoxStream)
        })
    }
}
