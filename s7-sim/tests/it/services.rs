//! The services beside variables: lists, blocks, clock, password, control, transfer.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use s7_sim::{Access, DataBlock, Plc, PlcConfig, Protection};
use s7_wire::block::ImageHeader;
use s7_wire::transfer::{
    self, FUNCTION_DOWNLOAD_BLOCK, FUNCTION_DOWNLOAD_ENDED, FUNCTION_UPLOAD, encode_done, encode_part,
};
use s7_wire::userdata::clock;
use s7_wire::userdata::szl::{self, Szl, SzlRequest};
use s7_wire::userdata::{Kind, blocks, security};
use s7_wire::{
    Answer, BlockName, BlockType, Control, FileSystem, Group, HeaderError, Item, Pdu, Setup, TransferJob,
    Userdata, WriteItem, encode_write_request,
};

use crate::client::{Client, ITEM, plc, read_items};

const DB2: BlockName = BlockName { kind: BlockType::Db, number: 2, file_system: FileSystem::Active };

/// Asks and hears the answer, of however many parts.
async fn ask(
    client: &mut Client,
    group: Group,
    subfunction: u8,
    payload: Bytes,
) -> Result<(Bytes, usize), u16> {
    let mut request = Userdata::request(group, subfunction, payload);
    let (mut whole, mut parts) = (BytesMut::new(), 0);
    loop {
        client.send_with(|out| request.encode(out, 7).unwrap()).await;
        let pdu = client.pdu().await.expect("the session goes on");
        let answer = Userdata::decode(&pdu).unwrap();
        assert_eq!((pdu.reference, answer.kind, answer.group), (7, Kind::Answer, group));
        if answer.error.is_error() {
            return Err(answer.error.0);
        }
        whole.extend_from_slice(&answer.payload);
        parts += 1;
        if !answer.more {
            return Ok((whole.freeze(), parts));
        }
        request = answer.follow_up();
    }
}

async fn list(client: &mut Client, id: u16, index: u16) -> Result<Szl, u16> {
    let (payload, _) = ask(client, Group::Cpu, szl::READ, SzlRequest { id, index }.encode()).await?;
    Ok(Szl::decode(&payload).expect("whole records"))
}

/// Sends a control or transfer job and hears the answer.
async fn job(client: &mut Client, encode: impl FnOnce(&mut BytesMut)) -> Pdu {
    client.send_with(encode).await;
    client.pdu().await.expect("the session goes on")
}

async fn control(client: &mut Client, control: &Control) -> (HeaderError, Vec<u8>) {
    let pdu = job(client, |out| control.encode(out, 1)).await;
    (pdu.error, pdu.parameter.to_vec())
}

async fn password(client: &mut Client, password: &str) -> Result<(), u16> {
    let wire = Bytes::copy_from_slice(&security::encode_password(password).unwrap());
    ask(client, Group::Security, security::SET, wire).await.map(|_| ())
}

const fn word(class: u8, code: u8) -> HeaderError {
    HeaderError { class, code }
}

#[tokio::test(start_paused = true)]
async fn every_list_in_the_list_of_lists_can_be_read() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let all = list(&mut client, 0, 0).await.unwrap();
    assert!(all.records.len() >= 8);
    for record in all.records {
        let id = u16::from_be_bytes([record[0], record[1]]);
        let index = if matches!(id, 0x0111 | 0x011c) { 1 } else { 0 };
        let szl = list(&mut client, id, index).await.unwrap();
        assert_eq!((szl.id, szl.index), (id, index));
    }
    assert_eq!(list(&mut client, 0x7777, 0).await, Err(0xd402));
    assert_eq!(list(&mut client, 0x011c, 99).await, Err(0xd402));
}

