//! The simulated network under the paused clock.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use watertight::chaos::link::Link;
use watertight::chaos::{Fault, FaultId, Side, SimListener, SimNet, SimStream};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;
use watertight::units::{Size, Time};

const SECOND: Duration = Duration::from_secs(1);

pub struct World {
    pub net: SimNet,
    pub link: Arc<Link>,
    pub listener: SimListener,
}

pub fn fault(yaml: &str) -> Fault {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

impl World {
    pub fn new(spec: LinkSpec) -> Self {
        let net = SimNet::new();
        let link = net.link("plc", &spec, Side::Server);
        let listener = net.listen("plc", "plc-0").expect("the name is free");
        Self { net, link, listener }
    }

    pub async fn pair(&self) -> (SimStream, SimStream) {
        let client = self.net.connect("target", &self.link, "plc-0").await.expect("connects");
        (client, self.listener.accept().await.expect("accepts"))
    }

    pub fn begin(&self, yaml: &str) -> FaultId {
        let fault = fault(yaml);
        let id = fault.id(0, Seed(7));
        self.link.apply(id, &fault);
        id
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_and_a_half_close_is_carried_through() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    heard.clear();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"answer");
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_stops_the_writer_and_a_read_lets_it_go_on() {
    let world = World::new(LinkSpec { buffer: Some(Size(1_000)), latency: None });
    let (mut client, mut server) = world.pair().await;
    assert_eq!(client.write(&[1; 5_000]).await.unwrap(), 1_000);
    let mut writer = tokio_test::task::spawn(client.write(b"x"));
    assert!(writer.poll().is_pending());
    server.read_exact(&mut [0; 10]).await.unwrap();
    assert!(writer.is_woken());
    assert!(writer.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn base_latency_delays_connects_by_a_round_trip_and_bytes_one_way() {
    let world = World::new(LinkSpec { buffer: None, latency: Some(Time(SECOND)) });
    let begin = Instant::now();
    let (mut client, mut server) = world.pair().await;
    assert_eq!(begin.elapsed(), 2 * SECOND);
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    assert_eq!(begin.elapsed(), 3 * SECOND);
    drop(client);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begin.elapsed(), 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_refuses_and_a_listener_that_goes_resets_who_waits() {
    let world = World::new(LinkSpec::default());
    let refused = world.net.connect("target", &world.link, "nobody").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let mut waiting = world.net.connect("target", &world.link, "plc-0").await.unwrap();
    drop(world.listener);
    assert_eq!(waiting.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_bounded_and_an_accept_makes_room() {
    let world = World::new(LinkSpec::default());
    let mut waiting = Vec::new();
    for _ in 0..watertight::chaos::sim::BACKLOG {
        waiting.push(world.net.connect("target", &world.link, "plc-0").await.unwrap());
    }
    let mut late = tokio_test::task::spawn(world.net.connect("target", &world.link, "plc-0"));
    assert!(late.poll().is_pending());
    let _accepted = world.listener.accept().await.unwrap();
    assert!(late.is_woken());
    assert!(late.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn writing_to_a_peer_that_closed_succeeds_once_and_then_breaks_the_pipe() {
    let world = World::new(LinkSpec::default());
    let (mut client, server) = world.pair().await;
    drop(server);
    client.write_all(b"first").await.unwrap();
    assert_eq!(client.write(b"second").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn sockets_are_counted_by_owner_while_they_are_open() {
    let world = World::new(LinkSpec::default());
    assert_eq!((world.net.sockets_of("plc"), world.net.sockets_of("target")), (1, 0));
    let (client, server) = world.pair().await;
    assert_eq!((world.net.sockets_of("plc"), world.net.sockets_of("target")), (2, 1));
    assert_eq!(&*world.net.open_endpoints("target")[0].peer, "plc-0");
    assert_eq!(world.link.stats().open_now, 1);
    drop((client, server));
    assert_eq!((world.net.sockets_of("plc"), world.net.sockets_of("target")), (1, 0));
    assert_eq!(world.link.stats().open_now, 0);
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_silence_costs_no_wake_up() {
    let world = World::new(LinkSpec::default());
    let (mut client, _server) = world.pair().await;
    let mut buffer = [0];
    let mut reader = tokio_test::task::spawn(client.read(&mut buffer));
    assert!(reader.poll().is_pending());
    tokio::time::sleep(3_600 * SECOND).await;
    assert!(!reader.is_woken());
}
