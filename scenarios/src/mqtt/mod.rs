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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mqtt_protocol_core::mqtt::Version;
    use mqtt_protocol_core::mqtt::connection::role::Client;
    use mqtt_protocol_core::mqtt::packet::Qos;
    use tokio::runtime::Handle;
    use tokio::time::{sleep, timeout};
    use watertight::chaos::toxic::Side;
    use watertight::scenario::model::LinkSpec;
    use watertight::seed::Seed;

    use super::line::{End, Line};
    use super::message::Message;
    use super::packet::{Received, connect};
    use super::*;

    /// Does what the gateway does at a broker: images of two stations, and an acknowledgement of each command.
    async fn gateway(net: SimNet) -> Result<(), End> {
        let link = net.link("broker", &LinkSpec::default(), Side::Server);
        let stream = net.connect("target", &link, "broker-0:102").await?;
        let mut line: Line<Client> = Line::new(Box::new(stream), Version::V3_1_1);
        // On the paused clock time passes only once everybody waits: the subscriber has subscribed by then.
        sleep(Duration::from_millis(1)).await;
        line.send(connect(Version::V3_1_1, "gateway", 30)?);
        assert_eq!(line.next().await?, Received::Connack(true));
        line.subscribe("s7/+/+/set", Qos::AtLeastOnce)?;
        for station in ["s7/plc-0", "s7/plc-1"] {
            line.publish(&Message::new(station, b"{}", Qos::AtLeastOnce))?;
        }
        loop {
            if let Received::Publish(command) = line.next().await? {
                let topic = command.topic.replace("/set", "/ack");
                line.publish(&Message::new(&topic, br#"{"ok":true}"#, Qos::AtLeastOnce))?;
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
        let S7Peer::Mqtt(spec) = &scenario.world["broker"] else { panic!("it is a broker") };
        let (net, tasks) = (SimNet::new(), Handle::current().metrics().num_alive_tasks());
        let mut broker = SimBroker::start(&setting, &net, "broker", spec, "broker-0:102").unwrap();
        let gateway = tokio::spawn(gateway(net.clone()));
        sleep(Duration::from_millis(21_500)).await;
        let load = broker.load().await.unwrap();
        let count = |what| load.iter().find(|load| load.what == what).unwrap().count;
        assert_eq!(count("images received by subscribers"), 2);
        assert_eq!((count("commands sent"), count("commands carried out")), (10, 10));
        assert_eq!(count("messages published to the broker"), 2 + 10 + 10);
        drop(broker);
        let ended = timeout(Duration::from_secs(1), gateway).await.expect("its connection is cut").unwrap();
        assert!(matches!(ended, Err(End::Stream(_))), "{ended:?}");
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks);
    }
}
