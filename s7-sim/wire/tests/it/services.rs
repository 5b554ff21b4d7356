//! The services beside variables, as real peers speak them.

use bytes::{Bytes, BytesMut};
use s7_wire::block::ImageHeader;
use s7_wire::transfer::{self, FUNCTION_DOWNLOAD_BLOCK, FUNCTION_UPLOAD};
use s7_wire::userdata::clock;
use s7_wire::userdata::szl::{Szl, SzlRequest};
use s7_wire::userdata::{Kind, blocks, security};
use s7_wire::value::{CivilDate, ClockTime, DateAndTime, Weekday};
use s7_wire::{
    BlockName, BlockType, Control, ErrorWord, FileSystem, Group, Job, Message, Pdu, Rosctr, TransferJob,
    Userdata,
};

use crate::recording::{LIBSNAP7_SERVICES, PYTHON_SNAP7_SERVICES, Packet, packets};

const ALL: [&str; 2] = [LIBSNAP7_SERVICES, PYTHON_SNAP7_SERVICES];

fn pdu(packet: &Packet) -> Option<&Pdu> {
    match &packet.message {
        Message::Pdu(pdu) => Some(pdu),
        _ => None,
    }
}

/// The userdata of a step: the request and its answer.
fn exchange(recording: &'static str, step: &str) -> (Userdata, Userdata) {
    let all = packets(recording);
    let of_step = all.iter().filter(|packet| packet.step == step).filter_map(pdu);
    let userdata: Vec<Userdata> = of_step.map(|pdu| Userdata::decode(pdu).unwrap()).collect();
    let [request, answer] = <[Userdata; 2]>::try_from(userdata).expect("a request and an answer");
    (request, answer)
}

#[test]
fn every_userdata_request_is_written_again_byte_for_byte() {
    let mut requests = 0;
    for recording in ALL {
        for packet in packets(recording) {
            let Some(pdu) = pdu(&packet).filter(|pdu| pdu.rosctr == Rosctr::Userdata) else { continue };
            let userdata = Userdata::decode(pdu).unwrap();
            assert_eq!(userdata.kind == Kind::Request, packet.from_client, "{}", packet.step);
            if userdata.kind == Kind::Request {
                let mut out = BytesMut::new();
                userdata.encode(&mut out, pdu.reference).unwrap();
                assert_eq!(out, packet.bytes, "{}", packet.step);
                requests += 1;
            }
        }
    }
    assert_eq!(requests, 28);
}

#[test]
fn every_job_of_control_and_transfer_is_written_again_byte_for_byte() {
    let mut jobs = 0;
    for recording in ALL {
        for packet in packets(recording).iter().filter(|packet| packet.from_client) {
            let Some(pdu) = pdu(packet).filter(|pdu| pdu.rosctr == Rosctr::Job) else { continue };
            let mut out = BytesMut::new();
            match Job::decode(pdu).unwrap() {
                Job::Control(control) => control.encode(&mut out, pdu.reference),
                // Its second length counts what the client takes for the body; tools differ.
                Job::Transfer(TransferJob::RequestDownload { block, load_bytes }) => {
                    assert_eq!((block.kind, block.number, load_bytes), (BlockType::Db, 1, 64));
                    continue;
                }
                Job::Transfer(transfer) => transfer.encode(&mut out, pdu.reference),
                _ => continue,
            }
            assert_eq!(out, packet.bytes, "{}", packet.step);
            jobs += 1;
        }
    }
    assert_eq!(jobs, 14);
}

