//! No half-made and no idle session is held for ever.

use std::time::Duration;

use s7_sim::{Plc, PlcConfig, SessionEnd};
use tokio::time::Instant;

use crate::client::{Client, ITEM, plc};

fn quick() -> Plc {
    let (handshake_timeout, idle_timeout) = (Duration::from_secs(3), Duration::from_secs(20));
    plc(PlcConfig { handshake_timeout, idle_timeout, ..PlcConfig::default() })
}

async fn assert_handshake_timeout(plc: &Plc, mut client: Client, start: Instant) {
    assert_eq!(client.message().await, None);
    assert_eq!(start.elapsed().as_secs(), 3);
    assert!(matches!(client.end().await, SessionEnd::HandshakeTimeout { .. }));
    assert_eq!((plc.stats().timeouts, plc.stats().sessions, plc.stats().connections), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_says_a_word_is_closed() {
    let (plc, start) = (quick(), Instant::now());
    assert_handshake_timeout(&plc, Client::dial(&plc), start).await;
}

#[tokio::test(start_paused = true)]
async fn half_a_connect_request_is_closed() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::dial(&plc);
    client.send(&[3, 0, 0, 22, 17, 0xe0]).await;
    assert_handshake_timeout(&plc, client, start).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_setup_gives_its_slot_back() {
    let (plc, start) = (quick(), Instant::now());
    let client = Client::connect(&plc).await;
    assert_eq!(plc.stats().sessions, 1);
    assert_handshake_timeout(&plc, client, start).await;
}

#[tokio::test(start_paused = true)]
async fn empty_data_does_not_stretch_the_handshake() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::connect(&plc).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.send(&[3, 0, 0, 7, 2, 0xf0, 0x80]).await;
    }
    assert_handshake_timeout(&plc, client, start).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_closed_after_its_last_byte_and_a_busy_one_is_not() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::ready(&plc).await;
    for reference in 0..10 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        client.send_read(reference, &[ITEM]).await;
        assert!(client.answer().await.is_some());
    }
    assert_eq!(client.message().await, None);
    assert_eq!(start.elapsed().as_secs(), 10 * 15 + 20);
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_closed() {
    let plc = quick();
    let mut client = Client::ready(&plc).await;
    // 64 kB of answers fill the stream, then the session's own bound; the rest of the jobs is never read.
    let mut jobs = bytes::BytesMut::new();
    for reference in 0..1000 {
        s7_wire::encode_read_request(&mut jobs, reference, &[s7_wire::Item::db_bytes(2, 0, 400)]).unwrap();
    }
    client.send(&jobs).await;
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
    assert!(plc.stats().requests < 400, "{:?}", plc.stats());
}

#[tokio::test(start_paused = true)]
async fn half_a_job_after_setup_is_closed() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::ready(&plc).await;
    client.send(&[3, 0, 0, 31, 2, 0xf0]).await;
    assert_eq!(client.message().await, None);
    assert_eq!(start.elapsed().as_secs(), 20);
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
    assert_eq!((plc.stats().timeouts, plc.stats().sessions), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drips_a_job_byte_by_byte_does_not_hold_its_slot() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::ready(&plc).await;
    for byte in [3, 0, 3, 0xe8] {
        client.send(&[byte]).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(client.message().await, None);
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
    assert_eq!((start.elapsed().as_secs(), plc.stats().sessions), (24, 0), "closed at 20, seen at 24");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drips_a_connect_request_is_closed() {
    let (plc, start) = (quick(), Instant::now());
    let mut client = Client::dial(&plc);
    for byte in [3, 0, 0, 22, 17] {
        client.send(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_handshake_timeout(&plc, client, start).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_byte_now_and_then_is_closed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let plc = quick();
    let (mut stream, server) = tokio::io::duplex(64);
    let session = tokio::spawn(async move { plc.serve(server).await });
    let mut hello = bytes::BytesMut::new();
    let tsap = s7_wire::Tsap::two(1, 0);
    s7_wire::Connection::request(tsap, tsap).encode_request(&mut hello);
    s7_wire::Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(&mut hello, 0);
    s7_wire::encode_read_request(&mut hello, 1, &[s7_wire::Item::db_bytes(2, 0, 400)]).unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut taken = 0;
    while stream.read_u8().await.is_ok() {
        taken += 1;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(matches!(session.await.unwrap(), SessionEnd::IdleTimeout { .. }));
    assert!(taken < 150, "{taken} bytes of 474, those in the stream's own buffer among them");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_does_not_hang_up_is_gone_all_the_same() {
    let plc = quick();
    plc.update_faults(|faults| faults.refuse = Some(s7_sim::Refusal::Disconnect));
    let mut client = Client::dial(&plc);
    client.send_connect().await;
    assert!(matches!(client.end().await, SessionEnd::Refused { .. }));
    assert_eq!(plc.stats().connections, 0);
}