#[tokio::test(start_paused = true)]
async fn a_long_list_comes_in_parts_that_fit_the_pdu() {
    let plc = plc(PlcConfig { pdu_length: 240, ..PlcConfig::default() });
    let mut client = Client::connect(&plc).await;
    let wish = Setup { amq_calling: 1, amq_called: 1, pdu_length: 240 };
    client.send_with(|out| wish.encode_request(out, 0)).await;
    client.answer().await.unwrap();
    let (payload, parts) =
        ask(&mut client, Group::Cpu, szl::READ, SzlRequest { id: 0x1c, index: 0 }.encode()).await.unwrap();
    // 8 + 6 records of 34 bytes fit 214 bytes; with four more they do not.
    let szl = Szl::decode(&payload).unwrap();
    assert_eq!((szl.records.len(), parts), (6, 1));
    let many = PlcConfig {
        pdu_length: 240,
        data_blocks: (1..=200).map(|number| DataBlock { number, bytes: 1, generators: Vec::new() }).collect(),
        ..PlcConfig::default()
    };
    let plc = Plc::new(many).unwrap();
    let mut client = Client::ready(&plc).await;
    let (payload, parts) =
        ask(&mut client, Group::Blocks, blocks::LIST, blocks::encode_list_request(BlockType::Db))
            .await
            .unwrap();
    assert_eq!(blocks::decode_list(&payload).unwrap(), (1..=200).collect::<Vec<_>>());
    assert_eq!(parts, 4); // 800 bytes, 214 in a part
}

#[tokio::test(start_paused = true)]
async fn a_part_that_nobody_owes_is_refused() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let whole = Userdata::request(Group::Cpu, szl::READ, SzlRequest { id: 0x11, index: 0 }.encode());
    let stray = Userdata { sequence: 9, ..whole }.follow_up();
    client.send_with(|out| stray.encode(out, 7).unwrap()).await;
    assert_eq!(Userdata::decode(&client.pdu().await.unwrap()).unwrap().error.0, 0x8500);
}

#[tokio::test(start_paused = true)]
async fn blocks_are_counted_listed_and_described() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let (counts, _) = ask(&mut client, Group::Blocks, blocks::COUNT, Bytes::new()).await.unwrap();
    let counts = blocks::decode_counts(&counts).unwrap();
    assert!(counts.contains(&(BlockType::Db, 2)) && counts.contains(&(BlockType::Ob, 1)));
    let (info, _) =
        ask(&mut client, Group::Blocks, blocks::INFO, blocks::encode_info_request(DB2)).await.unwrap();
    let info = blocks::BlockInfo::decode(&info).unwrap();
    assert_eq!((info.kind, info.number, info.body_bytes), (BlockType::Db, 2, 1024));
    let missing = BlockName { number: 77, ..DB2 };
    let refused = ask(&mut client, Group::Blocks, blocks::INFO, blocks::encode_info_request(missing)).await;
    assert_eq!(refused, Err(0xd209));
}

#[tokio::test(start_paused = true)]
async fn the_clock_goes_and_is_set_to_what_is_in_the_calendar() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let read = |payload: Bytes| clock::decode(&payload).unwrap();
    let first = read(ask(&mut client, Group::Clock, clock::READ, Bytes::new()).await.unwrap().0);
    assert_eq!((first.date.year(), first.date.month(), first.date.day(), first.time.hour()), (2020, 1, 1, 0));
    tokio::time::advance(Duration::from_secs(3)).await;
    let later = read(ask(&mut client, Group::Clock, clock::READ, Bytes::new()).await.unwrap().0);
    assert_eq!(later.time.second(), first.time.second() + 3);
    let leap = [0, 0x20, 0x24, 0x02, 0x29, 0x13, 0x37, 0x59, 0x00, 0x05];
    let set = |wire: [u8; 10]| Bytes::copy_from_slice(&wire);
    ask(&mut client, Group::Clock, clock::SET, set(leap)).await.unwrap();
    let now = ask(&mut client, Group::Clock, clock::READ, Bytes::new()).await.unwrap().0;
    assert_eq!(now[..5], leap[..5]);
    let no_leap = [0, 0x20, 0x23, 0x02, 0x29, 0x13, 0x37, 0x59, 0x00, 0x05];
    assert_eq!(ask(&mut client, Group::Clock, clock::SET, set(no_leap)).await, Err(0xdc01));
}

