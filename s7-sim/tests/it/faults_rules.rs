//! Fault rules: what each action does to the bytes that a client sees.

use std::time::Duration;

use bytes::BytesMut;
use s7_sim::{Faults, Plc, PlcConfig, Refusal, SessionEnd};
use s7_wire::{Item, encode_read_request};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::client::{Client, ITEM, plc};

/// The answer to a read of [`ITEM`] with reference 1.
const ANSWER: [u8; 29] = [
    3, 0, 0, 29, 2, 0xf0, 0x80, // TPKT, DT
    0x32, 3, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0, // header: reference 1, parameter 2, data 8
    4, 1, 0xff, 4, 0, 32, 0, 0, 0, 0, // one item of 32 bits
];

/// A PLC with these rules in force.
fn with_rules(rules: &str) -> Plc {
    let plc = plc(PlcConfig::default());
    set_rules(&plc, rules);
    plc
}

fn set_rules(plc: &Plc, rules: &str) {
    let faults: Faults = serde_json::from_str(&format!(r#"{{"rules": [{rules}]}}"#)).unwrap();
    plc.set_faults(faults);
}

/// A rule for reads alone.
fn on_read(action: &str) -> String {
    format!(r#"{{"when": {{"function": "read"}}, "do": {action}}}"#)
}

/// A client of a PLC that does this to reads, with one read sent.
async fn asked(action: &str) -> (Plc, Client) {
    let plc = with_rules(&on_read(action));
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM]).await;
    (plc, client)
}

async fn bytes(client: &mut Client, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    client.stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// All that is heard of one read, until a second of silence or the end.
async fn heard(action: &str) -> Vec<u8> {
    let (_plc, mut client) = asked(action).await;
    let mut heard = Vec::new();
    let second = Duration::from_secs(1);
    while let Ok(Ok(1..)) = tokio::time::timeout(second, client.stream.read_buf(&mut heard)).await {}
    heard
}

/// The answer with these bytes in place of its own.
fn answer_with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut answer = ANSWER.to_vec();
    changes.iter().for_each(|&(at, byte)| answer[at] = byte);
    answer
}

async fn references<const COUNT: usize>(client: &mut Client) -> [u16; COUNT] {
    let mut references = [0; COUNT];
    for reference in &mut references {
        *reference = client.answer().await.unwrap().0;
    }
    references
}

#[tokio::test(start_paused = true)]
async fn no_rule_no_fault() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM]).await;
    assert_eq!(bytes(&mut client, 29).await, ANSWER);
}

