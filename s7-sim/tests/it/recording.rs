//! Recordings: packets that a dissector takes, and their replay.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use s7_sim::replay::conversation::{Conversation, Step, conversations};
use s7_sim::replay::{Replay, ReplayError};
use s7_sim::{Faults, Plc, PlcConfig, Recorder, RecordingStopped, pcap};
use s7_wire::{Item, WriteItem, encode_write_request};

use crate::client::{Client, ITEM};

/// A file in memory that has room for so many bytes.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self { bytes: Arc::default(), room }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.bytes.lock().unwrap();
        if disk.len() + bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Told = Arc<Mutex<Vec<String>>>;

/// A PLC that records to a disk like this, at most `max` bytes, and what it said about stopping.
fn recorded(config: PlcConfig, disk: &Disk, max: u64) -> (Plc, Told) {
    let told = Told::default();
    let on_stop = {
        let told = told.clone();
        move |why: RecordingStopped| told.lock().unwrap().push(why.to_string())
    };
    let base = Duration::from_secs(1_700_000_000);
    let recorder = Recorder::new(Box::new(disk.clone()), max, base, on_stop);
    (Plc::recorded(config, recorder).unwrap(), told)
}

/// One session: setup, a read of 400 bytes, a write, a read with an error, and the end.
async fn session(plc: &Plc) {
    let mut client = Client::ready(plc).await;
    client.send_read(1, &[Item::db_bytes(2, 0, 400)]).await;
    client.answer().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client
        .send_with(|out| encode_write_request(out, 2, &[WriteItem::new(ITEM, &[1, 2, 3, 4])]).unwrap())
        .await;
    client.answer().await.unwrap();
    client.send_read(3, &[ITEM, Item::db_bytes(77, 0, 1)]).await;
    client.answer().await.unwrap();
    let Client { stream, session, .. } = client;
    drop(stream);
    session.await.unwrap();
}

async fn recording() -> Vec<u8> {
    let disk = Disk::new(usize::MAX);
    let (plc, told) = recorded(PlcConfig::default(), &disk, u64::MAX);
    session(&plc).await;
    session(&plc).await;
    assert!(told.lock().unwrap().is_empty());
    disk.bytes()
}

fn read(file: &[u8]) -> Vec<Conversation> {
    conversations(&pcap::read(file).unwrap(), 102).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_packet_has_right_lengths_checksums_and_numbers() {
    let file = recording().await;
    let capture = pcap::read(&file).unwrap();
    assert!(!capture.cut);
    let mut expected = std::collections::BTreeMap::new();
    for packet in &capture.packets {
        let sliced = SlicedPacket::from_ip(packet).unwrap();
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (sliced.net, sliced.transport)
        else {
            panic!()
        };
        assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
        assert_eq!(
            Ok(tcp.checksum()),
            tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination())
        );
        let (from, to) = (
            (ip.header().source_addr(), tcp.source_port()),
            (ip.header().destination_addr(), tcp.destination_port()),
        );
        let next = expected.entry((from, to)).or_insert(0);
        assert_eq!(tcp.sequence_number(), *next, "{from:?}");
        *next += tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        if tcp.ack() {
            assert_eq!(
                tcp.acknowledgment_number(),
                expected[&(to, from)],
                "all that was said is acknowledged"
            );
        }
    }
    assert_eq!(expected.len(), 4, "two directions of two sessions");
}

#[tokio::test(start_paused = true)]
async fn times_are_the_scenarios_and_bytes_are_the_sessions() {
    let file = recording().await;
    let seconds = |record: &[u8]| u32::from_le_bytes(record[..4].try_into().unwrap());
    assert_eq!(seconds(&file[24..]), 1_700_000_000);
    let conversation = read(&file).remove(0);
    assert_eq!(conversation.server.to_string(), "192.0.2.1:102");
    assert_eq!(conversation.client.to_string(), "10.0.0.1:49152");
    let Step::Client(connect) = &conversation.steps[0] else { panic!() };
    assert_eq!(connect[..6], [3, 0, 0, 22, 17, 0xe0]);
    assert_eq!(conversation.steps.len(), 10, "five jobs and five answers");
    assert_eq!(recording().await, file, "equal runs make equal recordings");
}

#[tokio::test(start_paused = true)]
async fn a_recording_stops_at_its_bound_says_so_once_and_the_plc_goes_on() {
    let disk = Disk::new(usize::MAX);
    let (plc, told) = recorded(PlcConfig::default(), &disk, 1000);
    session(&plc).await;
    session(&plc).await;
    let bound = "the recording has reached its bound of 1000 bytes and stops here; the PLC goes on";
    assert_eq!(*told.lock().unwrap(), [bound]);
    assert!((500..=1000).contains(&disk.bytes().len()), "{}", disk.bytes().len());
    assert!(!pcap::read(&disk.bytes()).unwrap().cut, "only whole packets");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_said_once_and_the_plc_goes_on() {
    let disk = Disk::new(1000);
    let (plc, told) = recorded(PlcConfig::default(), &disk, u64::MAX);
    session(&plc).await;
    session(&plc).await;
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("the recording cannot be written and stops here: "), "{told:?}");
}

/// The recorded first conversation, played against a PLC with these faults and values.
async fn replay(faults: Faults, values: bool, config: PlcConfig) -> Result<usize, ReplayError> {
    let conversation = read(&recording().await).remove(0);
    let plc = Plc::new(PlcConfig { faults, ..config }).unwrap();
    let (stream, server) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { plc.serve(server).await });
    Replay { values, within: Duration::from_secs(5) }.play(&conversation, stream).await
}

fn faults(rule: &str) -> Faults {
    serde_json::from_str(&format!(r#"{{"rules": [{rule}]}}"#)).unwrap()
}

async fn difference(faults: Faults) -> String {
    replay(faults, false, PlcConfig::default()).await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_replay_against_the_same_plc_finds_no_difference() {
    assert_eq!(replay(Faults::default(), true, PlcConfig::default()).await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_replay_tells_the_first_difference() {
    let wrong = difference(faults(r#"{"when": {"request": 3}, "do": {"wrong_reference": 4}}"#)).await;
    assert_eq!(wrong, "answer 4: reference: recorded 2, found 6");
    let short = difference(faults(r#"{"when": {"request": 2}, "do": {"short_answer": {"bytes": 9}}}"#)).await;
    assert_eq!(short, "answer 3: bytes of an item: recorded 400, found 391");
    let silent = difference(faults(r#"{"when": {"request": 4}, "do": "silence"}"#)).await;
    assert_eq!(silent, "answer 5: recorded an answer, found none within 5s");
    let closed = difference(faults(r#"{"when": {"request": 1}, "do": {"close": {}}}"#)).await;
    assert_eq!(closed, "answer 2: recorded an answer, found the end of the stream");
}

#[tokio::test(start_paused = true)]
async fn values_are_compared_if_asked_for() {
    let mut other = PlcConfig::default();
    let seven = s7_sim::Generator::new(9, s7_sim::ValueType::Byte, s7_sim::Signal::Constant(7.0));
    other.data_blocks[1].generators.push(seven);
    assert_eq!(replay(Faults::default(), false, other.clone()).await.unwrap(), 5);
    let told = replay(Faults::default(), true, other).await.unwrap_err().to_string();
    assert_eq!(told, "answer 3: byte 13 of the data: recorded 00, found 07");
}
