//! The codec's decoders: no panic, bounds kept, and what was understood is written and understood again.

use bytes::{Bytes, BytesMut};
use s7_wire::block::ImageHeader;
use s7_wire::cotp::Tpdu;
use s7_wire::decoder::ASSEMBLED_BYTES_MAX;
use s7_wire::job::{FUNCTION_READ, FUNCTION_WRITE};
use s7_wire::transfer::{FUNCTION_UPLOAD, decode_part};
use s7_wire::userdata::blocks::{self, BlockInfo};
use s7_wire::userdata::clock;
use s7_wire::userdata::szl::{Szl, SzlRequest};
use s7_wire::{
    Answer, BlockName, DecodeError, Decoder, HeaderError, Item, ItemDataList, Job, Message, Pdu,
    ReadAnswerWriter, ReturnCode, Rosctr, Userdata, WriteAnswerWriter, WriteItem, encode_read_request,
    encode_write_request, tpkt as wire_tpkt,
};

/// The length of a packet: within its bounds, and that of the header it was read from.
pub fn tpkt(bytes: &[u8]) {
    if let Ok(Some(length)) = wire_tpkt::packet_length(bytes) {
        assert!((usize::from(wire_tpkt::LENGTH_MIN)..=usize::from(wire_tpkt::LENGTH_MAX)).contains(&length));
        let header = wire_tpkt::header(length as u16);
        assert_eq!((header[0], &header[2..]), (bytes[0], &bytes[2..4]));
    }
}

/// One TPDU. What CR, CC and DR say survives a round trip.
pub fn cotp(bytes: &[u8]) {
    let mut out = BytesMut::new();
    let tpdu = Tpdu::decode(Bytes::copy_from_slice(bytes));
    match &tpdu {
        Ok(Tpdu::ConnectRequest(connection)) => connection.encode_request(&mut out),
        Ok(Tpdu::ConnectConfirm(connection)) => connection.encode_confirm(&mut out),
        Ok(Tpdu::DisconnectRequest(disconnect)) => disconnect.encode(&mut out),
        Ok(Tpdu::Data { payload, .. }) => return assert!(payload.len() + 3 <= bytes.len()),
        Ok(Tpdu::DisconnectConfirm | Tpdu::Error { .. }) | Err(_) => return,
    }
    let again = Tpdu::decode(out.freeze().slice(wire_tpkt::HEADER_BYTES..));
    assert_eq!(again, tpdu);
}

/// A whole stream: cut anywhere it says the same as at once, and what waits has a bound. The first byte is the length of a cut.
pub fn stream(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let at_once = decode_pieces(std::iter::once(stream));
    let cut = decode_pieces(stream.chunks(usize::from(cut).max(1)));
    assert_eq!(cut, at_once);
}

fn decode_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<DecodeError>) {
    let (mut decoder, mut buffer, mut messages) = (Decoder::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut buffer), Err(error), "after an error, the same error");
                    return (messages, Some(error));
                }
            }
        }
        assert!(buffer.len() < usize::from(wire_tpkt::LENGTH_MAX), "{} bytes wait", buffer.len());
        assert!(decoder.assembled_bytes() <= ASSEMBLED_BYTES_MAX);
    }
    (messages, None)
}

/// One S7 PDU; it survives a round trip wherever a packet can carry it.
pub fn pdu(bytes: &[u8]) {
    let Some(pdu) = decode_pdu(bytes) else { return };
    assert_eq!(pdu.bytes(), bytes.len());
    let mut out = BytesMut::new();
    if pdu.encode(&mut out).is_ok() {
        assert_eq!(only_pdu(out), pdu);
    }
}

fn decode_pdu(bytes: &[u8]) -> Option<Pdu> {
    Pdu::decode(Bytes::copy_from_slice(bytes)).ok()
}

fn only_pdu(mut out: BytesMut) -> Pdu {
    match Decoder::new().decode(&mut out) {
        Ok(Some(Message::Pdu(pdu))) if out.is_empty() => pdu,
        other => panic!("expected one PDU, found {other:?} and {} bytes", out.len()),
    }
}

/// A PDU as a server reads it.
pub fn job(bytes: &[u8]) {
    if let Some(pdu) = decode_pdu(bytes) {
        check_job(&pdu);
    }
}

/// The items of a job, without a header in the way: the first byte says read or write and how many, the second how many bytes are data.
pub fn items(bytes: &[u8]) {
    let [first, data, rest @ ..] = bytes else { return };
    let function = if first & 0x80 == 0 { FUNCTION_READ } else { FUNCTION_WRITE };
    let (parameter, data) = rest.split_at(rest.len().saturating_sub(usize::from(*data)));
    let parameter = [&[function, first & 0x1f], parameter].concat();
    check_job(&Pdu {
        rosctr: Rosctr::Job,
        reference: 1,
        error: HeaderError::NONE,
        parameter: parameter.into(),
        data: Bytes::copy_from_slice(data),
    });
}