#[tokio::test(start_paused = true)]
async fn forged_answers_are_wrong_in_one_place() {
    assert_eq!(heard(r#"{"wrong_reference": 300}"#).await, answer_with(&[(11, 1), (12, 45)]));
    assert_eq!(heard(r#"{"wrong_function": 5}"#).await, answer_with(&[(19, 5)]));
    assert_eq!(heard(r#"{"wrong_item_count": 7}"#).await, answer_with(&[(20, 7)]));
}

#[tokio::test(start_paused = true)]
async fn short_answers_lie_as_deep_as_told() {
    let short = |lengths: &str| format!(r#"{{"short_answer": {{"bytes": 3, "lengths": "{lengths}"}}}}"#);
    let consistent = answer_with(&[(3, 26), (16, 5), (24, 8)]);
    assert_eq!(heard(&short("consistent")).await, consistent[..26]);
    assert_eq!(heard(&short("item_lies")).await, answer_with(&[(3, 26), (16, 5)])[..26]);
    assert_eq!(heard(&short("header_lies")).await, answer_with(&[(3, 26)])[..26]);
    assert_eq!(heard(&short("packet_lies")).await, ANSWER[..26]);
}

#[tokio::test(start_paused = true)]
async fn corruption_hits_as_many_bytes_as_told_and_the_same_ones_again() {
    let corrupt = r#"{"corrupt": {"bytes": 2, "from": 7}}"#;
    let found = heard(corrupt).await;
    let wrong = found.iter().zip(ANSWER).filter(|(found, honest)| *found != honest).count();
    assert_eq!((found.len(), wrong, &found[..7]), (29, 2, &ANSWER[..7]));
    assert_eq!(heard(corrupt).await, found);
}

#[tokio::test(start_paused = true)]
async fn fragments_are_dts_of_so_many_bytes() {
    let found = heard(r#"{"fragment": {"bytes": 10}}"#).await;
    let packet = |eot: u8, data: &[u8]| [&[3, 0, 0, 7 + data.len() as u8, 2, 0xf0, eot], data].concat();
    let expected = [packet(0, &ANSWER[7..17]), packet(0, &ANSWER[17..27]), packet(0x80, &ANSWER[27..])];
    assert_eq!(found, expected.concat());
}

#[tokio::test(start_paused = true)]
async fn byte_by_byte_is_one_write_a_byte_each_in_its_time() {
    let (_plc, mut client) = asked(r#"{"byte_by_byte": {"every": "10ms"}}"#).await;
    let start = Instant::now();
    for (index, byte) in ANSWER.into_iter().enumerate() {
        let mut room = [0; 64];
        assert_eq!(client.stream.read(&mut room).await.unwrap(), 1, "one byte at a time");
        assert_eq!(room[0], byte);
        let waited = start.elapsed().as_millis() as usize;
        assert!((10 * index..10 * index + 3).contains(&waited), "byte {index} after {waited} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_up_what_comes_behind() {
    let plc = with_rules(r#"{"when": {"request": 2}, "do": {"delay": {"by": "1s", "jitter": "1s"}}}"#);
    let mut client = Client::ready(&plc).await;
    let start = Instant::now();
    client.send_read(1, &[ITEM]).await;
    client.send_read(2, &[ITEM]).await;
    assert_eq!(references(&mut client).await, [1, 2]);
    assert!((1000..2002).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_overtaken() {
    let plc = with_rules(r#"{"when": {"request": 2}, "do": {"late": {"by": "1s"}}}"#);
    let mut client = Client::ready(&plc).await;
    for reference in 1..=3 {
        client.send_read(reference, &[ITEM]).await;
    }
    let start = Instant::now();
    assert_eq!(references(&mut client).await, [2, 3]);
    assert!(start.elapsed() < Duration::from_millis(5));
    assert_eq!(references(&mut client).await, [1]);
    assert!((1000..1003).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn swapped_answers_change_places_also_when_the_second_job_comes_later() {
    let plc = with_rules(r#"{"when": {"request": 2}, "do": "swap"}"#);
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    client.send_read(2, &[ITEM]).await;
    assert_eq!(references(&mut client).await, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_comes_at_once_or_after_others() {
    assert_eq!(heard(r#"{"duplicate": {}}"#).await, [ANSWER, ANSWER].concat());
    let plc = with_rules(r#"{"when": {"request": 2}, "do": {"duplicate": {"after": "1s"}}}"#);
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM]).await;
    client.send_read(2, &[ITEM]).await;
    assert_eq!(references(&mut client).await, [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn silence_loses_one_answer_and_stays_in_step() {
    let plc = with_rules(r#"{"when": {"request": {"every": 2}}, "do": "silence"}"#);
    let mut client = Client::ready(&plc).await;
    for reference in 1..=4 {
        client.send_read(reference, &[ITEM]).await;
    }
    assert_eq!(references(&mut client).await, [2, 4]);
    assert!(client.hears_nothing_for(Duration::from_secs(30)).await);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_mid_frame_is_the_last_that_is_heard() {
    let plc = with_rules(r#"{"when": {"request": 3}, "do": "stop_mid_frame"}"#);
    let mut client = Client::ready(&plc).await;
    for reference in [9, 1, 2] {
        client.send_read(reference, &[ITEM]).await;
    }
    assert_eq!(references(&mut client).await, [9]);
    assert!(client.hears_nothing_for(Duration::from_secs(30)).await, "half a frame, then nothing");
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_does_not_come_after_the_last_that_is_heard() {
    let late = r#"{"when": {"request": 2}, "do": {"late": {"by": "1s"}}}"#;
    let plc = with_rules(&format!(r#"{late}, {{"when": {{"request": 3}}, "do": "stop_mid_frame"}}"#));
    let mut client = Client::ready(&plc).await;
    client.send_read(7, &[ITEM]).await;
    client.send_read(1, &[ITEM]).await;
    assert_eq!(bytes(&mut client, 14).await, ANSWER[..14]);
    assert!(client.hears_nothing_for(Duration::from_secs(30)).await);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_session_neither_reads_nor_closes_until_the_idle_policy() {
    let (plc, mut client) = asked(r#""half_open""#).await;
    let start = Instant::now();
    assert!(client.hears_nothing_for(Duration::from_secs(59)).await);
    // Nobody reads: 64 kB fill the stream, and the rest never fits.
    let jobs = vec![0; 65 * 1024];
    assert!(tokio::time::timeout(Duration::from_millis(100), client.stream_write(&jobs)).await.is_err());
    assert_eq!(plc.stats().sessions, 1, "it holds its slot");
    assert!(matches!(client.end().await, SessionEnd::IdleTimeout { .. }));
    assert_eq!((start.elapsed().as_secs(), plc.stats().sessions), (60, 0));
}

#[tokio::test(start_paused = true)]
async fn close_ends_in_order_and_reset_asks_for_one() {
    let (_plc, mut client) = asked(r#"{"close": {"answered": true}}"#).await;
    assert_eq!(bytes(&mut client, 29).await, ANSWER);
    assert_eq!(client.message().await, None);
    assert!(matches!(client.end().await, SessionEnd::ClosedOnPurpose));

    let (_plc, mut client) = asked(r#"{"reset": {}}"#).await;
    assert_eq!(client.message().await, None);
    let end = client.end().await;
    assert!(matches!(end, SessionEnd::Reset) && end.asks_for_reset());
}

#[tokio::test(start_paused = true)]
async fn every_third_connection_is_refused() {
    let plc = with_rules(
        r#"{"when": {"connection": {"every": 3}, "function": "connect"}, "do": {"refuse": "reset"}}"#,
    );
    for connection in 1..=6 {
        let mut client = Client::dial(&plc);
        client.send_connect().await;
        assert_eq!(client.message().await.is_none(), connection % 3 == 0, "connection {connection}");
    }
    assert_eq!((plc.stats().refused, plc.stats().refused_fault), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_connect_confirm_can_be_silenced_and_the_slot_comes_back() {
    let plc = with_rules(r#"{"when": {"function": "connect"}, "do": "silence"}"#);
    let mut client = Client::dial(&plc);
    client.send_connect().await;
    assert_eq!(client.message().await, None);
    assert!(matches!(client.end().await, SessionEnd::HandshakeTimeout { .. }));
    assert_eq!(plc.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_a_db_leaves_the_others_alone() {
    let plc = with_rules(r#"{"when": {"db": 1}, "do": "silence"}"#);
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM, Item::db_bytes(1, 0, 2)]).await;
    client.send_read(2, &[ITEM]).await;
    assert_eq!(references(&mut client).await, [2]);
}

#[tokio::test(start_paused = true)]
async fn rules_add_up_in_their_order() {
    let rules = [r#"{"wrong_reference": 1}"#, r#"{"delay": {"by": "1s"}}"#, r#"{"fragment": {"bytes": 22}}"#];
    let plc = with_rules(&rules.map(on_read).join(","));
    let mut client = Client::ready(&plc).await;
    let start = Instant::now();
    client.send_read(1, &[ITEM]).await;
    let forged = answer_with(&[(12, 2)]);
    assert_eq!(bytes(&mut client, 29).await, [&[3, 0, 0, 29, 2, 0xf0, 0x80], &forged[7..]].concat());
    assert!((1000..1003).contains(&start.elapsed().as_millis()));
}

#[tokio::test(start_paused = true)]
async fn pipelined_jobs_before_a_struck_one_are_answered_as_ever() {
    let plc = with_rules(r#"{"when": {"request": 4}, "do": {"reset": {}}}"#);
    let mut client = Client::ready(&plc).await;
    let mut jobs = BytesMut::new();
    for reference in 1..=4 {
        encode_read_request(&mut jobs, reference, &[ITEM]).unwrap();
    }
    client.send(&jobs).await;
    assert_eq!(references(&mut client).await, [1, 2]);
    assert_eq!(client.message().await, None);
}

#[tokio::test(start_paused = true)]
async fn chance_is_the_seeds_and_no_neighbour_changes_it() {
    let answered = |seed: u64, neighbours: usize| async move {
        let plc = plc(PlcConfig { seed, slots: 50, ..PlcConfig::default() });
        let mut client = Client::ready(&plc).await;
        set_rules(&plc, r#"{"when": {"p": 0.5}, "do": "silence"}"#);
        for _ in 0..neighbours {
            let mut neighbour = Client::connect(&plc).await;
            neighbour
                .send_with(|out| {
                    s7_wire::Setup { amq_calling: 1, amq_called: 1, pdu_length: 240 }.encode_request(out, 1)
                })
                .await;
        }
        for reference in 0..40 {
            client.send_read(reference, &[ITEM]).await;
        }
        let mut answered = Vec::new();
        while let Ok(Some((reference, _))) =
            tokio::time::timeout(Duration::from_secs(1), client.answer()).await
        {
            answered.push(reference);
        }
        answered
    };
    let first = answered(1, 0).await;
    assert!((8..32).contains(&first.len()), "{first:?}");
    assert_eq!(answered(1, 5).await, first);
    assert_ne!(answered(2, 0).await, first);
}

#[tokio::test(start_paused = true)]
async fn connections_have_chances_of_their_own() {
    let plc = with_rules(r#"{"when": {"function": "read", "p": 0.5}, "do": {"wrong_reference": 1000}}"#);
    let struck = async |mut client: Client| {
        let mut struck = Vec::new();
        for reference in 0..40 {
            client.send_read(reference, &[ITEM]).await;
            struck.push(references(&mut client).await != [reference]);
        }
        struck
    };
    let (first, second) = (Client::ready(&plc).await, Client::ready(&plc).await);
    assert_ne!(struck(first).await, struck(second).await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_reset_is_told_to_whoever_owns_the_stream() {
    let plc = plc(PlcConfig { slots: 1, refusal: Refusal::Reset, ..PlcConfig::default() });
    let _first = Client::connect(&plc).await;
    let mut second = Client::dial(&plc);
    second.send_connect().await;
    assert_eq!(second.message().await, None);
    assert!(second.end().await.asks_for_reset());
}
