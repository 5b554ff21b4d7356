//! What chance finds: round trips, cuts anywhere, and bytes that make no sense.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use s7_wire::cotp::encode_fragments;
use s7_wire::decoder::ASSEMBLED_BYTES_MAX;
use s7_wire::pdu::PACKET_OVERHEAD_BYTES;
use s7_wire::size::{read_answer_bytes, read_request_bytes, write_request_bytes};
use s7_wire::{
    Answer, Area, DataTransport, DecodeError, Decoder, Item, Job, Message, Pdu, ReadAnswerWriter, ReturnCode,
    TransportSize, Value, ValueType, WriteItem, encode_read_request, encode_write_request, tpkt,
};

use crate::recording::{ALL, decode_all, stream};

fn items(counts: std::ops::Range<u16>) -> impl Strategy<Value = Vec<Item>> {
    let transport = prop::sample::select(TransportSize::NAMED);
    let area = any::<u8>().prop_map(Area::from_byte);
    let item = (transport, counts, any::<u16>(), area, 0..=s7_wire::item::BIT_ADDRESS_MAX);
    let item = item.prop_map(|(transport, count, db, area, address)| {
        let count = if transport == TransportSize::Bit { 1 } else { count };
        Item { transport, count, db, area, address }
    });
    vec(item, 1..=s7_wire::ITEMS_MAX)
}

fn only_pdu(out: &mut BytesMut) -> Pdu {
    match &decode_all(&mut Decoder::new(), out)[..] {
        [Message::Pdu(pdu)] => pdu.clone(),
        other => panic!("expected one PDU, found {other:?}"),
    }
}

/// Everything a decoder says about a stream that comes in these pieces, up to its first error.
fn decode_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<DecodeError>) {
    let (mut decoder, mut buffer, mut messages) = (Decoder::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(buffer.len() < usize::from(tpkt::LENGTH_MAX), "{} bytes wait in the buffer", buffer.len());
        assert!(decoder.assembled_bytes() <= ASSEMBLED_BYTES_MAX);
    }
    (messages, None)
}

