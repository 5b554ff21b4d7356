//! Answers around and after the deadline: right, or a typed timeout, and never the data of another request.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use gateway_under_test::client::{ClientConfig, ClientError, OnTimeout, QUARANTINED_MAX, Reply};
use s7_wire::Item;
use tokio::time::{Instant, sleep, sleep_until};

use super::peer::{Peer, TIMEOUT, bytes_of, config, put_right_answer, scripted};

const ITEM: Item = Item::db_bytes(1, 0, 4);
const OTHER: Item = Item::db_bytes(9, 77, 4);

/// Answers the first read after `delay`, meanwhile every other at once.
async fn answer_the_first_after(mut peer: Peer, delay: Duration) {
    let (first, items) = peer.read().await.expect("a read");
    let due = Instant::now() + delay;
    loop {
        tokio::select! {
            biased;
            asked = peer.read() => {
                let Some((reference, items)) = asked else { return };
                peer.send(|out| put_right_answer(out, reference, &items)).await;
            }
            () = sleep_until(due) => break,
        }
    }
    peer.send(|out| put_right_answer(out, first, &items)).await;
    peer.serve().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_dropped_and_counted_and_its_reference_free_again() {
    let mut client = scripted(config(), 8, |peer| answer_the_first_after(peer, TIMEOUT * 3)).await;
    let began = Instant::now();
    let error = client.read_one(&ITEM).await.expect_err("three times too late");
    assert!(matches!(error, ClientError::RequestTimeout { after: TIMEOUT, .. }), "{error}");
    assert_eq!(began.elapsed(), TIMEOUT);
    assert_eq!(client.read_one(&OTHER).await.expect("the client goes on"), bytes_of(&OTHER));
    assert_eq!((client.stats().quarantined, client.stats().late_answers), (1, 0));
    sleep(TIMEOUT * 3).await;
    assert_eq!(client.read_one(&OTHER).await.expect("the right one"), bytes_of(&OTHER));
    assert_eq!((client.stats().quarantined, client.stats().late_answers), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn where_the_policy_says_so_a_timeout_ends_the_connection() {
    let config = ClientConfig { on_timeout: OnTimeout::Disconnect, ..config() };
    let mut client = scripted(config, 8, |peer| answer_the_first_after(peer, TIMEOUT * 3)).await;
    let error = client.read_one(&ITEM).await.expect_err("three times too late");
    assert!(error.is_final(), "{error}");
    let error = client.read_one(&OTHER).await.expect_err("over");
    assert!(matches!(error, ClientError::Over { after: "request_timeout" }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_plc_that_never_answers_fills_the_quarantine_and_is_given_up() {
    let mut client =
        scripted(config(), 8, |mut peer: Peer| async move { while peer.read().await.is_some() {} }).await;
    for timeouts in 1..=QUARANTINED_MAX {
        let error = client.read_one(&ITEM).await.expect_err("no answer");
        assert!(matches!(error, ClientError::RequestTimeout { .. }), "{error}");
        assert_eq!(client.stats().quarantined, timeouts);
    }
    let error = client.read_one(&ITEM).await.expect_err("one too many");
    assert!(matches!(error, ClientError::Quarantine { limit: QUARANTINED_MAX }), "{error}");
    assert!(client.is_over());
}

#[tokio::test(start_paused = true)]
async fn one_late_request_of_many_fails_alone() {
    let mut client = scripted(config(), 8, |peer| answer_the_first_after(peer, TIMEOUT * 3)).await;
    client.ask_read(0, &[ITEM]).expect("room");
    client.ask_read(1, &[OTHER]).expect("room");
    let settled = client.next().await.expect("the second");
    assert!(matches!((settled.tag, settled.reply), (1, Ok(_))));
    let settled = client.next().await.expect("the first, by its deadline");
    assert!(matches!((settled.tag, settled.reply), (0, Err(ClientError::RequestTimeout { .. }))));
    assert_eq!(client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_a_second_time_after_being_late_ends_the_connection() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, items) = peer.read().await.expect("a read");
        sleep(TIMEOUT * 2).await;
        for _ in 0..2 {
            peer.send(|out| put_right_answer(out, reference, &items)).await;
        }
        peer.serve().await;
    })
    .await;
    client.read_one(&ITEM).await.expect_err("too late");
    sleep(TIMEOUT * 2).await;
    let error = client.read_one(&OTHER).await.expect_err("the second is nobody's");
    assert!(matches!(error, ClientError::Unmatched { reference: 1 }), "{error}");
    assert_eq!(client.stats().late_answers, 1);
}

/// Answers each read rightly after a time of its own, up to twice what the client waits; so in any order.
async fn answer_when_it_pleases(mut peer: Peer, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut due: BTreeMap<(Instant, u16), BytesMut> = BTreeMap::new();
    loop {
        let next = due.keys().next().map(|&(at, _)| at);
        tokio::select! {
            biased;
            () = async { sleep_until(next.expect("guarded")).await }, if next.is_some() => {
                let (_, answer) = due.pop_first().expect("something is due");
                peer.send(|out| out.extend_from_slice(&answer)).await;
            }
            asked = peer.read() => {
                let Some((reference, items)) = asked else { return };
                let mut answer = BytesMut::new();
                put_right_answer(&mut answer, reference, &items);
                let delay = TIMEOUT.mul_f64(2.0 * rng.f64());
                due.insert((Instant::now() + delay, reference), answer);
            }
        }
    }
}

fn any_item(rng: &mut fastrand::Rng) -> Item {
    // Few lengths, so that answers of other requests would often be long enough.
    Item::db_bytes(rng.u16(1..=50), rng.u32(0..5000), rng.u16(1..=4) * 8)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reads_with_delays_around_the_deadline_are_right_or_time_out() {
    let mut client = scripted(config(), 8, |peer| answer_when_it_pleases(peer, 7)).await;
    let mut rng = fastrand::Rng::with_seed(8);
    let (mut right, mut timeouts) = (0, 0);
    for _ in 0..1000 {
        let item = any_item(&mut rng);
        match client.read_one(&item).await {
            Ok(data) => {
                assert_eq!(data, bytes_of(&item), "{item:?}");
                right += 1;
            }
            Err(ClientError::RequestTimeout { .. }) => timeouts += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(right > 300 && timeouts > 300, "{right} right, {timeouts} timeouts");
    let stats = client.stats();
    assert_eq!((stats.answers, stats.timeouts), (right, timeouts));
    assert_eq!(stats.late_answers + stats.quarantined as u64, timeouts);
}

#[tokio::test(start_paused = true)]
async fn so_are_a_thousand_that_are_under_way_together() {
    let mut client = scripted(config(), 8, |peer| answer_when_it_pleases(peer, 17)).await;
    let mut rng = fastrand::Rng::with_seed(18);
    let items: Vec<Item> = (0..1000).map(|_| any_item(&mut rng)).collect();
    let (mut asked, mut right, mut timeouts) = (0, 0, 0);
    while right + timeouts < items.len() {
        while asked < items.len() && client.has_room() {
            client.ask_read(asked, &items[asked..=asked]).expect("room");
            asked += 1;
        }
        let settled = client.next().await.expect("the connection lasts");
        match settled.reply {
            Ok(Reply::Read(answer)) => {
                let data = answer.items.iter().next().expect("one item").payload;
                assert_eq!(data, bytes_of(&items[settled.tag]));
                right += 1;
            }
            Err(ClientError::RequestTimeout { .. }) => timeouts += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(right > 300 && timeouts > 300, "{right} right, {timeouts} timeouts");
}
