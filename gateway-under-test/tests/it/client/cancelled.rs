//! Futures dropped at every await: the client is as good as before, or says that it is over.

use std::time::Duration;

use gateway_under_test::client::{ClientConfig, ClientError, OnTimeout};
use s7_wire::{Item, WriteItem};
use tokio::io::duplex;
use tokio::time::{sleep, timeout};

use super::peer::{Peer, TIMEOUT, bytes_of, config, connect, put_right_answer, scripted};

const ITEM: Item = Item::db_bytes(1, 0, 4);
const OTHER: Item = Item::db_bytes(9, 77, 4);
/// Longer than any test's call takes, in steps of a millisecond.
const STEPS: u64 = 80;

/// Answers each read after a millisecond, byte by byte where `slowly`.
async fn serve_slowly(mut peer: Peer) {
    while let Some((reference, items)) = peer.read().await {
        let mut answer = bytes::BytesMut::new();
        put_right_answer(&mut answer, reference, &items);
        for chunk in answer.chunks(40) {
            sleep(Duration::from_millis(1)).await;
            peer.send(|out| out.extend_from_slice(chunk)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_after_any_time_leaves_a_client_that_reads_rightly() {
    let long = Item::db_bytes(3, 0, 2000);
    let mut finished = 0;
    for step in 0..STEPS {
        let mut client = scripted(config(), 4, serve_slowly).await;
        let patience = Duration::from_millis(step);
        if timeout(patience, client.read_one(&long)).await.is_ok() {
            finished += 1;
        }
        assert_eq!(client.under_way(), 0, "after {step} ms");
        assert_eq!(client.read_one(&OTHER).await.expect("usable"), bytes_of(&OTHER), "after {step} ms");
    }
    assert!((1..STEPS).contains(&finished), "{finished} of {STEPS} reads were not dropped");
}

#[tokio::test(start_paused = true)]
async fn what_a_dropped_read_asked_is_in_quarantine() {
    let mut client = scripted(config(), 4, serve_slowly).await;
    assert!(timeout(Duration::ZERO, client.read_one(&ITEM)).await.is_err());
    assert_eq!((client.stats().quarantined, client.stats().abandoned), (1, 1));
    assert_eq!(client.read_one(&OTHER).await.expect("usable"), bytes_of(&OTHER));
    assert_eq!((client.stats().quarantined, client.stats().late_answers), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn where_timeouts_end_the_connection_a_dropped_read_does_so_too() {
    let config = ClientConfig { on_timeout: OnTimeout::Disconnect, ..config() };
    let mut client = scripted(config, 4, serve_slowly).await;
    assert!(timeout(Duration::ZERO, client.read_one(&ITEM)).await.is_err());
    let error = client.read_one(&OTHER).await.expect_err("over");
    assert!(matches!(error, ClientError::Over { after: "abandoned" }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_yet_is_taken_back() {
    let mut client = scripted(config(), 4, |mut peer: Peer| async move {
        let (reference, items) = peer.read().await.expect("the second request is the first to come");
        assert_eq!(items, [OTHER]);
        peer.send(|out| put_right_answer(out, reference, &items)).await;
        peer.serve().await;
    })
    .await;
    client.ask_write(0, &[WriteItem::new(ITEM, &[1, 2, 3, 4])]).expect("room");
    client.abandon();
    assert_eq!(client.stats().quarantined, 0);
    assert_eq!(client.read_one(&OTHER).await.expect("usable"), bytes_of(&OTHER));
}

#[tokio::test(start_paused = true)]
async fn a_request_cut_in_the_middle_is_never_finished_later() {
    // The link holds 48 bytes, less than the request: the rest waits until the peer reads.
    let (ours, theirs) = duplex(48);
    let peer = tokio::spawn(async move {
        let mut peer = Peer::new(theirs);
        peer.shake_hands(4).await;
        sleep(TIMEOUT / 2).await;
        peer.job().await
    });
    let mut client = connect(ours, config()).await.expect("the peer shakes hands");
    let write = client.write_one(Item::db_bytes(1, 0, 200), &[1; 200]);
    assert!(timeout(TIMEOUT / 4, write).await.is_err());
    let error = client.read_one(&OTHER).await.expect_err("over");
    assert!(matches!(error, ClientError::Over { after: "abandoned" }), "{error}");
    // The stream is closed although the client is still there, and the write never carried out.
    assert_eq!(peer.await.expect("no panic"), None);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_after_any_poll_leaves_a_client_that_reads_rightly_or_is_over() {
    let items: Vec<Item> = (0..6).map(|db| Item::db_bytes(db, 3, 90)).collect();
    let (mut usable, mut over) = (0, 0);
    for polls in 0..60 {
        // A link so short that one request takes several polls to send; three make the batch.
        let (ours, theirs) = duplex(20);
        tokio::spawn(async move {
            let mut peer = Peer::new(theirs);
            peer.shake_hands(4).await;
            peer.serve().await;
        });
        let mut client = connect(ours, config()).await.expect("the peer shakes hands");
        {
            let mut read = tokio_test::task::spawn(client.read(&items));
            for _ in 0..polls {
                if read.poll().is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        match client.read_one(&OTHER).await {
            Ok(data) => {
                assert_eq!(data, bytes_of(&OTHER), "after {polls} polls");
                usable += 1;
            }
            Err(ClientError::Over { after: "abandoned" }) => over += 1,
            Err(error) => panic!("after {polls} polls: {error}"),
        }
    }
    assert!(usable > 5 && over > 5, "{usable} usable, {over} over");
}

#[tokio::test(start_paused = true)]
async fn next_loses_nothing_when_it_is_dropped() {
    let mut client = scripted(config(), 4, |mut peer: Peer| async move {
        let (reference, items) = peer.read().await.expect("a read");
        sleep(Duration::from_millis(10)).await;
        peer.send(|out| put_right_answer(out, reference, &items)).await;
        peer.serve().await;
    })
    .await;
    client.ask_read(5, &[ITEM]).expect("room");
    let mut dropped = 0;
    let settled = loop {
        match timeout(Duration::from_millis(3), client.next()).await {
            Ok(settled) => break settled.expect("an answer"),
            Err(_elapsed) => dropped += 1,
        }
    };
    assert!(dropped > 1);
    assert!(matches!((settled.tag, settled.reply), (5, Ok(_))));
    assert_eq!(client.stats().quarantined, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_closes_the_connection() {
    let (ours, theirs) = duplex(4096);
    let peer = tokio::spawn(async move {
        let mut peer = Peer::new(theirs);
        peer.message().await;
        peer.message().await
    });
    assert!(timeout(TIMEOUT, connect(ours, config())).await.is_err());
    assert_eq!(peer.await.expect("no panic"), None);
}
