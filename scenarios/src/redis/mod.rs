//! A Redis server as a peer of the gateway: simulated, or redis-server as a program; and who works at it beside the gateway.
//!
//! `resp` is the wire format, `line` one connection in either role, `hub` knows who listens to what, `session` serves one
//! client, `driver` is the clients beside the gateway.

mod driver;
mod hub;
mod line;
mod resp;
mod session;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use watertight::chaos::sim::SimNet;
use watertight::world::{
    BoxFuture, BoxStream, Dial, Load, Party, Program, ReadyWhen, SIM_WORLD_PARTY, Setting, WorldError,
};

pub use self::driver::Driver;
pub use self::hub::Hub;
pub use self::session::serve;
use crate::peers::{RedisServer, S7Peer};
use crate::programs;

/// The program that is a server on the wall clock.
pub const PROGRAM: &str = "redis-server";

/// What a client of a server sends first.
pub const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// In-memory streams between the simulated server and the clients beside the gateway hold so much.
const DOOR_BYTES: usize = 64 << 10;

/// A simulated server, and who works at it; all of it ends when this is dropped.
pub struct SimRedis {
    hub: Hub,
    driver: Driver,
    published_per_cycle: u64,
    _cancel: DropGuard,
}

impl SimRedis {
    /// Starts the server `name` at `address`.
    pub fn start(
        setting: &Setting<'_, S7Peer>,
        net: &SimNet,
        name: &str,
        spec: &RedisServer,
        address: &str,
    ) -> Result<Self, WorldError> {
        let hub = Hub::default();
        let cancel = CancellationToken::new();
        let listener = net
            .listen(SIM_WORLD_PARTY, address)
            .map_err(|error| WorldError::Start { what: name.to_owned(), why: error.to_string() })?;
        let door = Door { hub: hub.clone(), sessions: TaskTracker::new(), cancel: cancel.clone() };
        let (accepting, ending) = (door.clone(), cancel.clone());
        // It ends with the token that the server holds.
        tokio::spawn(async move {
            while let Some(Ok(stream)) = ending.run_until_cancelled(listener.accept()).await {
                accepting.serve(Box::new(stream));
            }
        });
        let dial: Arc<dyn Dial> = Arc::new(door);
        Ok(Self {
            hub,
            driver: Driver::start(setting, spec, &dial),
            published_per_cycle: crate::gateway::stations(setting.scenario).count() as u64,
            _cancel: cancel.drop_guard(),
        })
    }
}

impl Party for SimRedis {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        Box::pin(async {
            let counts = self.hub.counts();
            let published = Load {
                what: "messages published to the server",
                count: counts.published.load(Relaxed),
                at_least_per_cycle: self.published_per_cycle,
                at_most: None,
            };
            let told = |what, counter: &AtomicU64| Load {
                what,
                count: counter.load(Relaxed),
                at_least_per_cycle: 0,
                at_most: None,
            };
            let cut_off = told("slow clients cut off", &counts.cut_off);
            let broken = told("connections that broke the protocol", &counts.broken);
            Ok([vec![published, cut_off, broken], self.driver.load().await?].concat())
        })
    }
}

/// Where clients come in.
#[derive(Clone)]
struct Door {
    hub: Hub,
    sessions: TaskTracker,
    cancel: CancellationToken,
}

impl Door {
    /// Serves a client in a task that ends with the server at the latest.
    fn serve(&self, stream: BoxStream) {
        let (hub, cancel) = (self.hub.clone(), self.cancel.clone());
        self.sessions.spawn(async move {
            // How a session ends is in the server's counters.
            let _ended = cancel.run_until_cancelled(session::serve(hub, stream)).await;
        });
    }
}

impl Dial for Door {
    fn dial(&self, _ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>> {
        let (outside, inside) = tokio::io::duplex(DOOR_BYTES);
        self.serve(Box::new(inside));
        Box::pin(async { Ok(Box::new(outside) as BoxStream) })
    }
}

/// The program that is the server `name`: it listens on `port` of loopback and keeps nothing.
pub fn program(name: &str, port: u16) -> Program {
    let port_text = port.to_string();
    let arguments =
        ["--bind", "127.0.0.1", "--port", &port_text, "--save", "", "--appendonly", "no"].map(Into::into);
    Program {
        name: name.to_owned(),
        argv: [vec![programs::place_of(PROGRAM).into()], arguments.to_vec()].concat(),
        env: Vec::new(),
        ready: ReadyWhen::Port(port),
        has_probe: false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;
    use tokio::time::{sleep, timeout};
    use watertight::chaos::toxic::Side;
    use watertight::scenario::model::LinkSpec;
    use watertight::seed::Seed;

    use super::line::{End, Line};
    use super::resp::Value;
    use super::*;

    /// Does what the gateway does at a server: images of two stations, and a result of each command.
    async fn gateway(net: SimNet) -> Result<(), End> {
        let link = net.link("store", &LinkSpec::default(), Side::Server);
        let mut commands = Line::new(Box::new(net.connect("target", &link, "store-0:102").await?));
        let mut values = Line::new(Box::new(net.connect("target", &link, "store-0:102").await?));
        // On the paused clock time passes only once everybody waits: the subscriber has subscribed by then.
        sleep(Duration::from_millis(1)).await;
        commands.send(&Value::request(&[b"SUBSCRIBE", b"s7:commands"]));
        for station in [&b"s7:values:plc-0"[..], b"s7:values:plc-1"] {
            values.send(&Value::request(&[b"PUBLISH", station, b"{}"]));
            values.next().await?;
        }
        loop {
            if commands.next().await?.into_words().is_some() {
                values.send(&Value::request(&[b"PUBLISH", b"s7:results", br#"{"id":"c0","ok":true}"#]));
                values.next().await?;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn images_and_commands_are_counted_and_nothing_is_left_once_it_is_dropped() {
        let scenario = crate::gateway::tests::scenario("every: 2s").unwrap();
        let scratch = std::env::temp_dir();
        let setting = Setting {
            scenario: &scenario,
            seed: Seed(7),
            pace: 1.0,
            scratch: &scratch,
            listen: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let spec = RedisServer {
            commands: crate::gateway::tests::commands_of(&scenario),
            subscribers: 1,
            read: None,
        };
        let (net, tasks) = (SimNet::new(), Handle::current().metrics().num_alive_tasks());
        let mut server = SimRedis::start(&setting, &net, "store", &spec, "store-0:102").unwrap();
        let gateway = tokio::spawn(gateway(net.clone()));
        sleep(Duration::from_millis(21_500)).await;
        let load = server.load().await.unwrap();
        let count = |what| load.iter().find(|load| load.what == what).unwrap().count;
        assert_eq!(count("images received by subscribers"), 2);
        assert_eq!((count("commands sent"), count("commands carried out")), (10, 10));
        assert_eq!(count("messages published to the server"), 2 + 10 + 10);
        drop(server);
        let ended = timeout(Duration::from_secs(1), gateway).await.expect("its connection is cut").unwrap();
        assert!(matches!(ended, Err(End::Stream(_))), "{ended:?}");
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks);
    }
}
