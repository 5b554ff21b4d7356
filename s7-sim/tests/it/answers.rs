//! Right answers to right and wrong jobs.

use std::time::Duration;

use bytes::BytesMut;
use s7_sim::{DataBlock, PlcConfig, SessionEnd};
use s7_wire::{
    Answer, Area, HeaderError, Item, ReturnCode, Rosctr, Setup, TransportSize, WriteItem,
    encode_read_request, encode_write_request,
};

use crate::client::{Client, ITEM, plc, read_items};

#[tokio::test(start_paused = true)]
async fn a_connect_confirm_has_22_bytes() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::dial(&plc);
    client.send_connect().await;
    let mut confirm = [0; 22];
    tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut confirm).await.unwrap();
    assert_eq!(confirm[..6], [3, 0, 0, 22, 17, 0xd0]);
    assert!(client.hears_nothing_for(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn setup_agrees_to_no_more_than_the_plc_has() {
    let plc = plc(PlcConfig { pdu_length: 240, amq: 3, ..PlcConfig::default() });
    let mut client = Client::connect(&plc).await;
    let wish = Setup { amq_calling: 8, amq_called: 1, pdu_length: 960 };
    client.send_with(|out| wish.encode_request(out, 9)).await;
    let agreed = Setup { amq_calling: 3, amq_called: 1, pdu_length: 240 };
    assert_eq!(client.answer().await, Some((9, Answer::Setup(agreed))));
}

#[tokio::test(start_paused = true)]
async fn pipelined_jobs_are_answered_in_order_with_their_references() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut jobs = BytesMut::new();
    for reference in 100..140 {
        encode_read_request(&mut jobs, reference, &[ITEM]).unwrap();
    }
    client.send(&jobs).await;
    for reference in 100..140 {
        let (found, answer) = client.answer().await.unwrap();
        assert_eq!((found, read_items(answer)), (reference, vec![(0xff, vec![0; 4])]));
    }
    assert_eq!(plc.stats().items_read, 40);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_byte_by_byte_is_served() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut job = BytesMut::new();
    encode_read_request(&mut job, 5, &[ITEM, ITEM]).unwrap();
    for byte in job {
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.unwrap().0, 5);
}

#[tokio::test(start_paused = true)]
async fn what_one_session_writes_another_reads() {
    let plc = plc(PlcConfig::default());
    let (mut writer, mut reader) = (Client::ready(&plc).await, Client::ready(&plc).await);
    let items = [WriteItem::new(ITEM, &[1, 2, 3, 4]), WriteItem::new(Item::db_bytes(77, 0, 1), &[1])];
    writer.send_with(|out| encode_write_request(out, 1, &items).unwrap()).await;
    let (_, Answer::Write(answer)) = writer.answer().await.unwrap() else { panic!() };
    assert_eq!(answer.codes().collect::<Vec<_>>(), [ReturnCode::Success, ReturnCode::ObjectMissing]);
    reader.send_read(2, &[ITEM]).await;
    assert_eq!(read_items(reader.answer().await.unwrap().1), [(0xff, vec![1, 2, 3, 4])]);
    let stats = plc.stats();
    assert_eq!((stats.items_written, stats.items_read, stats.errors), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn wrong_items_earn_their_codes_and_good_ones_between_them_their_data() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let items = [
        Item::db_bytes(77, 0, 3),
        Item::db_bytes(2, 1024, 1),
        Item::db_bytes(2, 0, 3),
        Item { transport: TransportSize::Other(0x42), ..ITEM },
        Item { count: 2, ..Item::bit(Area::Merkers, 0, 0, 0) },
        Item::bit(Area::Merkers, 0, 0, 0),
    ];
    client.send_read(1, &items).await;
    let expected =
        [(0x0a, vec![]), (0x05, vec![]), (0xff, vec![0; 3]), (0x06, vec![]), (0x05, vec![]), (0xff, vec![0])];
    assert_eq!(read_items(client.answer().await.unwrap().1), expected);
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_answer_exceeds_the_pdu_is_refused_and_one_that_just_fits_is_not() {
    let big = DataBlock { number: 2, bytes: 65_536, generators: Vec::new() };
    let plc = plc(PlcConfig { data_blocks: vec![big], ..PlcConfig::default() });
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[Item::db_bytes(2, 0, 462)]).await;
    assert_eq!(read_items(client.answer().await.unwrap().1)[0].1.len(), 462);
    for too_long in [463, 65_535] {
        client.send_read(2, &[Item::db_bytes(2, 0, too_long)]).await;
        assert_eq!(client.answer().await, Some((2, Answer::Refused(HeaderError::PDU_LENGTH))));
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_one_items_are_refused_not_cut() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut job = BytesMut::new();
    encode_read_request(&mut job, 3, &[Item::db_bytes(2, 0, 1); 20]).unwrap();
    job.extend_from_slice(&Item::db_bytes(2, 0, 1).to_wire());
    job[3] += 12; // the packet's length: 271
    job[14] = (2 + 21 * 12_u16) as u8; // the parameter's length: 254
    job[18] = 21; // the item count
    client.send(&job).await;
    assert_eq!(client.answer().await, Some((3, Answer::Refused(HeaderError::PDU_LENGTH))));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_function_is_refused_by_an_ack_of_twelve_bytes() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    client.send(&[3, 0, 0, 18, 2, 0xf0, 0x80, 0x32, 1, 0, 0, 0, 7, 0, 1, 0, 0, 0x29]).await;
    let pdu = client.pdu().await.unwrap();
    assert_eq!((pdu.rosctr, pdu.reference, pdu.bytes()), (Rosctr::Ack, 7, 12));
    assert_eq!(pdu.error, HeaderError::FUNCTION_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn generators_move_with_the_clock_and_repeat_with_the_seed() {
    let read = |seed, wait| async move {
        let plc = plc(PlcConfig { seed, idle_timeout: Duration::from_secs(9999), ..PlcConfig::default() });
        let mut client = Client::ready(&plc).await;
        tokio::time::sleep(wait).await;
        client.send_read(1, &[Item::db_bytes(1, 0, 14)]).await;
        read_items(client.answer().await.unwrap().1).remove(0).1
    };
    let (soon, late) = (Duration::from_millis(300), Duration::from_secs(60));
    let first = read(1, soon).await;
    assert_eq!(first[..4], [0, 0, 0, 3], "three scans of 100 ms");
    assert_eq!(first[12..], [0, 7], "the constant");
    assert_eq!(read(1, soon).await, first);
    assert_ne!(read(2, soon).await[8..10], first[8..10], "another seed, another random INT");
    assert_eq!(read(1, late).await[..4], [0, 0, 2, 88], "600 scans");
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_is_confirmed_and_ends_the_session() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let goodbye = s7_wire::Disconnect { destination: 1, source: 1, reason: 0x80 };
    client.send_with(|out| goodbye.encode(out)).await;
    assert_eq!(client.message().await, Some(s7_wire::Message::DisconnectConfirm));
    assert_eq!(client.message().await, None);
    assert!(matches!(client.end().await, SessionEnd::Disconnected));
}
