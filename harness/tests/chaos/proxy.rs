//! What a TCP chaos proxy must hold (the T rows that toxiproxy was measured wrong on).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use watertight::chaos::link::Link;
use watertight::chaos::{Proxy, Side};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;

use crate::sim::fault;
use crate::truth::{DEADLINE, Net, Stream, ping};

fn begin(net: &Net, yaml: &str) -> watertight::chaos::FaultId {
    let fault = fault(yaml);
    let id = fault.id(0, Seed(7));
    net.link().apply(id, &fault);
    id
}

/// Waits for what the proxy does in its own time.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, poll).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Raises the soft limit of open descriptors, which is 1024 on many machines.
fn allow_descriptors(count: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        limit.current = Some(count);
        setrlimit(Resource::Nofile, limit).expect("the hard limit allows it");
    }
}

async fn read_all(stream: &mut Stream) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut all)).await.unwrap().unwrap();
    all
}

#[tokio::test]
async fn t1_and_t2_faults_come_and_go_while_1000_connections_are_stalled_and_a_reset_is_a_rst_on_each() {
    allow_descriptors(1_000 * 4 + 500);
    let net = Net::tcp().await;
    let mut pairs = Vec::new();
    for _ in 0..1_000 {
        pairs.push(net.pair().await);
    }
    begin(&net, "stall: { link: plc }");
    for (client, _) in &mut pairs {
        client.write_all(&[1; 8_192]).await.unwrap();
    }
    let id = begin(&net, "latency: { link: plc, delay: 1ms }");
    assert_eq!(net.link().stats().open_now, 1_000);
    net.link().heal(id);
    begin(&net, "reset: { link: plc }");
    for (client, server) in &mut pairs {
        for end in [client, server] {
            let seen = timeout(DEADLINE, end.read(&mut [0])).await.unwrap();
            assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    }
    assert_eq!(net.link().stats().cut, 1_000);
    net.end().await;
}

#[tokio::test]
async fn t3_after_the_clients_shutdown_the_servers_answer_still_arrives() {
    let net = Net::tcp().await;
    let (mut client, mut server) = net.pair().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut server).await, b"question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(read_all(&mut client).await, b"answer");
    until("the connection is forgotten", || net.link().stats().open_now == 0).await;
    net.end().await;
}

#[tokio::test]
async fn t4_a_black_hole_heals_without_closing_the_connection() {
    let net = Net::tcp().await;
    let (mut client, mut server) = net.pair().await;
    let id = begin(&net, "blackhole: { link: plc }");
    client.write_all(b"!").await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(50), server.read(&mut byte)).await.is_err());
    net.link().heal(id);
    assert_eq!(timeout(DEADLINE, server.read(&mut byte)).await.unwrap().unwrap(), 1);
    ping(&mut server, &mut client).await;
    net.end().await;
}

#[tokio::test]
async fn t7_a_stalled_reader_makes_the_writer_wait() {
    let net = Net::tcp().await;
    let (mut client, mut server) = net.pair().await;
    let id = begin(&net, "stall: { link: plc }");
    let chunk = vec![7; 64 * 1024];
    let mut sent = 0;
    // The kernel's buffers on both sides come on top of the link's; none of them grows without end.
    while let Ok(Ok(count)) = timeout(Duration::from_millis(200), client.write(&chunk)).await {
        sent += count;
        assert!(sent < 64 << 20, "somebody holds everything");
    }
    net.link().heal(id);
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut server).await.len(), sent);
    net.end().await;
}

#[tokio::test]
async fn t8_clients_that_wait_for_a_black_hole_do_not_wait_for_each_other() {
    let net = Net::tcp().await;
    let id = begin(&net, "blackhole: { link: plc, p: 50% }");
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(net.connect().await.unwrap());
    }
    let link = net.link().clone();
    until("all are decided", || link.stats().hung + link.stats().connections_opened == 40).await;
    let through = link.stats().connections_opened;
    assert!((5..35).contains(&through), "{through}");
    net.link().heal(id);
    until("the others follow", || link.stats().connections_opened == 40).await;
    net.end().await;
}

#[tokio::test]
async fn t10_faults_that_are_there_before_the_proxy_hold_from_the_first_connect() {
    let link = Link::new("plc", &LinkSpec::default(), Side::Server);
    let refuse = fault("refuse: { link: plc }");
    link.apply(refuse.id(0, Seed(7)), &refuse);
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = Proxy::start(loopback, loopback, link).await.unwrap();
    let first = TcpStream::connect(proxy.addr()).await;
    assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.shutdown().await;
}

#[tokio::test]
async fn a_refusing_port_stays_reserved_and_listens_again() {
    let net = Net::tcp().await;
    let id = begin(&net, "refuse: { link: plc }");
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    while !net.connect().await.is_err_and(refused) {}
    let Net::Tcp { proxy, .. } = &net else { unreachable!("a TCP net") };
    // Without SO_REUSEADDR, as any program that is given a free port binds it.
    let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    assert_eq!(stranger.bind(&proxy.addr().into()).unwrap_err().kind(), ErrorKind::AddrInUse);
    net.link().heal(id);
    let connect = async {
        while net.connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, connect).await.expect("it listens again");
    net.end().await;
}

#[tokio::test]
async fn megabytes_pass_both_ways_unharmed_under_latency_and_limited_bandwidth() {
    let net = Net::tcp().await;
    begin(&net, "latency: { link: plc, delay: 2ms, jitter: 3ms }");
    begin(&net, "bandwidth: { link: plc, rate: 50MiB/s }");
    let (client, server) = net.pair().await;
    let data: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    let both = async { tokio::join!(exchange(client, &data), exchange(server, &data)) };
    let (down, up) = timeout(DEADLINE, both).await.unwrap();
    assert!(down == data && up == data);
    net.end().await;
}

async fn exchange(stream: Stream, data: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Vec::new();
    let write = async {
        writer.write_all(data).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(write, reader.read_to_end(&mut heard));
    read.unwrap();
    heard
}

#[tokio::test]
async fn a_party_that_resets_is_heard_at_the_other_end_and_frees_the_connection() {
    let net = Net::tcp().await;
    let Net::Tcp { proxy, .. } = &net else { unreachable!("a TCP net") };
    let client = TcpStream::connect(proxy.addr()).await.unwrap();
    let mut server = net.accept().await;
    client.set_zero_linger().unwrap();
    drop(client);
    let seen = timeout(DEADLINE, server.read(&mut [0])).await.unwrap();
    assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset);
    until("the connection is forgotten", || net.link().stats().open_now == 0).await;
    net.end().await;
}

#[tokio::test]
async fn a_half_open_survivor_that_closes_is_forgotten_once_the_fault_is_over() {
    let net = Net::tcp().await;
    let (mut client, server) = net.pair().await;
    until("the proxy has it", || net.link().stats().open_now == 1).await;
    let id = begin(&net, "half_open: { link: plc }");
    drop(server);
    client.write_all(b"anybody?").await.unwrap();
    drop(client);
    assert_eq!(net.link().stats().open_now, 1);
    net.link().heal(id);
    until("the connection is forgotten", || net.link().stats().open_now == 0).await;
    net.end().await;
}