#[tokio::test(start_paused = true)]
async fn a_guarded_plc_lets_a_session_write_once_it_has_given_the_password() {
    let protection = Protection { access: Access::Read, password: Some("secret".to_owned()), put_get: true };
    let plc = plc(PlcConfig { protection, ..PlcConfig::default() });
    let mut client = Client::ready(&plc).await;
    let write = [WriteItem::new(ITEM, &[1, 2, 3, 4])];
    let written = async |client: &mut Client| {
        client.send_with(|out| encode_write_request(out, 1, &write).unwrap()).await;
        let (_, Answer::Write(answer)) = client.answer().await.unwrap() else { panic!() };
        answer.codes().next().unwrap().byte()
    };
    assert_eq!(written(&mut client).await, 0x03);
    client.send_read(2, &[ITEM]).await;
    assert_eq!(read_items(client.answer().await.unwrap().1)[0].0, 0xff);
    assert_eq!(control(&mut client, &Control::Stop).await.0, word(0xd2, 0x41));
    assert_eq!(password(&mut client, "wrong").await, Err(0xd602));
    assert_eq!(password(&mut client, "secret").await, Ok(()));
    assert_eq!(written(&mut client).await, 0xff);
    ask(&mut client, Group::Security, security::CLEAR, Bytes::new()).await.unwrap();
    assert_eq!(written(&mut client).await, 0x03);
    // The password was one session's; another has not given it.
    password(&mut client, "secret").await.unwrap();
    assert_eq!(written(&mut Client::ready(&plc).await).await, 0x03);
}

#[tokio::test(start_paused = true)]
async fn a_closed_plc_gives_nothing_and_one_without_a_password_has_none_to_give_or_clear() {
    let protection = Protection { access: Access::None, ..Protection::default() };
    let plc = plc(PlcConfig { protection, ..PlcConfig::default() });
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM, ITEM]).await;
    assert_eq!(read_items(client.answer().await.unwrap().1), [(0x03, vec![]), (0x03, vec![])]);
    assert_eq!(password(&mut client, "any").await, Err(0xd605));
    assert_eq!(ask(&mut client, Group::Security, security::CLEAR, Bytes::new()).await, Err(0xd604));
    let upload = TransferJob::StartUpload { block: DB2 };
    assert_eq!(job(&mut client, |out| upload.encode(out, 1)).await.error, word(0xd2, 0x41));
}

#[tokio::test(start_paused = true)]
async fn without_put_get_variables_are_refused_and_lists_are_not() {
    let protection = Protection { put_get: false, ..Protection::default() };
    let plc = plc(PlcConfig { protection, ..PlcConfig::of_profile("s7-1500").unwrap() });
    let mut client = Client::ready(&plc).await;
    client.send_read(1, &[ITEM]).await;
    assert_eq!(client.answer().await, Some((1, Answer::Refused(HeaderError::FUNCTION_UNAVAILABLE))));
    assert!(list(&mut client, 0x11, 0).await.is_ok());
    // This model has lists and no other service.
    assert_eq!(ask(&mut client, Group::Clock, clock::READ, Bytes::new()).await, Err(0x8104));
    assert_eq!(control(&mut client, &Control::Stop).await.0, HeaderError::FUNCTION_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn in_stop_nothing_moves_and_everything_answers() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let counter = Item::db_bytes(1, 0, 4);
    let read = async |client: &mut Client| {
        client.send_read(1, &[counter]).await;
        read_items(client.answer().await.unwrap().1).remove(0).1
    };
    let state = async |client: &mut Client| list(client, 0x0424, 0).await.unwrap().records[0][3];
    assert_eq!(state(&mut client).await, 0x08);
    assert_eq!(control(&mut client, &Control::HotStart).await, (HeaderError::NONE, vec![0x28, 0x03]));
    assert_eq!(control(&mut client, &Control::Stop).await, (HeaderError::NONE, vec![0x29]));
    assert_eq!(control(&mut client, &Control::Stop).await, (HeaderError::NONE, vec![0x29, 0x07]));
    assert!(!plc.is_running());
    let before = read(&mut client).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!((read(&mut client).await, state(&mut client).await), (before.clone(), 0x04));
    assert_eq!(control(&mut client, &Control::HotStart).await, (HeaderError::NONE, vec![0x28]));
    assert_ne!(read(&mut client).await, before);
}

#[tokio::test(start_paused = true)]
async fn an_upload_brings_the_block_with_its_header_in_parts() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    client
        .send_with(|out| encode_write_request(out, 1, &[WriteItem::new(ITEM, &[9, 8, 7, 6])]).unwrap())
        .await;
    client.answer().await.unwrap();
    let started = job(&mut client, |out| TransferJob::StartUpload { block: DB2 }.encode(out, 2)).await;
    assert_eq!(started.parameter[9..], *b"0001060");
    let id = u32::from_be_bytes(started.parameter[4..8].try_into().unwrap());
    let (mut image, mut parts) = (BytesMut::new(), 0);
    loop {
        let pdu = job(&mut client, |out| TransferJob::Upload { id }.encode(out, 3)).await;
        assert!(pdu.bytes() <= 480);
        let part = transfer::decode_part(&pdu, FUNCTION_UPLOAD).unwrap();
        image.extend_from_slice(&part.bytes);
        parts += 1;
        if !part.more {
            break;
        }
    }
    let header = ImageHeader::decode(&image).unwrap();
    assert_eq!((header.number, header.body_bytes, image.len(), parts), (2, 1024, 1060, 3));
    assert_eq!(image[ImageHeader::BYTES..ImageHeader::BYTES + 4], [9, 8, 7, 6]);
    let ended = job(&mut client, |out| TransferJob::EndUpload { id }.encode(out, 4)).await;
    assert_eq!(ended.parameter[..], [0x1f]);
    let again = job(&mut client, |out| TransferJob::Upload { id }.encode(out, 5)).await;
    assert_eq!(again.error, word(0x85, 0x00));
    let missing = TransferJob::StartUpload { block: BlockName { number: 77, ..DB2 } };
    assert_eq!(job(&mut client, |out| missing.encode(out, 6)).await.error, word(0xd2, 0x09));
}

