//! What real peers sent is understood, and written again byte for byte.

use bytes::BytesMut;
use s7_wire::{
    Answer, Area, Connection, ConnectionType, HeaderError, ItemError, Job, Message, Pdu, ReadAnswer,
    ReadAnswerWriter, ReturnCode, Rosctr, Setup, TpduSize, TransportSize, Tsap, WriteAnswer,
    WriteAnswerWriter, WriteItem, encode_read_request, encode_refusal, encode_write_request,
};

use crate::recording::{ALL, LIBSNAP7, PYTHON_SNAP7, Packet, decode_all, packets, stream};

fn pdus(recording: &'static str) -> Vec<(Packet, Pdu)> {
    let with_pdu = |packet: Packet| match packet.message.clone() {
        Message::Pdu(pdu) => Some((packet, pdu)),
        _ => None,
    };
    packets(recording).into_iter().filter_map(with_pdu).collect()
}

/// Jobs with their answers.
fn exchanges(recording: &'static str) -> Vec<(&'static str, Job, Answer)> {
    let pdus = pdus(recording);
    let pairs = pdus.chunks(2).map(|pair| {
        let [(job_packet, job), (_, answer)] = pair else { panic!("a job without an answer") };
        assert_eq!(job.reference, answer.reference, "{}", job_packet.step);
        (job_packet.step, Job::decode(job).unwrap(), Answer::decode(answer).unwrap())
    });
    pairs.collect()
}

fn exchange(recording: &'static str, step: &str) -> (Job, Answer) {
    let found = exchanges(recording).into_iter().find(|(name, ..)| *name == step);
    let (_, job, answer) = found.expect("the recording has this step");
    (job, answer)
}

#[test]
fn connections_open_with_s7_tsaps_and_22_bytes() {
    let expected = Connection {
        destination: 0,
        source: 1,
        tpdu_size: Some(TpduSize::B1024),
        calling: Some(Tsap::s7(ConnectionType::Pg, 0, 0)),
        called: Some(Tsap::s7(ConnectionType::Pg, 0, 1)),
    };
    for recording in ALL {
        let [request, confirm, ..] = &packets(recording)[..] else { panic!("an empty recording") };
        assert_eq!(request.message, Message::ConnectRequest(expected));
        assert_eq!(confirm.message, Message::ConnectConfirm(expected.confirm(1)));
        let mut out = BytesMut::new();
        expected.confirm(1).encode_confirm(&mut out);
        assert_eq!(out, confirm.bytes);
    }
}

#[test]
fn our_connect_request_is_libsnap7s_byte_for_byte() {
    let request = Connection::request(Tsap::two(1, 0), Tsap::two(1, 1));
    let mut out = BytesMut::new();
    request.encode_request(&mut out);
    assert_eq!(out, packets(LIBSNAP7)[0].bytes);
}

#[test]
fn a_disconnect_is_understood_and_its_confirm_written_again() {
    let packets = packets(PYTHON_SNAP7);
    let [.., request, confirm] = &packets[..] else { panic!("an empty recording") };
    let Message::DisconnectRequest(disconnect) = request.message else { panic!("{:?}", request.message) };
    assert_eq!(confirm.message, Message::DisconnectConfirm);
    let mut out = BytesMut::new();
    s7_wire::cotp::encode_disconnect_confirm(0, disconnect.source, &mut out);
    assert_eq!(out.len(), confirm.bytes.len());
}

#[test]
fn every_pdu_is_written_again_byte_for_byte() {
    for recording in ALL {
        for (packet, pdu) in pdus(recording) {
            let mut out = BytesMut::new();
            pdu.encode(&mut out).unwrap();
            assert_eq!(out, packet.bytes, "{}", packet.step);
        }
    }
}

#[test]
fn every_job_is_written_again_from_its_values_byte_for_byte() {
    let mut jobs = 0;
    for recording in ALL {
        for (packet, pdu) in pdus(recording).into_iter().filter(|(_, pdu)| pdu.rosctr == Rosctr::Job) {
            let mut out = BytesMut::new();
            encode_job(&Job::decode(&pdu).unwrap(), pdu.reference, &mut out);
            assert_same(recording, &packet, &out);
            jobs += 1;
        }
    }
    assert_eq!(jobs, 51);
}