#[test]
fn libsnap7s_lists_hold_together_and_are_written_again() {
    for (step, id, index, records, record_bytes) in [
        ("list of lists", 0x0000, 0, 112, 2),
        ("order code", 0x0011, 0, 4, 28),
        ("component identification", 0x001c, 0, 10, 34),
        ("communication", 0x0131, 1, 1, 40),
        ("protection", 0x0232, 4, 1, 40),
        ("CPU state", 0x0424, 0, 1, 20),
    ] {
        let (request, answer) = exchange(LIBSNAP7_SERVICES, step);
        assert_eq!((request.group, request.subfunction), (Group::Cpu, s7_wire::userdata::szl::READ));
        assert_eq!(SzlRequest::decode(&request.payload), Some(SzlRequest { id, index }), "{step}");
        let szl = Szl::decode(&answer.payload).unwrap();
        let found = (szl.id, szl.index, szl.records.len(), szl.records[0].len());
        assert_eq!(found, (id, index, records, record_bytes), "{step}");
        assert_eq!(szl.encode(), answer.payload, "{step}");
    }
    let (_, refusal) = exchange(LIBSNAP7_SERVICES, "a list that there is not");
    assert_eq!(refusal.error, ErrorWord::SZL_UNAVAILABLE);
}

#[test]
fn block_lists_and_information_are_understood() {
    for recording in ALL {
        let (_, counts) = exchange(recording, "count blocks");
        let counts = blocks::decode_counts(&counts.payload).unwrap();
        assert_eq!(counts.iter().find(|(kind, _)| *kind == BlockType::Db), Some(&(BlockType::Db, 3)));
        let (request, list) = exchange(recording, "list data blocks");
        assert_eq!(blocks::decode_list_request(&request.payload), Some(BlockType::Db));
        assert_eq!(blocks::decode_list(&list.payload), Some(vec![1, 2, 3]));
        let (request, info) = exchange(recording, "information of DB1");
        let name = BlockName { kind: BlockType::Db, number: 1, file_system: FileSystem::Active };
        assert_eq!(blocks::decode_info_request(&request.payload), Some(name));
        let info = blocks::BlockInfo::decode(&info.payload).unwrap();
        assert_eq!((info.number, info.body_bytes), (1, 64));
    }
}

#[test]
fn the_clock_and_the_password_have_the_bytes_that_tools_send() {
    for (recording, weekday) in [(LIBSNAP7_SERVICES, 1), (PYTHON_SNAP7_SERVICES, 5)] {
        let (set, done) = exchange(recording, "set the clock");
        let (date, time) = (CivilDate::new(2024, 2, 29).unwrap(), ClockTime::new(13, 37, 59, 0).unwrap());
        let weekday = Weekday::new(weekday).unwrap();
        assert_eq!(clock::decode(&set.payload), Ok(DateAndTime { date, time, weekday }));
        // Both write the century as 19 whatever the year is; the two digits of the year decide.
        assert_eq!(set.payload[1], 0x19);
        assert!(done.payload.is_empty() && !done.error.is_error());
        let (password, _) = exchange(recording, "set the password");
        assert_eq!(password.payload[..], security::encode_password("secret12").unwrap());
    }
}

#[test]
fn an_upload_and_a_download_come_in_parts() {
    let all = packets(PYTHON_SNAP7_SERVICES);
    let part = |step: &str, function: u8| -> transfer::Part {
        let parts = all.iter().filter(|packet| packet.step == step).filter_map(pdu);
        let mut parts = parts.filter_map(|pdu| transfer::decode_part(pdu, function));
        parts.next().expect("a part")
    };
    let upload = part("upload DB1", FUNCTION_UPLOAD);
    assert_eq!((upload.bytes.len(), upload.more), (ImageHeader::BYTES + 64, false));
    assert_eq!(upload.bytes[ImageHeader::BYTES..], (0..64).collect::<Vec<u8>>());
    let download = part("download DB1", FUNCTION_DOWNLOAD_BLOCK);
    assert_eq!((download.bytes, download.more), (Bytes::from(vec![0; 64]), false));
}

#[test]
fn a_start_of_each_kind_is_told_apart() {
    let control = |step: &str| {
        let all = packets(LIBSNAP7_SERVICES);
        let job = all.iter().find(|packet| packet.step == step).and_then(pdu).cloned();
        Control::decode(&job.expect("the step has a job").parameter)
    };
    assert_eq!(control("stop"), Some(Control::Stop));
    assert_eq!(control("hot start"), Some(Control::HotStart));
    assert_eq!(control("cold start"), Some(Control::ColdStart));
    assert_eq!(control("compress"), Some(Control::Compress));
    assert_eq!(control("copy RAM to ROM"), Some(Control::CopyRamToRom));
}
