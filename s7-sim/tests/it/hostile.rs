//! Bytes without sense, and the right ones at the wrong time.

use bytes::BytesMut;
use proptest::prelude::*;
use s7_sim::{PlcConfig, SessionEnd};
use s7_wire::{Answer, Setup, encode_read_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, ITEM, plc};

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_session_after_what_was_asked_before_it_is_answered() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut bytes = BytesMut::new();
    encode_read_request(&mut bytes, 1, &[ITEM]).unwrap();
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    client.send(&bytes).await;
    assert!(matches!(client.answer().await, Some((1, Answer::Read(_)))));
    assert_eq!(client.message().await, None);
    let end = client.end().await;
    assert!(matches!(end, SessionEnd::Decode(_)), "{end}");
    assert_eq!((plc.stats().protocol_errors, plc.stats().sessions), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_before_the_connect_is_never_answered() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::dial(&plc);
    client.send_read(1, &[ITEM]).await;
    assert_eq!(client.message().await, None);
    assert_eq!(client.end().await.to_string(), "expected a CR, found an S7 PDU");
}

#[tokio::test(start_paused = true)]
async fn a_read_before_setup_is_never_answered() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::connect(&plc).await;
    client.send_read(1, &[ITEM]).await;
    assert_eq!(client.message().await, None);
    assert_eq!(client.end().await.to_string(), "expected setup communication, found another job");
}

#[tokio::test(start_paused = true)]
async fn a_second_connect_and_an_answer_end_the_session() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    client.send_connect().await;
    assert_eq!(client.end().await.to_string(), "expected a job, found a CR");
    let mut client = Client::ready(&plc).await;
    let setup = Setup { amq_calling: 1, amq_called: 1, pdu_length: 240 };
    client.send_with(|out| setup.encode_answer(out, 1)).await;
    assert_eq!(client.end().await.to_string(), "expected a job, found an answer");
}

#[tokio::test(start_paused = true)]
async fn lying_lengths_inside_a_job_are_never_answered() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut job = BytesMut::new();
    encode_read_request(&mut job, 1, &[ITEM, ITEM]).unwrap();
    job[18] = 3; // three items, says the count
    client.send(&job).await;
    assert_eq!(client.message().await, None);
    assert!(matches!(client.end().await, SessionEnd::Job(_)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_session_ends_and_the_slot_is_free(
        bytes in prop::collection::vec(any::<u8>(), 0..300), ready: bool, job: bool,
    ) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let plc = plc(PlcConfig::default());
            let mut client = if ready { Client::ready(&plc).await } else { Client::dial(&plc) };
            if job {
                let [a, b, c, d] = s7_wire::tpkt::header(7 + bytes.len() as u16);
                let head = [a, b, c, d, 2, 0xf0, 0x80];
                let _ = client.stream.write_all(&head).await;
            }
            let _ = client.stream.write_all(&bytes).await;
            let _ = client.stream.shutdown().await;
            let mut answers = Vec::new();
            let _ = client.stream.read_to_end(&mut answers).await;
            client.end().await;
            assert_eq!((plc.stats().sessions, plc.stats().connections), (0, 0));
        });
    }
}