fn encode_job(job: &Job, reference: u16, out: &mut BytesMut) {
    match job {
        Job::Setup(setup) => setup.encode_request(out, reference),
        Job::Read(read) => {
            let items: Vec<_> = read.items.iter().collect();
            encode_read_request(out, reference, &items).unwrap();
        }
        Job::Write(write) => {
            let data: Vec<_> = write.data.iter().collect();
            let items = write.items.iter().zip(&data).map(|(item, data)| WriteItem {
                item,
                transport: data.transport,
                payload: &data.payload,
            });
            encode_write_request(out, reference, &items.collect::<Vec<_>>()).unwrap();
        }
        Job::Transfer(_) | Job::Control(_) | Job::Other { .. } => panic!("no such job was recorded: {job:?}"),
    }
}

#[test]
fn every_answer_is_written_again_from_its_values_byte_for_byte() {
    for recording in ALL {
        for (packet, pdu) in pdus(recording).into_iter().filter(|(_, pdu)| pdu.rosctr != Rosctr::Job) {
            let mut out = BytesMut::new();
            encode_answer(&Answer::decode(&pdu).unwrap(), pdu.reference, &mut out);
            assert_same(recording, &packet, &out);
        }
    }
}

/// Equal bytes, but for what libsnap7 leaves in places without a meaning, where we write 0: stale bytes as padding behind
/// odd items, and a length of 4 behind the codes of failed ones.
fn assert_same(recording: &str, packet: &Packet, ours: &[u8]) {
    const WITH_STALE_BYTES: [(&str, usize); 6] = [
        ("read four items, odd ones among them", 2),
        ("write four items, odd ones among them", 2),
        ("read three items, one missing, one past the end", 2),
        ("write two items, the second missing", 1),
        ("read past the end", 1),
        ("read an unknown data block", 1),
    ];
    let theirs = &packet.bytes;
    let stale = WITH_STALE_BYTES.iter().find(|(step, _)| *step == packet.step);
    let allowed = if recording == LIBSNAP7 { stale.map_or(0, |(_, bytes)| *bytes) } else { 0 };
    let differ = ours.iter().zip(theirs).filter(|(our, their)| our != their);
    let differ: Vec<_> = differ.collect();
    assert_eq!(ours.len(), theirs.len(), "{}", packet.step);
    assert!(differ.len() <= allowed, "{}:\n{ours:02x?}\n{:02x?}", packet.step, &theirs[..]);
    assert!(differ.iter().all(|(our, _)| **our == 0), "{}: {differ:02x?}", packet.step);
}

fn encode_answer(answer: &Answer, reference: u16, out: &mut BytesMut) {
    match answer {
        Answer::Setup(setup) => setup.encode_answer(out, reference),
        Answer::Refused(error) => encode_refusal(out, reference, *error),
        Answer::Read(ReadAnswer { items }) => {
            let mut writer = ReadAnswerWriter::begin(out, reference, items.len() as u8);
            for item in items.iter() {
                match item.code {
                    ReturnCode::Success => assert!(writer.success(item.transport, &item.payload)),
                    code => writer.failure(code),
                }
            }
            writer.finish().unwrap();
        }
        Answer::Write(answer) => {
            let mut writer = WriteAnswerWriter::begin(out, reference, answer.len() as u8);
            answer.codes().for_each(|code| writer.code(code));
            writer.finish().unwrap();
        }
    }
}

#[test]
fn both_peers_agree_on_a_pdu_of_480() {
    for recording in ALL {
        let setup = Setup { amq_calling: 1, amq_called: 1, pdu_length: 480 };
        let (job, answer) = exchange(recording, "connect and set up");
        assert_eq!((job, answer), (Job::Setup(setup), Answer::Setup(setup)));
    }
}

#[test]
fn data_that_was_read_is_the_data_of_its_item() {
    for recording in ALL {
        let (Job::Read(job), Answer::Read(answer)) = exchange(recording, "read DB1 bytes 0..16") else {
            panic!()
        };
        let (item, data) = (job.items.iter().next().unwrap(), answer.items.iter().next().unwrap());
        assert_eq!((item.area, item.db, item.start_byte()), (Area::DataBlocks, 1, 0));
        let expected: Vec<u8> = (0..16).collect();
        assert_eq!(data.for_item(&item).unwrap()[..], expected);
        let longer = s7_wire::Item { count: 17, ..item };
        assert_eq!(data.for_item(&longer), Err(ItemError::Length { expected: Some(17), found: 16 }));
    }
}