#[tokio::test(start_paused = true)]
async fn a_download_is_passive_until_it_is_linked_in_and_then_can_be_deleted() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let passive = BlockName { kind: BlockType::Db, number: 50, file_system: FileSystem::Passive };
    let announced = TransferJob::RequestDownload { block: passive, load_bytes: 8 };
    assert_eq!(job(&mut client, |out| announced.encode(out, 1)).await.parameter[..], [0x1a]);
    for (part, more) in [(b"abcd", true), (b"efgh", false)] {
        let asked = client.pdu().await.unwrap();
        assert_eq!(asked.function(), Some(FUNCTION_DOWNLOAD_BLOCK));
        let answer =
            |out: &mut BytesMut| encode_part(out, asked.reference, FUNCTION_DOWNLOAD_BLOCK, part, more);
        client.send_with(|out| answer(out).unwrap()).await;
    }
    let ended = client.pdu().await.unwrap();
    assert_eq!(ended.function(), Some(FUNCTION_DOWNLOAD_ENDED));
    client.send_with(|out| encode_done(out, ended.reference, FUNCTION_DOWNLOAD_ENDED)).await;
    let item = Item::db_bytes(50, 0, 8);
    let read = async |client: &mut Client| {
        client.send_read(9, &[item]).await;
        read_items(client.answer().await.unwrap().1).remove(0)
    };
    assert_eq!(read(&mut client).await, (0x0a, vec![]));
    assert_eq!(control(&mut client, &Control::Insert(vec![passive])).await.0, HeaderError::NONE);
    assert_eq!(read(&mut client).await, (0xff, b"abcdefgh".to_vec()));
    assert_eq!(control(&mut client, &Control::Insert(vec![passive])).await.0, word(0xd2, 0x09));
    assert_eq!(control(&mut client, &Control::Delete(vec![passive])).await.0, HeaderError::NONE);
    assert_eq!(read(&mut client).await, (0x0a, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_download_that_brings_more_than_it_announced_ends_the_session() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let announced = TransferJob::RequestDownload { block: DB2, load_bytes: 4 };
    job(&mut client, |out| announced.encode(out, 1)).await;
    let asked = client.pdu().await.unwrap();
    client
        .send_with(|out| {
            encode_part(out, asked.reference, FUNCTION_DOWNLOAD_BLOCK, b"too long", false).unwrap()
        })
        .await;
    assert_eq!(client.pdu().await, None);
    let mut other = Client::ready(&plc).await;
    let huge = TransferJob::RequestDownload { block: DB2, load_bytes: 999_999 };
    assert_eq!(job(&mut other, |out| huge.encode(out, 1)).await.error, word(0xdc, 0x01));
}
