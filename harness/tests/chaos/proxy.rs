//! What is the TCP proxy's own: ports, megabytes, parties that go.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::{DEADLINE, Net, Stream, until};

#[tokio::test]
async fn a_refusing_port_stays_reserved_and_listens_again() {
    let net = Net::tcp().await;
    let id = net.begin("refuse: { link: plc }");
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
    net.begin("latency: { link: plc, delay: 2ms, jitter: 3ms }");
    net.begin("bandwidth: { link: plc, rate: 50MiB/s }");
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
    let id = net.begin("half_open: { link: plc }");
    drop(server);
    client.write_all(b"anybody?").await.unwrap();
    drop(client);
    assert_eq!(net.link().stats().open_now, 1);
    net.link().heal(id);
    until("the connection is forgotten", || net.link().stats().open_now == 0).await;
    net.end().await;
}
