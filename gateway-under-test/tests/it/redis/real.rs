//! The real server, if it is installed.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway_under_test::Gateway;
use gateway_under_test::config::Secret;
use gateway_under_test::net::{BoxStream, Listener, Net, TcpNet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::server::with_commands;
use crate::port::Port;
use crate::world::{World, gauge};

/// The stations of a world, and loopback for everything else.
struct Both(Arc<World>);

impl Net for Both {
    fn connect(&self, to: &str) -> BoxFuture<'static, std::io::Result<BoxStream>> {
        if to.starts_with("127.0.0.1:") {
            TcpNet { send_buffer: 65_536 }.connect(to)
        } else {
            self.0.connect(to)
        }
    }

    fn listen(&self, at: &str) -> BoxFuture<'static, std::io::Result<Box<dyn Listener>>> {
        self.0.listen(at).boxed()
    }
}

/// A server that ends with the test, and its port.
struct Server(Child, Port);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis_server() -> Option<Server> {
    let port = Port::free();
    let port_text = port.number.to_string();
    let args = ["--bind", "127.0.0.1", "--port", &port_text, "--save", "", "--appendonly", "no"];
    let mut server = Command::new("redis-server");
    server.args(args).args(["--requirepass", "s3cret"]).stdout(Stdio::null());
    match server.spawn() {
        Ok(child) => Some(Server(child, port)),
        Err(error) => {
            println!("skipped: redis-server does not start: {error}");
            None
        }
    }
}

/// A client of the test's own that has subscribed to everything, and speaks in inline commands.
async fn listener(port: u16) -> TcpStream {
    let connecting = async {
        loop {
            match TcpStream::connect(("127.0.0.1", port)).await {
                Ok(stream) => return stream,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let mut stream = timeout(Duration::from_secs(20), connecting).await.expect("redis-server listens");
    stream.write_all(b"AUTH s3cret\r\nPSUBSCRIBE s7:*\r\n").await.expect("it reads");
    stream
}

async fn hears(stream: &mut TcpStream, words: &str) -> String {
    let mut heard = Vec::new();
    let hearing = async {
        while !String::from_utf8_lossy(&heard).contains(words) {
            assert!(stream.read_buf(&mut heard).await.expect("it speaks") > 0, "it hung up");
        }
    };
    let in_time = timeout(Duration::from_secs(20), hearing).await.is_ok();
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(in_time, "{words} in {heard}");
    heard
}

#[tokio::test]
async fn the_real_redis_carries_commands_results_and_events() {
    let Some(server) = redis_server() else { return };
    let mut ears = listener(server.1.number).await;
    let mut mouth = listener(server.1.number).await;
    mouth.write_all(b"PUNSUBSCRIBE\r\n").await.expect("it reads");
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = with_commands();
    let side = config.redis.as_mut().expect("a Redis side");
    side.address = format!("127.0.0.1:{}", server.1.number);
    (side.password, side.database) = (Some(Secret::new("s3cret")), 3);
    let gateway = Gateway::start(config, Arc::new(Both(world)), 7).await.expect("a sound configuration");
    hears(&mut ears, r#"s7:values:press"#).await;
    let command = r#"{\"id\":\"x\",\"station\":\"press\",\"tag\":\"seven\",\"value\":9}"#;
    mouth.write_all(format!("PUBLISH s7:commands \"{command}\"\r\n").as_bytes()).await.expect("it reads");
    hears(&mut ears, r#"{"id":"x","ok":true}"#).await;
    assert_eq!((plc.stats().items_written, gauge(&gateway, "redis_errors")), (1, 0));
    gateway.shutdown().await.expect("an ordered end");
}
