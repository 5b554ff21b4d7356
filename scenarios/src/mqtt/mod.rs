//! An MQTT broker as a peer of the gateway: simulated, or mosquitto as a program; and who works at it beside the gateway.
//!
//! `message` decides about topics, `packet` makes and reads packets of both versions, `line` is one connection in either role,
//! `broker` knows who is there and who gets what, `session` serves one client, `driver` is the clients beside the gateway.

mod broker;
mod driver;
mod line;
mod message;
mod packet;
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

pub use self::broker::Broker;
pub use self::driver::Driver;
pub use self::session::serve;
use crate::peers::{MqttBroker, S7Peer};
use crate::programs;

/// The program that is a broker on the wall clock.
pub const PROGRAM: &str = "mosquitto";

/// What a client of a broker sends first: CONNECT of MQTT 3.1.1, with a clean session, no keep-alive and the name `storm`.
pub const HELLO: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05storm";

/// In-memory streams between the simulated broker and the clients beside the gateway hold so much.
const DOOR_BYTES: usize = 64 << 10;

/// A simulated broker, and who works at it; all of it ends when this is dropped.
pub struct SimBroker {
    broker: Broker,
    driver: Driver,
    published_per_cycle: u64,
    _cancel: DropGuard,
}

impl SimBroker {
    /// Starts the broker `name` at `address`.
    pub fn start(
        setting: &Setting<'_, S7Peer>,
        net: &SimNet,
        name: &str,
        spec: &MqttBroker,
        address: &str,
    ) -> Result<Self, WorldError> {
        let broker = Broker::default();
        let cancel = CancellationToken::new();
        let listener = net
            .listen(SIM_WORLD_PARTY, address)
            .map_err(|error| WorldError::Start { what: name.to_owned(), why: error.to_string() })?;
        let sessions = TaskTracker::new();
        let door = Door { broker: broker.clone(), sessions: sessions.clone(), cancel: cancel.clone() };
        let (accepting, ending) = (door.clone(), cancel.clone());
        // It ends with the token that the broker holds.
        tokio::spawn(async move {
            while let Some(Ok(stream)) = ending.run_until_cancelled(listener.accept()).await {
                accepting.serve(Box::new(stream));
            }
        });
        let dial: Arc<dyn Dial> = Arc::new(door);
        Ok(Self {
            broker,
            driver: Driver::start(setting, spec, &dial),
            published_per_cycle: crate::gateway::stations(setting.scenario).count() as u64,
            _cancel: cancel.drop_guard(),
        })
    }
}

impl Party for SimBroker {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        Box::pin(async {
            let counts = self.broker.counts();
            let published = Load {
                what: "messages published to the broker",
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
            let dropped = told("messages dropped for slow clients", &counts.dropped);
            let broken = told("connections that broke the protocol", &counts.broken);
            Ok([vec![published, dropped, broken], self.driver.load().await?].concat())
        })
    }
}

/// Where clients come in.
#[derive(Clone)]
struct Door {
    broker: Broker,
    sessions: TaskTracker,
    cancel: CancellationToken,
}

impl Door {
    /// Serves a client in a task that ends with the broker at the latest.
    fn serve(&self, stream: BoxStream) {
        let (broker, cancel) = (self.broker.clone(), self.cancel.clone());
        self.sessions.spawn(async move {
            // How a session ends is in the broker's counters.
            let _ended = cancel.run_until_cancelled(session::serve(broker, stream)).await;
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

/// The program that is the broker `name`: it listens on `port` of loopback and keeps nothing.
pub fn program(setting: &Setting<'_, S7Peer>, name: &str, port: u16) -> Result<Program, WorldError> {
    let path = setting.scratch.join(format!("{name}.conf"));
    std::fs::write(&path, mosquitto_conf(port))
        .map_err(|error| WorldError::Start { what: name.to_owned(), why: error.to_string() })?;
    Ok(Program {
        name: name.to_owned(),
        argv: vec![programs::place_of(PROGRAM).into(), "-c".into(), path.into()],
        env: Vec::new(),
        ready: ReadyWhen::Port(port),
        has_probe: false,
    })
}

/// `user root` means: the user that started it. Another one's process would outlive a harness that is killed.
fn mosquitto_conf(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\n\
         allow_anonymous true\n\
         persistence false\n\
         user root\n\
         log_dest stderr\n\
         connection_messages false\n"
    )
}