/// Looks at everything a peer could have put into a message.
fn exhaust(message: &Message) {
    let Message::Pdu(pdu) = message else { return };
    match Job::decode(pdu) {
        Ok(Job::Read(read)) => assert!(read.items.iter().count() <= s7_wire::ITEMS_MAX),
        Ok(Job::Write(write)) => assert_eq!(write.items.iter().count(), write.data.iter().count()),
        _ => {}
    }
    match Answer::decode(pdu) {
        Ok(Answer::Read(answer)) => assert_eq!(answer.items.iter().count(), answer.items.len()),
        Ok(Answer::Write(answer)) => assert_eq!(answer.codes().count(), answer.len()),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_survive_a_round_trip_in_the_size_foretold(items in items(0..u16::MAX), reference: u16) {
        let mut out = BytesMut::new();
        encode_read_request(&mut out, reference, &items).unwrap();
        prop_assert_eq!(out.len(), PACKET_OVERHEAD_BYTES + read_request_bytes(items.len()));
        let pdu = only_pdu(&mut out);
        prop_assert_eq!(pdu.reference, reference);
        let Job::Read(read) = Job::decode(&pdu).unwrap() else { panic!("not a read") };
        prop_assert_eq!(read.items.iter().collect::<Vec<_>>(), items);
    }

    #[test]
    fn writes_survive_a_round_trip_in_the_size_foretold(items in items(1..20), reference: u16, fill: u8) {
        let payloads: Vec<Vec<u8>> =
            items.iter().map(|item| vec![fill; item.payload_bytes().unwrap()]).collect();
        let writes: Vec<WriteItem<'_>> =
            items.iter().zip(&payloads).map(|(item, payload)| WriteItem::new(*item, payload)).collect();
        let mut out = BytesMut::new();
        encode_write_request(&mut out, reference, &writes).unwrap();
        let foretold = write_request_bytes(payloads.iter().map(Vec::len));
        prop_assert_eq!(out.len(), PACKET_OVERHEAD_BYTES + foretold);
        let Job::Write(write) = Job::decode(&only_pdu(&mut out)).unwrap() else { panic!("not a write") };
        prop_assert_eq!(write.items.iter().collect::<Vec<_>>(), items);
        let found: Vec<Vec<u8>> = write.data.iter().map(|data| data.payload.to_vec()).collect();
        prop_assert_eq!(found, payloads);
    }

    #[test]
    fn read_answers_survive_a_round_trip_in_the_size_foretold(
        items in vec(prop::option::of(vec(any::<u8>(), 0..60)), 1..=20), reference: u16,
    ) {
        let mut out = BytesMut::new();
        let mut writer = ReadAnswerWriter::begin(&mut out, reference, items.len() as u8);
        for item in &items {
            match item {
                Some(payload) => prop_assert!(writer.success(DataTransport::Byte, payload)),
                None => writer.failure(ReturnCode::InvalidAddress),
            }
        }
        writer.finish().unwrap();
        let foretold = read_answer_bytes(items.iter().map(|item| item.as_ref().map_or(0, Vec::len)));
        prop_assert_eq!(out.len(), PACKET_OVERHEAD_BYTES + foretold);
        let Answer::Read(answer) = Answer::decode(&only_pdu(&mut out)).unwrap() else { panic!("not a read") };
        let found = answer.items.iter();
        let found = found.map(|data| (data.code == ReturnCode::Success).then(|| data.payload.to_vec()));
        prop_assert_eq!(found.collect::<Vec<_>>(), items);
    }

    #[test]
    fn any_fragmentation_is_put_together_again(items in items(0..9), fragment_bytes in 1usize..300) {
        let mut out = BytesMut::new();
        encode_read_request(&mut out, 7, &items).unwrap();
        let user_data = out.clone().split_off(PACKET_OVERHEAD_BYTES);
        let whole = only_pdu(&mut out);
        let mut fragments = BytesMut::new();
        encode_fragments(&user_data, fragment_bytes, &mut fragments);
        prop_assert_eq!(only_pdu(&mut fragments), whole);
    }

    #[test]
    fn cuts_anywhere_change_nothing(cuts in vec(1usize..40, 1..400), recording in 0..ALL.len(), client: bool) {
        let stream = stream(ALL[recording], client);
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces.push(rest);
        prop_assert_eq!(decode_pieces(pieces.into_iter()), decode_pieces([&stream[..]].into_iter()));
    }

    #[test]
    fn arbitrary_bytes_end_alike_however_they_are_cut_and_nothing_grows(bytes in vec(any::<u8>(), 0..600)) {
        let cut = decode_pieces(bytes.chunks(1));
        prop_assert_eq!(cut, decode_pieces([&bytes[..]].into_iter()));
    }

    #[test]
    fn arbitrary_user_data_behind_sound_headers_never_panics(
        packets in vec((vec(any::<u8>(), 0..80), any::<bool>()), 0..8),
    ) {
        let mut stream = BytesMut::new();
        for (payload, eot) in packets {
            stream.extend_from_slice(&tpkt::header(7 + payload.len() as u16));
            stream.extend_from_slice(&[2, 0xf0, if eot { 0x80 } else { 0 }]);
            stream.extend_from_slice(&payload);
        }
        decode_pieces([&stream[..]].into_iter()).0.iter().for_each(exhaust);
    }

    #[test]
    fn one_wrong_byte_in_a_recording_never_panics(
        recording in 0..ALL.len(), client: bool, at: prop::sample::Index, byte: u8,
    ) {
        let mut stream = stream(ALL[recording], client);
        let at = at.index(stream.len());
        stream[at] = byte;
        let (messages, error) = decode_pieces([&stream[..]].into_iter());
        prop_assert!(!messages.is_empty() || error.is_some());
        messages.iter().for_each(exhaust);
    }

    #[test]
    fn arbitrary_parts_of_a_pdu_never_panic(parameter in vec(any::<u8>(), 0..60), data in vec(any::<u8>(), 0..60)) {
        for (rosctr, function) in [(1, 4), (1, 5), (1, 0xf0), (3, 4), (3, 5), (3, 0xf0)] {
            let mut parameter = parameter.clone();
            if let Some(first) = parameter.first_mut() {
                *first = function;
            }
            let rosctr = s7_wire::Rosctr::from_byte(rosctr).unwrap();
            let error = s7_wire::HeaderError::NONE;
            let (parameter, data) = (Bytes::from(parameter), Bytes::from(data.clone()));
            exhaust(&Message::Pdu(Pdu { rosctr, reference: 1, error, parameter, data }));
        }
    }

    #[test]
    fn values_survive_a_round_trip(kind in prop::sample::select(&ValueType::ALL[..]), bytes: [u8; 8], at in 0usize..5) {
        let value = kind.read(&bytes, at, 3).unwrap();
        let mut copy = bytes;
        value.write(&mut copy, at, 3).unwrap();
        prop_assert_eq!(copy, bytes);
        prop_assert_eq!(value.value_type(), kind);
        prop_assert_eq!(matches!(value, Value::Bool(_)), kind == ValueType::Bool);
    }
}

#[test]
fn fragments_without_end_are_refused_at_the_bound() {
    let mut stream = BytesMut::new();
    for _ in 0..100 {
        stream.extend_from_slice(&tpkt::header(107));
        stream.extend_from_slice(&[2, 0xf0, 0]);
        stream.extend_from_slice(&[0; 100]);
    }
    let (messages, error) = decode_pieces([&stream[..]].into_iter());
    assert_eq!((messages, error), (Vec::new(), Some(DecodeError::Assembled { found: 8200 })));
}

#[test]
fn empty_data_is_skipped_and_a_connect_between_fragments_is_not() {
    let mut stream = BytesMut::from(&[3, 0, 0, 7, 2, 0xf0, 0x80][..]);
    let read = [Item::db_bytes(1, 0, 4)];
    encode_read_request(&mut stream, 1, &read).unwrap();
    assert!(matches!(decode_all(&mut Decoder::new(), &mut stream)[..], [Message::Pdu(_)]));

    encode_fragments(&[0x32; 20], 15, &mut stream);
    stream.truncate(7 + 15);
    stream.extend_from_slice(&[3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 1, 0]);
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode(&mut stream), Err(DecodeError::Interrupted));
    assert_eq!(decoder.decode(&mut stream), Err(DecodeError::Interrupted), "and so for ever");
}
