//! The gateway's seam to the network, on the simulated one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway_under_test::net::{BoxStream, Listener, Net};
use watertight::chaos::Link;
use watertight::chaos::sim::{SimListener, SimNet};

/// The party whose sockets the census counts as the target's.
const TARGET: &str = watertight::world::SIM_TARGET_PARTY;

/// The simulated network, seen by the gateway.
pub struct GatewayNet {
    /// Where it listens.
    pub net: SimNet,
    /// The link that leads to each address.
    pub links: BTreeMap<String, Arc<Link>>,
}

impl Net for GatewayNet {
    fn connect(&self, to: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let (net, to) = (self.net.clone(), to.to_owned());
        let link = self.links.get(&to).cloned();
        async move {
            let link =
                link.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no peer has this address"))?;
            Ok(Box::new(net.connect(TARGET, &link, &to).await?) as BoxStream)
        }
        .boxed()
    }

    fn listen(&self, at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let listening = self
            .net
            .listen(TARGET, at)
            .map(|listener| Box::new(GatewayListener { listener, at: at.to_owned() }) as Box<dyn Listener>);
        async { listening }.boxed()
    }
}

struct GatewayListener {
    listener: SimListener,
    at: String,
}

impl Listener for GatewayListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, String)>> {
        async {
            let stream = self.listener.accept().await?;
            let peer = format!("connection {}", stream.ordinal());
            Ok((Box::new(stream) as BoxStream, peer))
        }
        .boxed()
    }

    fn local_addr(&self) -> String {
        self.at.clone()
    }
}
