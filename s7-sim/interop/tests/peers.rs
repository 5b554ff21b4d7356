//! Other clients against the simulator, and our client against other servers: what is written is what is read.
//!
//! Needs what `README.md` builds and installs first; a missing program fails its test with its path.

use std::time::Duration;

use gateway_under_test::client::{Client, ClientConfig, ClientError};
use s7_interop::{SERVERS, Server};
use s7_wire::{ConnectionType, Item, WriteItem};
use tokio::net::TcpStream;

const PATTERN: [u8; 64] = {
    let mut pattern = [0; 64];
    let mut at = 0;
    while at < 64 {
        pattern[at] = at as u8 ^ 0x5a;
        at += 1;
    }
    pattern
};

fn server(name: &str) -> Server {
    let (_, command) = SERVERS.iter().find(|(known, _)| known.starts_with(name)).expect("a known server");
    Server::start(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

async fn ours(port: u16) -> Client<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    Client::connect(stream, ClientConfig::new(ConnectionType::Pg, 0, 1), deadline).await.expect("a handshake")
}

#[test]
fn rust7_reads_what_it_wrote_to_the_simulator() {
    let sim = server("s7-sim");
    let mut client = rust7::client::S7Client::new();
    client.set_connection_port(sim.port).expect("a port");
    client.connect_rack_slot("127.0.0.1", 0, 1).expect("a handshake");
    client.write_db(2, 100, &PATTERN).expect("a write");
    let mut found = [0; 64];
    client.read_db(2, 100, &mut found).expect("a read");
    assert_eq!(found, PATTERN);
    client.write_bit(0x83, 0, 10, 3, true).expect("a bit");
    assert!(client.read_bit(0x83, 0, 10, 3).expect("a bit"));
    assert!(client.read_db(77, 0, &mut found).is_err(), "there is no DB77");
}

#[tokio::test]
async fn snap7_client_reads_what_was_written_to_the_simulator_and_its_own_writes_are_no_s7() {
    let sim = server("s7-sim");
    ours(sim.port).await.write_one(Item::db_bytes(2, 100, 64), &PATTERN).await.expect("a write");
    let address = ([127, 0, 0, 1], sim.port).into();
    let params = snap7_client::types::ConnectParams::default();
    let client = snap7_client::S7Client::connect(address, params).await.expect("a handshake");
    assert_eq!(client.db_read(2, 100, 64).await.expect("a read")[..], PATTERN);
    assert!(client.db_read(77, 0, 4).await.is_err(), "there is no DB77");
    // It sends a write's data in the parameter part, with a data part of no bytes; no PLC can take that.
    assert!(
        client.db_write(2, 100, &PATTERN).await.is_err(),
        "0.1.7 was repaired: ask it to read what it wrote"
    );
}

/// Writes and reads with our client; reads of several items at once, and of one longer than a PDU.
async fn round_trip(name: &str) {
    let server = server(name);
    let mut client = ours(server.port).await;
    let items = [Item::db_bytes(1, 0, 64), Item::db_bytes(2, 3, 5)];
    for (item, payload) in [(items[0], &PATTERN[..]), (items[1], &PATTERN[..5])] {
        client.write_one(item, payload).await.expect("a write");
    }
    let read = client.read(&items).await.expect("an answer");
    let read: Vec<&[u8]> = read.iter().map(|data| &data.as_ref().expect("data")[..]).collect();
    assert_eq!(read, [&PATTERN[..], &PATTERN[..5]]);
    let long = client.read_one(&Item::db_bytes(1, 0, 1000)).await.expect("parts, put together");
    assert_eq!((long.len(), &long[..64]), (1000, &PATTERN[..]));
}

#[tokio::test]
async fn our_client_reads_what_it_wrote_to_libsnap7() {
    round_trip("libsnap7").await;
}

#[tokio::test]
async fn our_client_reads_what_it_wrote_to_python_snap7() {
    round_trip("python-snap7").await;
}

#[tokio::test]
async fn our_client_reads_what_it_wrote_to_snap7_server() {
    round_trip("snap7-server").await;
}

#[tokio::test]
async fn one_code_for_two_writes_is_no_answer() {
    let items = [Item::db_bytes(1, 0, 2), Item::db_bytes(1, 2, 2)];
    let writes = items.map(|item| WriteItem::new(item, &PATTERN[..2]));
    let right = server("libsnap7");
    assert!(ours(right.port).await.write(&writes).await.is_ok());
    let wrong = server("python-snap7");
    let error = ours(wrong.port).await.write(&writes).await.expect_err("its server answers with one code");
    assert!(matches!(error, ClientError::ItemCount { expected: 2, found: 1, .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_block_is_an_item_refused_by_name() {
    for name in ["libsnap7", "python-snap7", "s7-sim"] {
        let server = server(name);
        let error = ours(server.port).await.read_one(&Item::db_bytes(77, 0, 4)).await.expect_err("no DB77");
        assert!(matches!(error, ClientError::Item(_)) && !error.is_final(), "{name}: {error}");
    }
}
