//! System status lists: identification, communication, protection, state. Made anew from the PLC whenever one is read.

use bytes::{BufMut, Bytes, BytesMut};
use s7_wire::ErrorWord;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::szl::{READ, Szl, SzlRequest};

use super::clock::on_the_wire;
use crate::plc::Plc;

/// The list of all lists.
const LISTS: u16 = 0x0000;
/// Identification of the module: order codes and versions.
const MODULE: u16 = 0x0011;
/// Identification of the component: names.
const COMPONENT: u16 = 0x001c;
/// Communication: PDU length and connections.
const COMMUNICATION: u16 = 0x0131;
/// Protection level.
const PROTECTION: u16 = 0x0232;
/// The CPU's state, and the change that led to it.
const STATE: u16 = 0x0424;

/// Marks a list of which one record is asked for by its index.
const ONE_RECORD: u16 = 0x0100;

const ALL: [u16; 8] =
    [LISTS, MODULE, MODULE | ONE_RECORD, COMPONENT, COMPONENT | ONE_RECORD, COMMUNICATION, PROTECTION, STATE];

/// Bytes of a record of [`COMMUNICATION`] and of [`PROTECTION`].
const WIDE_RECORD_BYTES: usize = 40;

const STATE_RUN: u8 = 0x08;
const STATE_STOP: u8 = 0x04;

pub(super) fn serve(plc: &Plc, request: &Userdata) -> Result<Bytes, ErrorWord> {
    if request.subfunction != READ {
        return Err(ErrorWord::FUNCTION_UNAVAILABLE);
    }
    let asked = SzlRequest::decode(&request.payload).ok_or(ErrorWord::CLOCK_VALUE)?;
    let records = match asked.id {
        LISTS => ALL.iter().map(|id| Bytes::copy_from_slice(&id.to_be_bytes())).collect(),
        MODULE => modules(plc),
        COMPONENT => components(plc),
        COMMUNICATION => of_index(vec![communication(plc)], asked.index),
        PROTECTION => of_index(vec![protection(plc)], asked.index),
        STATE => vec![state(plc)],
        id if id == MODULE | ONE_RECORD => only(modules(plc), asked.index),
        id if id == COMPONENT | ONE_RECORD => only(components(plc), asked.index),
        _ => return Err(ErrorWord::SZL_UNAVAILABLE),
    };
    if records.is_empty() {
        return Err(ErrorWord::SZL_UNAVAILABLE);
    }
    Ok(Szl { id: asked.id, index: asked.index, records }.encode())
}

/// All records where no index is asked for, else those of it.
fn of_index(records: Vec<Bytes>, index: u16) -> Vec<Bytes> {
    if index == 0 { records } else { only(records, index) }
}

/// The records whose first word is `index`.
fn only(records: Vec<Bytes>, index: u16) -> Vec<Bytes> {
    records.into_iter().filter(|record| record.starts_with(&index.to_be_bytes())).collect()
}

/// Order code of the module and of the hardware, version of the firmware.
fn modules(plc: &Plc) -> Vec<Bytes> {
    let identity = &plc.config().identity;
    let [major, minor, patch] = identity.firmware;
    let record = |index: u16, code: &str, version: [u8; 4]| {
        let mut record = BytesMut::with_capacity(28);
        record.put_u16(index);
        put_text(&mut record, code, 20, b' ');
        record.put_u16(0x00c0); // the type of the module
        record.put_slice(&version);
        record.freeze()
    };
    vec![
        record(0x0001, &identity.order_code, [0, 1, 0, 0]),
        record(0x0006, &identity.order_code, [0, 1, 0, 0]),
        record(0x0007, "", [b'V', major, minor, patch]),
    ]
}

/// Names of station, module and plant, copyright, serial number, type.
fn components(plc: &Plc) -> Vec<Bytes> {
    let identity = &plc.config().identity;
    let record = |index: u16, text: &str| {
        let mut record = BytesMut::with_capacity(34);
        record.put_u16(index);
        put_text(&mut record, text, 32, 0);
        record.freeze()
    };
    vec![
        record(0x0001, &identity.station),
        record(0x0002, &identity.module),
        record(0x0003, ""),
        record(0x0004, "simulated"),
        record(0x0005, &identity.serial),
        record(0x0007, &identity.module_type),
    ]
}

fn communication(plc: &Plc) -> Bytes {
    let mut record = BytesMut::with_capacity(WIDE_RECORD_BYTES);
    record.put_u16(0x0001);
    record.put_u16(plc.config().pdu_length);
    record.put_u16(u16::try_from(plc.config().slots).unwrap_or(u16::MAX));
    record.put_u32(12_000_000); // the bus, in bits per second
    record.put_u32(12_000_000);
    record.put_bytes(0, WIDE_RECORD_BYTES - record.len());
    record.freeze()
}

fn protection(plc: &Plc) -> Bytes {
    let protection = &plc.config().protection;
    let level = protection.access.level();
    let mut record = BytesMut::with_capacity(WIDE_RECORD_BYTES);
    record.put_u16(0x0004);
    record.put_u16(1); // the key switch: no protection
    record.put_u16(if protection.password.is_some() { level } else { 0 });
    record.put_u16(level);
    record.put_u16(2); // the mode selector: RUN-P
    record.put_bytes(0, WIDE_RECORD_BYTES - record.len());
    record.freeze()
}

fn state(plc: &Plc) -> Bytes {
    let cpu = plc.cpu();
    let state = if cpu.is_running() { STATE_RUN } else { STATE_STOP };
    let mut record = BytesMut::with_capacity(20);
    record.put_slice(&[0x51, 0x44, 0xff, state]);
    record.put_bytes(0, 8);
    record.put_slice(&on_the_wire(cpu.changed())[2..]);
    record.freeze()
}

/// Appends a text in a field of `bytes`; its length was checked with the configuration.
fn put_text(record: &mut BytesMut, text: &str, bytes: usize, fill: u8) {
    let text = &text.as_bytes()[..text.len().min(bytes)];
    record.put_slice(text);
    record.put_bytes(fill, bytes - text.len());
}