#[test]
fn four_items_of_odd_lengths_keep_apart() {
    for recording in ALL {
        let step = "read four items, odd ones among them";
        let (Job::Read(job), Answer::Read(answer)) = exchange(recording, step) else { panic!() };
        let lengths = |item: &s7_wire::Item| item.payload_bytes().unwrap();
        let asked: Vec<usize> = job.items.iter().map(|item| lengths(&item)).collect();
        let found: Vec<usize> = answer.items.iter().map(|data| data.payload.len()).collect();
        assert_eq!((asked.len(), asked), (4, found));
    }
}

#[test]
fn a_failed_item_carries_its_code_and_hides_nothing_of_the_next() {
    let step = "read three items, one missing, one past the end";
    let codes = |recording| {
        let (_, Answer::Read(answer)) = exchange(recording, step) else { panic!() };
        answer.items.iter().map(|data| (data.code.byte(), data.payload.len())).collect::<Vec<_>>()
    };
    // The pure Python client sorts its items; libsnap7 says a length of 4 and sends nothing.
    assert_eq!(codes(LIBSNAP7), [(0x0a, 0), (0x05, 0), (0xff, 3)]);
    assert_eq!(codes(PYTHON_SNAP7), [(0xff, 3), (0x05, 0), (0x0a, 0)]);
}

#[test]
fn refused_writes_come_as_codes_or_as_header_errors() {
    let step = "write two items, the second missing";
    let (_, Answer::Write(answer)) = exchange(LIBSNAP7, step) else { panic!() };
    assert_eq!(answer.codes().collect::<Vec<_>>(), [ReturnCode::Success, ReturnCode::ObjectMissing]);
    let (_, answer) = exchange(PYTHON_SNAP7, "write to an unknown data block");
    assert_eq!(answer, Answer::Refused(HeaderError { class: 0x84, code: 0x04 }));
    let (_, answer) = exchange(LIBSNAP7, "write to an unknown data block");
    assert!(matches!(answer, Answer::Write(codes) if is_missing(&codes)));
}

fn is_missing(answer: &WriteAnswer) -> bool {
    answer.codes().eq([ReturnCode::ObjectMissing])
}

#[test]
fn bits_reals_timers_and_counters_are_named() {
    for (step, transport, area) in [
        ("write one bit", TransportSize::Bit, Area::DataBlocks),
        ("write a real", TransportSize::Real, Area::DataBlocks),
        ("read two words", TransportSize::Word, Area::DataBlocks),
        ("read a timer", TransportSize::Timer, Area::Timers),
        ("read a counter", TransportSize::Counter, Area::Counters),
        ("write merkers", TransportSize::Byte, Area::Merkers),
        ("read inputs", TransportSize::Byte, Area::Inputs),
        ("read outputs", TransportSize::Byte, Area::Outputs),
    ] {
        let item = match exchange(PYTHON_SNAP7, step) {
            (Job::Read(read), Answer::Read(_)) => read.items.iter().next().unwrap(),
            (Job::Write(write), Answer::Write(_)) => write.items.iter().next().unwrap(),
            other => panic!("{step}: {other:?}"),
        };
        assert_eq!((item.transport, item.area), (transport, area), "{step}");
    }
}

#[test]
fn a_stream_cut_into_bytes_decodes_as_when_it_comes_at_once() {
    for (recording, from_client) in
        ALL.into_iter().flat_map(|recording| [(recording, true), (recording, false)])
    {
        let mut whole = stream(recording, from_client);
        let mut decoder = s7_wire::Decoder::new();
        let mut buffer = BytesMut::new();
        let mut cut = Vec::new();
        for &byte in whole.clone().iter() {
            buffer.extend_from_slice(&[byte]);
            cut.extend(decode_all(&mut decoder, &mut buffer));
        }
        let at_once = decode_all(&mut s7_wire::Decoder::new(), &mut whole);
        assert_eq!(cut, at_once);
        assert!(at_once.len() > 20);
    }
}
