//! Reads and writes that go well, at least for most of their items.

use bytes::Bytes;
use gateway_under_test::client::{ClientError, ItemRefusal, Reply};
use s7_wire::{Area, Item, Job, ReturnCode, WriteItem};

use super::peer::{Peer, byte_at, bytes_of, config, put_codes, put_right_answer, scripted, simulated};

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|byte| byte_at(7, byte)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_back() {
    let (_plc, mut client) = simulated(480).await;
    let item = Item::db_bytes(2, 10, 5);
    client.write_one(item, &[1, 2, 3, 4, 5]).await.expect("DB2 can be written");
    assert_eq!(client.read_one(&item).await.expect("DB2 can be read")[..], [1, 2, 3, 4, 5]);
    let bit = Item::bit(Area::Merkers, 0, 3, 6);
    client.write_one(bit, &[1]).await.expect("merkers can be written");
    assert_eq!(client.read_one(&bit).await.expect("a bit")[..], [1]);
    assert_eq!(client.read_one(&Item::bytes(Area::Merkers, 0, 3, 1)).await.expect("a byte")[..], [0x40]);
}

#[tokio::test(start_paused = true)]
async fn one_item_longer_than_a_pdu_is_written_and_read_in_parts() {
    let (plc, mut client) = simulated(240).await;
    let (item, payload) = (Item::db_bytes(2, 3, 1021), pattern(1021));
    client.write_one(item, &payload).await.expect("DB2 has 1,024 bytes");
    // 212 bytes fit a write.
    assert_eq!(plc.stats().requests, 1 + 5);
    assert_eq!(client.read_one(&item).await.expect("DB2 can be read"), payload);
    // 222 bytes fit a read.
    assert_eq!(plc.stats().requests, 1 + 5 + 5);
    let exact = Item::db_bytes(2, 3, 222);
    assert_eq!(client.read_one(&exact).await.expect("one PDU")[..], payload[..222]);
    assert_eq!(plc.stats().requests, 1 + 5 + 5 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_is_read_in_few_requests_and_comes_back_in_its_order() {
    let (plc, mut client) = simulated(240).await;
    client.write_one(Item::db_bytes(2, 0, 1024), &pattern(1024)).await.expect("DB2 has 1,024 bytes");
    let before = plc.stats().requests;
    // Scattered, backwards, overlapping; 200 bytes in a row are one item.
    let starts = [900, 600, 300].into_iter().chain((0..50).rev().map(|tag| tag * 4));
    let items: Vec<Item> = starts.map(|start| Item::db_bytes(2, start, 4)).collect();
    let results = client.read(&items).await.expect("a batch");
    for (item, result) in items.iter().zip(results) {
        let start = item.start_byte() as usize;
        assert_eq!(result, Ok(Bytes::copy_from_slice(&pattern(1024)[start..start + 4])), "{item:?}");
    }
    // One item of 200 bytes and three of 4 would be an answer of 14 + 204 + 3 · 8 = 242 bytes.
    assert_eq!(plc.stats().requests - before, 2);
}

#[tokio::test(start_paused = true)]
async fn forty_five_items_fit_three_requests() {
    let (plc, mut client) = simulated(240).await;
    let items: Vec<Item> = (0..45).map(|index| Item::bit(Area::Merkers, 0, index, 1)).collect();
    let before = plc.stats().requests;
    let results = client.read(&items).await.expect("a batch");
    assert_eq!(results, vec![Ok(Bytes::from_static(&[0])); 45]);
    assert_eq!(plc.stats().requests - before, 3);
    assert_eq!(client.read(&[]).await.expect("nothing to do"), []);
}

const fn refusal<T>(code: ReturnCode) -> Result<T, ItemRefusal> {
    Err(ItemRefusal(code))
}

#[tokio::test(start_paused = true)]
async fn each_item_has_a_result_of_its_own() {
    let (_plc, mut client) = simulated(480).await;
    let items = [Item::db_bytes(2, 0, 2), Item::db_bytes(99, 0, 2), Item::db_bytes(2, 1023, 2)];
    let results = client.read(&items).await.expect("a sound job");
    let zeros = Ok(Bytes::from_static(&[0, 0]));
    let (missing, past) = (ReturnCode::ObjectMissing, ReturnCode::InvalidAddress);
    assert_eq!(results, [zeros, refusal(missing), refusal(past)]);
    let error = client.read_one(&items[1]).await.expect_err("there is no DB99");
    assert!(matches!(error, ClientError::Item(ItemRefusal(ReturnCode::ObjectMissing))), "{error}");
    let writes = items.map(|item| WriteItem::new(item, &[7, 7]));
    let results = client.write(&writes).await.expect("a sound job");
    assert_eq!(results, [Ok(()), refusal(missing), refusal(past)]);
    assert!(!client.is_over());
}

#[tokio::test(start_paused = true)]
async fn a_bad_address_spoils_no_neighbour_with_which_it_was_read() {
    let (plc, mut client) = simulated(240).await;
    let before = plc.stats().requests;
    // The last two are read as one item first, which ends past the end of DB2.
    let items = [Item::db_bytes(2, 0, 300), Item::db_bytes(2, 1020, 4), Item::db_bytes(2, 1024, 4)];
    let results = client.read(&items).await.expect("a batch");
    assert_eq!(results[1], Ok(Bytes::from_static(&[0; 4])));
    assert_eq!(results[2], refusal(ReturnCode::InvalidAddress));
    assert_eq!(results[0].as_ref().map(Bytes::len), Ok(300));
    // Two, and one in which these two are asked apart.
    assert_eq!(plc.stats().requests - before, 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_item_of_which_a_part_is_refused_is_refused() {
    let (_plc, mut client) = simulated(240).await;
    let past = Item::db_bytes(2, 700, 400);
    assert_eq!(client.read(&[past]).await.expect("a batch"), [refusal(ReturnCode::InvalidAddress)]);
    let written = client.write(&[WriteItem::new(past, &[1; 400])]).await.expect("a batch");
    assert_eq!(written, [refusal(ReturnCode::InvalidAddress)]);
}

/// Takes `count` reads before it answers any, then answers them last first.
async fn answer_backwards(mut peer: Peer, count: usize) {
    let mut asked = Vec::new();
    for _ in 0..count {
        asked.extend(peer.read().await);
    }
    for (reference, items) in asked.iter().rev() {
        peer.send(|out| put_right_answer(out, *reference, items)).await;
    }
    peer.serve().await;
}

#[tokio::test(start_paused = true)]
async fn answers_may_come_in_any_order() {
    let mut client = scripted(config(), 4, |peer| answer_backwards(peer, 4)).await;
    let items: Vec<Item> = (0..4).map(|tag| Item::db_bytes(1, tag * 50, 8)).collect();
    for (tag, item) in items.iter().enumerate() {
        client.ask_read(tag, std::slice::from_ref(item)).expect("the PLC grants four");
    }
    let full = client.ask_read(9, &items[..1]).expect_err("and not five");
    assert!(matches!(full, ClientError::PipelineFull { limit: 4 }), "{full}");
    for expected in [3, 2, 1, 0] {
        let settled = client.next().await.expect("an answer");
        let Ok(Reply::Read(answer)) = settled.reply else { panic!("{settled:?}") };
        let data = answer.items.iter().next().expect("one item").payload;
        assert_eq!((settled.tag, &data[..]), (expected, &bytes_of(&items[expected])[..]));
    }
    assert!(matches!(client.next().await, Err(ClientError::NothingAsked)));
    assert!(!client.is_over(), "to ask wrongly is no reason to end");
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_answered_in_any_order_are_put_together_rightly() {
    let mut client = scripted(config(), 4, |peer| answer_backwards(peer, 4)).await;
    let item = Item::db_bytes(3, 5, 4 * 222 + 100);
    assert_eq!(client.read_one(&item).await.expect("five parts"), bytes_of(&item));
}

#[tokio::test(start_paused = true)]
async fn writes_wait_for_each_other_and_stop_at_an_error() {
    let mut client = scripted(config(), 8, |mut peer| async move {
        let Some((first, Job::Write(_))) = peer.job().await else { panic!("expected a write") };
        let early = tokio::time::timeout(super::peer::TIMEOUT / 2, peer.job()).await;
        assert!(early.is_err(), "the second write waits for the answer to the first");
        peer.send(|out| put_codes(out, first, &[ReturnCode::Success])).await;
        let Some((second, Job::Write(_))) = peer.job().await else { panic!("expected a write") };
        let refused = s7_wire::HeaderError { class: 0x83, code: 0 };
        peer.send(|out| s7_wire::encode_refusal(out, second, refused)).await;
        peer.serve().await;
    })
    .await;
    let error = client.write_one(Item::db_bytes(1, 0, 600), &[1; 600]).await.expect_err("the second part");
    assert!(matches!(error, ClientError::Refused(_)), "{error}");
    let item = Item::db_bytes(1, 0, 4);
    // `serve` takes reads alone: the third part was not written.
    assert_eq!(client.read_one(&item).await.expect("the client goes on"), bytes_of(&item));
}

#[tokio::test(start_paused = true)]
async fn calls_do_not_settle_what_others_asked() {
    let mut client = scripted(config(), 4, Peer::serve).await;
    let items = [Item::db_bytes(1, 0, 4)];
    client.ask_read(0, &items).expect("room");
    assert!(matches!(client.read(&items).await, Err(ClientError::Busy { under_way: 1 })));
    assert_eq!(client.next().await.expect("its answer").tag, 0);
    assert_eq!(client.read(&items).await.expect("now"), [Ok(Bytes::from(bytes_of(&items[0])))]);
}
