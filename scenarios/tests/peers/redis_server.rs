//! The simulated Redis server with redis-cli, and redis-server with the clients of this world.

use std::process::Command;

use watertight_scenarios::redis::{Hub, serve};

use super::Test;
use super::program::{Running, Served, listen, output, until};

const SERVER: &str = "/usr/bin/redis-server";
const CLIENT: &str = "/usr/bin/redis-cli";

pub const CLIENTS_AT_THE_SIMULATED_SERVER: Test = Test {
    name: "redis::its_client_works_at_the_simulated_server",
    needs: &[CLIENT],
    run: at_the_simulated_server,
};

pub const CLIENTS_OF_THIS_WORLD_AT_THE_REAL_SERVER: Test =
    Test { name: "redis::it_carries_images_and_commands", needs: &[SERVER, CLIENT], run: at_the_real_server };

fn redis_cli(port: &str, words: &[&str]) -> Command {
    let mut command = Command::new(CLIENT);
    command.args(["-p", port]).args(words);
    command
}

fn at_the_simulated_server() -> Result<(), String> {
    ["-2", "-3"].into_iter().try_for_each(of_version)
}

fn of_version(version: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let hub = Hub::default();
    let port = listen(&runtime, move |stream| serve(hub.clone(), stream))?;
    let pong = output(&mut redis_cli(&port, &[version, "PING"]))?;
    if pong != "PONG" {
        return Err(format!("{version}: expected PONG, found {pong}"));
    }
    let mut listener = Running::start(&mut redis_cli(&port, &[version, "PSUBSCRIBE", "s7:values:*"]))?;
    until("somebody listens", || {
        let publish = [version, "PUBLISH", "s7:values:plc-0", "an image"];
        Ok(output(&mut redis_cli(&port, &publish))? == "1")
    })?;
    listener.line(|line| line.contains("an image")).map(drop)
}

fn at_the_real_server() -> Result<(), String> {
    let mut server = Served::start("{ redis: { commands: { every: 2s } } }")?;
    let port = server.port.clone();
    let publish = |channel, what| output(&mut redis_cli(&port, &["PUBLISH", channel, what])).map(drop);
    server.until_counted("images received by subscribers", || publish("s7:values:plc-0", "{}"))?;
    let mut listener = Running::start(&mut redis_cli(&port, &["SUBSCRIBE", "s7:commands"]))?;
    let command = listener.line(|line| line.contains("\"id\""))?;
    if !(command.contains(r#""station":"plc-0""#) && command.contains(r#""tag":"t0""#)) {
        return Err(format!("expected a command to t0 of plc-0, found {command}"));
    }
    server.until_counted("commands carried out", || publish("s7:results", r#"{"id":"c0","ok":true}"#))
}
