//! The simulated broker with mosquitto's clients, and mosquitto with the clients of this world.

use std::process::Command;

use watertight_scenarios::mqtt::{Broker, serve};

use super::Test;
use super::program::{Running, Served, listen, output};

const BROKER: &str = "/usr/sbin/mosquitto";
const PUBLISH: &str = "/usr/bin/mosquitto_pub";
const SUBSCRIBE: &str = "/usr/bin/mosquitto_sub";

/// How long, in seconds, a subscriber waits for the message that it was promised.
const WAIT: &str = "20";

pub const CLIENTS_AT_THE_SIMULATED_BROKER: Test = Test {
    name: "mosquitto::its_clients_work_at_the_simulated_broker",
    needs: &[PUBLISH, SUBSCRIBE],
    run: at_the_simulated_broker,
};

pub const CLIENTS_OF_THIS_WORLD_AT_THE_REAL_BROKER: Test = Test {
    name: "mosquitto::it_carries_images_and_commands",
    needs: &[BROKER, PUBLISH, SUBSCRIBE],
    run: at_the_real_broker,
};

fn at_the_simulated_broker() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let broker = Broker::default();
    let port = listen(&runtime, move |stream| serve(broker.clone(), stream))?;
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let client = ["-p", &port, "-V", version, "-q", qos];
            // A message that is kept waits for whoever subscribes later.
            let publish = ["-r", "-t", "s7/plc-0", "-m", version];
            output(Command::new(PUBLISH).args(client).args(publish))?;
            let subscribe = ["-t", "s7/+", "-C", "1", "-W", WAIT];
            let heard = output(Command::new(SUBSCRIBE).args(client).args(subscribe))?;
            if heard != version {
                return Err(format!("{version}, QoS {qos}: expected `{version}`, found `{heard}`"));
            }
        }
    }
    Ok(())
}

fn at_the_real_broker() -> Result<(), String> {
    let mut broker = Served::start("{ mqtt: { commands: { every: 2s } } }")?;
    let port = broker.port.clone();
    let publish =
        |topic, what| output(Command::new(PUBLISH).args(["-p", &port, "-q", "1", "-t", topic, "-m", what]));
    broker.until_counted("images received by subscribers", || publish("s7/plc-0", "{}").map(drop))?;
    let listen = ["-p", &port, "-q", "1", "-t", "s7/+/+/set", "-C", "1", "-W", WAIT, "-F", "%t"];
    let command = Running::start(Command::new(SUBSCRIBE).args(listen))?.line(|_| true)?;
    if command != "s7/plc-0/t0/set" {
        return Err(format!("expected a command at s7/plc-0/t0/set, found one at {command}"));
    }
    broker.until_counted("commands carried out", || publish("s7/plc-0/t0/ack", r#"{"ok":true}"#).map(drop))
}
