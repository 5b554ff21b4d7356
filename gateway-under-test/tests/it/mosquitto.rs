//! The MQTT side over real TCP with a broker that others wrote, if it is installed.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::config::{Config, MqttConfig, MqttVersion};
use gateway_under_test::net::TcpNet;
use s7_sim::{Plc, PlcConfig};

use crate::port::Port;
use crate::world::{gauge, station, until};

/// Where Linux distributions put the broker and its clients.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

fn program(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// Ends its process when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mosquitto(program: &Path, folder: &Path, port: u16) -> Running {
    let config = folder.join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))
        .expect("a temporary file");
    let mut broker = Command::new(program);
    let child = broker.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(child.expect("it is installed"))
}

/// A simulated PLC behind a real socket.
async fn plc() -> (Plc, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let plc = Plc::new(PlcConfig::default()).expect("the default is sound");
    let serving = plc.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let plc = serving.clone();
            tokio::spawn(async move { drop(plc.serve(stream).await) });
        }
    });
    (plc, address)
}

fn configuration(plc: String, port: u16, version: MqttVersion) -> Config {
    let mut press = station("press");
    (press.address, press.interval) = (plc, Duration::from_millis(50));
    press.tags.iter_mut().for_each(|tag| tag.writable = true);
    let mut mqtt = MqttConfig::new(format!("127.0.0.1:{port}"));
    (mqtt.version, mqtt.commands) = (version, true);
    Config { stations: vec![press], mqtt: Some(mqtt), ..Config::default() }
}

/// Writes over MQTT with mosquitto's own client, and says what it was answered.
async fn ask_for_a_write(client: PathBuf, port: u16) -> String {
    let said = tokio::task::spawn_blocking(move || {
        Command::new(client)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "mqttv5", "-q", "1", "-W", "20"])
            .args(["-t", "s7/press/seven/set", "-m", "4321", "-e", "office/answer"])
            .output()
            .expect("it is installed")
    });
    let output = said.await.expect("no panic");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn values_go_out_and_writes_come_in_through_mosquitto() {
    let (Some(broker), Some(client)) = (program("mosquitto"), program("mosquitto_rr")) else {
        println!("skipped: mosquitto and mosquitto_rr are not installed");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let (kept, (plc, address)) = (Port::free(), plc().await);
        let port = kept.number;
        let config = configuration(address, port, version);
        let net = Arc::new(TcpNet { send_buffer: config.http.send_buffer });
        // The broker comes after the gateway, and once more after it was away.
        let gateway = Gateway::start(config, net, 7).await.expect("a sound configuration");
        for round in 1..=2 {
            let running = mosquitto(&broker, folder.path(), port);
            until("the broker", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
            until("the connection", || gauge(&gateway, "mqtt_connected") == 1).await;
            let published = gauge(&gateway, "mqtt_published");
            until("images", || gauge(&gateway, "mqtt_published") > published + 5).await;
            if version == MqttVersion::V5 {
                assert_eq!(ask_for_a_write(client.clone(), port).await, r#"{"ok":true}"#);
                assert_eq!(plc.stats().items_written, round);
            }
            drop(running);
            until("the loss", || gauge(&gateway, "mqtt_connected") == 0).await;
        }
        gateway.shutdown().await.expect("an ordered end");
    }
}
