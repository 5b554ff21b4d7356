//! Answers that are not those to what was asked: none is data, each ends the connection with a reason.

use bytes::{Buf as _, BytesMut};
use gateway_under_test::client::{ClientError, ItemRefusal};
use s7_wire::{DataTransport, Item, ReadAnswerWriter, ReturnCode, Setup};

use super::peer::{Peer, bytes_of, config, put_codes, put_right_answer, scripted};

const ITEMS: [Item; 2] = [Item::db_bytes(1, 0, 4), Item::db_bytes(2, 8, 3)];

/// What a read comes to when its answer is what `lie` writes; and that the connection is over then.
async fn told(lie: impl FnOnce(&mut BytesMut, u16) + Send + 'static) -> ClientError {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, _items) = peer.read().await.expect("a read");
        peer.send(|out| lie(out, reference)).await;
        peer.serve().await;
    })
    .await;
    let error = client.read(&ITEMS).await.expect_err("a lie is never data");
    assert!(error.is_final(), "{error}");
    let after = client.read(&ITEMS).await.expect_err("the connection is over");
    assert!(matches!(after, ClientError::Over { after } if after == error.word()), "{after}");
    error
}

fn put_payloads(out: &mut BytesMut, reference: u16, payloads: &[&[u8]]) {
    let mut writer = ReadAnswerWriter::begin(out, reference, payloads.len() as u8);
    for payload in payloads {
        assert!(writer.success(DataTransport::Byte, payload));
    }
    writer.finish().expect("short enough");
}

#[tokio::test(start_paused = true)]
async fn another_reference() {
    let error = told(|out, reference| put_right_answer(out, reference.wrapping_add(1), &ITEMS)).await;
    assert!(matches!(error, ClientError::Unmatched { reference: 2 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn another_function() {
    let error = told(|out, reference| put_codes(out, reference, &[ReturnCode::Success; 2])).await;
    assert!(matches!(error, ClientError::Function { expected: "read", .. }), "{error}");
    let setup = Setup { amq_calling: 1, amq_called: 1, pdu_length: 240 };
    let error = told(move |out, reference| setup.encode_answer(out, reference)).await;
    assert!(matches!(error, ClientError::Function { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn another_number_of_items() {
    let error = told(|out, reference| put_right_answer(out, reference, &ITEMS[..1])).await;
    assert!(matches!(error, ClientError::ItemCount { expected: 2, found: 1, .. }), "{error}");
    let error = told(|out, reference| put_payloads(out, reference, &[&[0; 4], &[0; 3], &[0; 3]])).await;
    assert!(matches!(error, ClientError::ItemCount { expected: 2, found: 3, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_shorter_or_longer() {
    let error = told(|out, reference| put_payloads(out, reference, &[&[0; 4], &[0; 2]])).await;
    assert!(matches!(error, ClientError::ItemLength { index: 1, expected: 3, found: 2, .. }), "{error}");
    let error = told(|out, reference| put_payloads(out, reference, &[&[0; 6], &[0; 3]])).await;
    assert!(matches!(error, ClientError::ItemLength { index: 0, expected: 4, found: 6, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_job_in_place_of_an_answer() {
    let error = told(|out, reference| {
        s7_wire::encode_read_request(out, reference, &ITEMS).expect("a sound job");
    })
    .await;
    assert!(matches!(error, ClientError::Answer(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_s7() {
    let error = told(|out, _| out.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert!(matches!(error, ClientError::Garbage(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_twice_is_data_once() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, items) = peer.read().await.expect("a read");
        peer.send(|out| {
            put_right_answer(out, reference, &items);
            put_right_answer(out, reference, &items);
        })
        .await;
        peer.serve().await;
    })
    .await;
    assert_eq!(client.read_one(&ITEMS[0]).await.expect("the first"), bytes_of(&ITEMS[0]));
    let error = client.read_one(&ITEMS[1]).await.expect_err("the second");
    assert!(matches!(error, ClientError::Unmatched { reference: 1 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_before_the_request_went_out_is_never_data() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, items) = peer.read().await.expect("a read");
        peer.send(|out| {
            put_right_answer(out, reference, &items);
            put_right_answer(out, reference + 1, &items);
        })
        .await;
        peer.serve().await;
    })
    .await;
    assert_eq!(client.read_one(&ITEMS[0]).await.expect("the first"), bytes_of(&ITEMS[0]));
    let same_length = Item::db_bytes(7, 70, 4);
    let error = client.read_one(&same_length).await.expect_err("a guess");
    assert!(matches!(error, ClientError::Unmatched { reference: 2 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_length_of_a_refused_item_is_ignored() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, _items) = peer.read().await.expect("a read");
        peer.send(|out| {
            let mut writer = ReadAnswerWriter::begin(out, reference, 2);
            writer.failure(ReturnCode::ObjectMissing);
            assert!(writer.success(DataTransport::Byte, &[1, 2, 3]));
            writer.finish().expect("short enough");
            // The last eleven bytes: 0A 00 and a length, then the second item. The length says: 4 bytes follow.
            let length_at = out.len() - 9;
            assert_eq!((&out[length_at - 2..]).get_u32(), 0x0a00_0000);
            out[length_at + 1] = 4;
        })
        .await;
    })
    .await;
    let results = client.read(&ITEMS).await.expect("a sound answer");
    assert_eq!(results[0], Err(ItemRefusal(ReturnCode::ObjectMissing)));
    assert_eq!(results[1].as_ref().map(|data| &data[..]), Ok(&[1, 2, 3][..]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_too_few_codes_is_no_success() {
    let mut client = scripted(config(), 8, |mut peer: Peer| async move {
        let (reference, _write) = peer.job().await.expect("a write");
        peer.send(|out| put_codes(out, reference, &[])).await;
    })
    .await;
    let error = client.write_one(ITEMS[0], &[1, 2, 3, 4]).await.expect_err("no code, no success");
    assert!(matches!(error, ClientError::ItemCount { expected: 1, found: 0, .. }), "{error}");
}