fn check_job(pdu: &Pdu) {
    let Ok(job) = Job::decode(pdu) else { return };
    let mut out = BytesMut::new();
    match &job {
        Job::Setup(setup) => setup.encode_request(&mut out, pdu.reference),
        Job::Read(read) => {
            let items: Vec<Item> = read.items.iter().collect();
            if items.is_empty() {
                return; // a read of nothing is understood and never sent
            }
            encode_read_request(&mut out, pdu.reference, &items).expect("items that came can go");
        }
        Job::Write(write) => {
            let data: Vec<_> = write.data.iter().collect();
            let pairs = write.items.iter().zip(&data);
            let items: Vec<_> = pairs
                .map(|(item, data)| WriteItem { item, transport: data.transport, payload: &data.payload })
                .collect();
            assert_eq!(items.len(), write.items.len(), "one data part for each item");
            // A payload of another length than its item is the server's to refuse, and the client's not to send.
            if encode_write_request(&mut out, pdu.reference, &items).is_err() {
                return assert!(out.is_empty(), "a failed encoding leaves no trace");
            }
        }
        Job::Transfer(transfer) => transfer.encode(&mut out, pdu.reference),
        Job::Control(control) => control.encode(&mut out, pdu.reference),
        Job::Other { .. } => return,
    }
    let again = Job::decode(&only_pdu(out)).expect("what was written is a job");
    assert_eq!(summary_of_job(&again), summary_of_job(&job));
}

/// What a job says; how its items were padded is not part of it.
fn summary_of_job(job: &Job) -> String {
    match job {
        Job::Write(write) => format!("{:?} {}", write.items, summary_of_items(&write.data, false)),
        other => format!("{other:?}"),
    }
}

fn summary_of_items(items: &ItemDataList, with_codes: bool) -> String {
    let each = items.iter().map(|data| {
        let code = with_codes.then_some(data.code);
        format!("{code:?} {:?} {:?}", data.transport, data.payload)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// A PDU of the services beside variables: its frame survives a round trip, and its payload is read as each of them.
pub fn userdata(bytes: &[u8]) {
    let Some(pdu) = decode_pdu(bytes) else { return };
    if let Some(part) = decode_part(&pdu, FUNCTION_UPLOAD) {
        assert!(part.bytes.len() < pdu.data.len());
    }
    let Ok(userdata) = Userdata::decode(&pdu) else { return };
    let mut out = BytesMut::new();
    if userdata.encode(&mut out, pdu.reference).is_ok() {
        let again = Userdata::decode(&only_pdu(out)).expect("what was written is userdata");
        // A first request has no room for what only answers say.
        assert_eq!(
            (again.group, again.subfunction, &again.payload),
            (userdata.group, userdata.subfunction, &userdata.payload)
        );
    }
    payload(&userdata.payload);
}

fn payload(payload: &Bytes) {
    if let Some(szl) = Szl::decode(payload) {
        assert_eq!(szl.records.iter().map(Bytes::len).sum::<usize>() + Szl::HEAD_BYTES, payload.len());
    }
    if let Ok(time) = clock::decode(payload) {
        assert_eq!(clock::encode(time).map(|wire| clock::decode(&wire)), Some(Ok(time)));
    }
    if let Some(info) = BlockInfo::decode(payload) {
        assert_eq!(BlockInfo::decode(&info.encode()), Some(info));
    }
    if let Some(name) = BlockName::decode(payload) {
        assert_eq!(name.encode()[..], payload[..]);
    }
    if let Some(header) = ImageHeader::decode(payload) {
        let mut out = BytesMut::new();
        header.encode(&mut out);
        assert_eq!(ImageHeader::decode(&out), Some(header));
    }
    let _ = (SzlRequest::decode(payload), blocks::decode_counts(payload), blocks::decode_list(payload));
}

/// A PDU as a client reads it.
pub fn answer(bytes: &[u8]) {
    let Some(pdu) = decode_pdu(bytes) else { return };
    let Ok(answer) = Answer::decode(&pdu) else { return };
    match &answer {
        Answer::Read(read) => {
            assert_eq!(read.items.iter().count(), read.items.len());
            let item = Item::db_bytes(1, 0, 4);
            for data in read.items.iter() {
                if let Ok(payload) = data.for_item(&item) {
                    assert_eq!((payload.len(), data.code), (4, ReturnCode::Success));
                }
            }
            check_read_answer(&pdu, &read.items);
        }
        Answer::Write(write) => {
            let mut out = BytesMut::new();
            let mut writer = WriteAnswerWriter::begin(&mut out, pdu.reference, write.len() as u8);
            write.codes().for_each(|code| writer.code(code));
            writer.finish().expect("a byte for each of 255 items fits a packet");
            assert_eq!(Answer::decode(&only_pdu(out)), Ok(answer));
        }
        Answer::Refused(error) => assert!(error.is_error() && !error.advice().is_empty()),
        _ => {}
    }
}

fn check_read_answer(pdu: &Pdu, items: &ItemDataList) {
    let mut out = BytesMut::new();
    let mut writer = ReadAnswerWriter::begin(&mut out, pdu.reference, items.len() as u8);
    for data in items.iter() {
        match data.code {
            ReturnCode::Success if writer.success(data.transport, &data.payload) => {}
            // Several bits in one answer are nothing that we send.
            ReturnCode::Success => return,
            code => writer.failure(code),
        }
    }
    // Every failed item has a length of 0 now, and every odd one but the last a byte of padding.
    if writer.finish().is_ok() {
        let Ok(Answer::Read(again)) = Answer::decode(&only_pdu(out)) else {
            panic!("what was written is an answer")
        };
        let payloads =
            |items: &ItemDataList| items.iter().map(|data| (data.code, data.payload)).collect::<Vec<_>>();
        assert_eq!(payloads(&again.items), payloads(items));
    }
}
