//! Connections and jobs that a PLC does not want: each refusal has a type, and says what to do.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use gateway_under_test::client::{Client, ClientError, Stage};
use s7_wire::{Connection, Disconnect, HeaderError, Item, encode_refusal};
use tokio::io::duplex;
use tokio::time::{Instant, sleep};

use super::peer::{Peer, bytes_of, config, connect, scripted};
use crate::world::LINK_BYTES;

const ITEM: Item = Item::db_bytes(1, 0, 4);

/// Why there is no connection to a peer that plays `script`.
async fn refused<F>(script: impl FnOnce(Peer) -> F) -> ClientError
where
    F: Future<Output = ()> + Send + 'static,
{
    let (ours, theirs) = duplex(LINK_BYTES);
    tokio::spawn(script(Peer::new(theirs)));
    connect(ours, config()).await.expect_err("the peer refuses")
}

fn dr(reason: u8) -> impl FnOnce(&mut BytesMut) {
    move |out| Disconnect { destination: 1, source: 0, reason }.encode(out)
}

#[tokio::test(start_paused = true)]
async fn by_dr_with_its_reason() {
    for (reason, advice) in
        [(Disconnect::CONGESTION, "every connection slot"), (Disconnect::NOT_ATTACHED, "rack and slot")]
    {
        let error = refused(async move |mut peer: Peer| {
            peer.message().await;
            peer.send(dr(reason)).await;
        })
        .await;
        assert!(error.to_string().contains(advice), "{error}");
        let stage = Stage::Connect(config().called);
        assert!(
            matches!(error, ClientError::Disconnected { stage: at, reason: why } if (at, why) == (stage, reason)),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn by_closing_instead_of_answering_the_cr() {
    let error = refused(async |mut peer: Peer| drop(peer.message().await)).await;
    assert_eq!(
        error.to_string(),
        "connecting to TSAP 01.01: the PLC closed the connection: check rack and slot, and whether a connection slot is free"
    );
}

#[tokio::test(start_paused = true)]
async fn by_rst() {
    let mut request = BytesMut::new();
    Connection::request(config().calling, config().called).encode_request(&mut request);
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let stream = tokio_test::io::Builder::new().write(&request).read_error(reset).build();
    let error = Client::connect(stream, config(), Instant::now() + Duration::from_secs(3)).await;
    let error = error.expect_err("a reset is no connection");
    assert!(matches!(error, ClientError::Reset { stage: Stage::Connect(_) }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn in_setup_communication() {
    let error = refused(async |mut peer: Peer| {
        peer.confirm().await;
        let (reference, _setup) = peer.job().await.expect("setup");
        peer.send(|out| encode_refusal(out, reference, HeaderError::FUNCTION_UNAVAILABLE)).await;
    })
    .await;
    assert!(matches!(error, ClientError::SetupRefused(HeaderError::FUNCTION_UNAVAILABLE)), "{error}");
    let error = refused(async |mut peer: Peer| {
        peer.confirm().await;
        peer.job().await;
    })
    .await;
    assert!(matches!(error, ClientError::Closed { stage: Stage::Setup }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn by_silence_until_the_callers_deadline() {
    let began = Instant::now();
    let error = refused(async |mut peer: Peer| {
        peer.message().await;
        sleep(Duration::from_secs(3600)).await;
        drop(peer);
    })
    .await;
    assert!(matches!(error, ClientError::HandshakeTimeout { stage: Stage::Connect(_) }), "{error}");
    let error = refused(async |mut peer: Peer| {
        peer.confirm().await;
        peer.job().await;
        sleep(Duration::from_secs(3600)).await;
    })
    .await;
    assert!(matches!(error, ClientError::HandshakeTimeout { stage: Stage::Setup }), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn jobs_as_a_whole_and_the_next_job_is_served() {
    let refusals = [(0x81, 0x04), (0x85, 0x00), (0xd6, 0x02), (0xd2, 0x41), (0x83, 0x01)];
    let mut client = scripted(config(), 8, move |mut peer: Peer| async move {
        for (class, code) in refusals {
            let (reference, _items) = peer.read().await.expect("a read");
            peer.send(|out| encode_refusal(out, reference, HeaderError { class, code })).await;
        }
        peer.serve().await;
    })
    .await;
    let mut errors = Vec::new();
    for _ in refusals {
        errors.push(client.read_one(&ITEM).await.expect_err("a refusal"));
    }
    assert!(matches!(
        errors[..],
        [
            ClientError::FunctionUnavailable,
            ClientError::PduTooLong,
            ClientError::Protected(_),
            ClientError::Protected(_),
            ClientError::Refused(_)
        ]
    ));
    assert_eq!(client.read_one(&ITEM).await.expect("now it may"), bytes_of(&ITEM));
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_by_dr_close_and_rst() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        peer.read().await;
        peer.send(dr(Disconnect::NORMAL)).await;
    })
    .await;
    let error = client.read_one(&ITEM).await.expect_err("over");
    assert!(matches!(error, ClientError::Disconnected { stage: Stage::Jobs, reason: 0x80 }), "{error}");
    let mut client = scripted(config(), 8, |mut peer: Peer| async move { drop(peer.read().await) }).await;
    let error = client.read_one(&ITEM).await.expect_err("over");
    assert!(matches!(error, ClientError::Closed { stage: Stage::Jobs }), "{error}");
    let mut client = scripted(config(), 8, async |peer: Peer| drop(peer)).await;
    let error = client.watch().await;
    assert!(matches!(error, ClientError::Closed { stage: Stage::Jobs }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_plc_that_takes_no_bytes_is_given_up_in_time() {
    let mut client = scripted(config(), 8, async |peer: Peer| {
        sleep(Duration::from_secs(3600)).await;
        drop(peer);
    })
    .await;
    let began = Instant::now();
    // Fills what the link holds: forty writes of 200 bytes.
    let payload = [0; 200];
    let mut last = Ok(());
    for _ in 0..5 {
        while client.has_room() {
            let write = s7_wire::WriteItem::new(Item::db_bytes(1, 0, 200), &payload);
            client.ask_write(0, &[write]).expect("room");
        }
        last = client.send().await;
        client.abandon();
        if last.is_err() {
            break;
        }
    }
    assert!(matches!(last, Err(ClientError::SendTimeout { .. })), "{last:?}");
    assert_eq!(began.elapsed(), config().request_timeout);
    assert!(client.is_over());
}
