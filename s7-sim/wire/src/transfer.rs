//! Block transfer: upload (PLC to client) and download (client to PLC).
//!
//! Upload: the client starts it (1D), fetches parts (1E) until none follow, and ends it (1F). Download: the client announces it
//! (1A); then the PLC is the one that asks, for parts (1B) until none follow, and says when it has them all (1C).

use bytes::{Buf, Bytes, BytesMut};

use crate::block::{BlockName, decimal, digits};
use crate::code::HeaderError;
use crate::pdu::{Pdu, PduWriter, Rosctr, TooLong};

/// Announce a download.
pub const FUNCTION_REQUEST_DOWNLOAD: u8 = 0x1a;
/// Fetch a part of a download; the PLC asks.
pub const FUNCTION_DOWNLOAD_BLOCK: u8 = 0x1b;
/// The download is whole; the PLC says.
pub const FUNCTION_DOWNLOAD_ENDED: u8 = 0x1c;
/// Start an upload.
pub const FUNCTION_START_UPLOAD: u8 = 0x1d;
/// Fetch a part of an upload.
pub const FUNCTION_UPLOAD: u8 = 0x1e;
/// End an upload.
pub const FUNCTION_END_UPLOAD: u8 = 0x1f;

/// What stands between a part's length and its bytes.
const PART_MARK: [u8; 2] = [0x00, 0xfb];
/// Length and mark.
const PART_HEAD_BYTES: usize = 4;
/// Bytes of a part's PDU that are not the part: header, function and status, length and mark.
pub const PART_OVERHEAD_BYTES: usize = crate::pdu::ANSWER_HEADER_BYTES + 2 + PART_HEAD_BYTES;

/// Bytes of `_` and a name, with the length before them.
const NAMED_BYTES: usize = 10;

/// A client's job of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferJob {
    /// Start an upload.
    StartUpload {
        /// What to upload.
        block: BlockName,
    },
    /// Fetch the next part.
    Upload {
        /// The upload's id.
        id: u32,
    },
    /// End an upload.
    EndUpload {
        /// The upload's id.
        id: u32,
    },
    /// Announce a download.
    RequestDownload {
        /// Where it goes.
        block: BlockName,
        /// Bytes of the whole image.
        load_bytes: u32,
    },
}

impl TransferJob {
    /// Reads a transfer job; `None` when its parameters do not hold together.
    pub fn decode(parameter: &[u8]) -> Option<Self> {
        match *parameter {
            [FUNCTION_START_UPLOAD, _, _, _, _, _, _, _, ref named @ ..] => named_block(named)
                .filter(|(_, rest)| rest.is_empty())
                .map(|(block, _)| Self::StartUpload { block }),
            [FUNCTION_UPLOAD, _, _, _, a, b, c, d] => {
                Some(Self::Upload { id: u32::from_be_bytes([a, b, c, d]) })
            }
            [FUNCTION_END_UPLOAD, _, _, _, a, b, c, d] => {
                Some(Self::EndUpload { id: u32::from_be_bytes([a, b, c, d]) })
            }
            [FUNCTION_REQUEST_DOWNLOAD, _, _, _, _, _, _, _, ref named @ ..] => {
                let (block, sizes) = named_block(named)?;
                let &[13, b'1', ref load @ ..] = sizes else { return None };
                let load_bytes = decimal(load.get(..6)?)?;
                (load.len() == 12).then_some(Self::RequestDownload { block, load_bytes })
            }
            _ => None,
        }
    }

    /// Appends the job as one packet.
    pub fn encode(&self, out: &mut BytesMut, reference: u16) {
        let mut writer = PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE);
        match *self {
            Self::StartUpload { block } => {
                writer.put(&[FUNCTION_START_UPLOAD, 0, 0, 0, 0, 0, 0, 0]);
                put_named(&mut writer, block);
            }
            Self::Upload { id } => put_id(&mut writer, FUNCTION_UPLOAD, id),
            Self::EndUpload { id } => put_id(&mut writer, FUNCTION_END_UPLOAD, id),
            Self::RequestDownload { block, load_bytes } => {
                writer.put(&[FUNCTION_REQUEST_DOWNLOAD, 0, 1, 0, 0, 0, 0, 0]);
                put_named(&mut writer, block);
                writer.put(&[13, b'1']);
                writer.put(&digits::<6>(load_bytes));
                writer.put(&digits::<6>(load_bytes.saturating_sub(crate::block::ImageHeader::BYTES as u32)));
            }
        }
        writer.finish().expect("a few dozen bytes fit every packet");
    }
}

/// Appends the answer to a started upload: its id, and the length of the image.
pub fn encode_upload_started(out: &mut BytesMut, reference: u16, id: u32, load_bytes: u32) {
    let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
    writer.put(&[FUNCTION_START_UPLOAD, 0, 1, 0]);
    writer.put(&id.to_be_bytes());
    writer.put(&[7]);
    writer.put(&digits::<7>(load_bytes));
    writer.finish().expect("sixteen bytes fit every packet");
}

/// Appends the answer that carries one part, of an upload (by the PLC) or a download (by the client).
pub fn encode_part(
    out: &mut BytesMut,
    reference: u16,
    function: u8,
    part: &[u8],
    more: bool,
) -> Result<(), TooLong> {
    let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
    writer.put(&[function, more.into()]);
    writer.begin_data();
    let [hi, lo] = u16::try_from(part.len()).map_err(|_| TooLong { bytes: part.len() })?.to_be_bytes();
    writer.put(&[hi, lo]);
    writer.put(&PART_MARK);
    writer.put(part);
    writer.finish()
}

/// One part of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes, a slice of the packet.
    pub bytes: Bytes,
    /// Whether more parts follow.
    pub more: bool,
}

/// Reads the answer that carries a part of `function`; `None` when it does not hold together.
pub fn decode_part(pdu: &Pdu, function: u8) -> Option<Part> {
    let [found, status] = pdu.parameter[..] else { return None };
    let &[hi, lo, ref mark @ ..] = pdu.data.first_chunk::<PART_HEAD_BYTES>()?;
    let mut bytes = pdu.data.clone();
    bytes.advance(PART_HEAD_BYTES);
    let holds =
        found == function && *mark == PART_MARK && usize::from(u16::from_be_bytes([hi, lo])) == bytes.len();
    holds.then_some(Part { bytes, more: status & 1 != 0 })
}

/// Appends an answer that is nothing but its function: an upload ended, a download agreed to.
pub fn encode_done(out: &mut BytesMut, reference: u16, function: u8) {
    let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
    writer.put(&[function]);
    writer.finish().expect("one byte fits every packet");
}

/// Appends a PLC's own job of a download: fetch a part, or it is whole.
pub fn encode_download_job(out: &mut BytesMut, reference: u16, function: u8, block: BlockName) {
    let mut writer = PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE);
    writer.put(&[function, 0, 0, 0, 0, 0, 0, 0]);
    put_named(&mut writer, block);
    writer.finish().expect("eighteen bytes fit every packet");
}

fn put_id(writer: &mut PduWriter<'_>, function: u8, id: u32) {
    writer.put(&[function, 0, 0, 0]);
    writer.put(&id.to_be_bytes());
}

fn put_named(writer: &mut PduWriter<'_>, block: BlockName) {
    writer.put(&[9, b'_']);
    writer.put(&block.encode());
}

/// Splits `9`, `_` and a name off.
fn named_block(bytes: &[u8]) -> Option<(BlockName, &[u8])> {
    let (&[9, b'_', ref name @ ..], rest) = bytes.split_first_chunk::<NAMED_BYTES>()? else { return None };
    Some((BlockName::decode(name)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockType, FileSystem};
    use crate::decoder::{Decoder, Message};

    const DB7: BlockName = BlockName { kind: BlockType::Db, number: 7, file_system: FileSystem::Active };

    fn pdu(out: &mut BytesMut) -> Pdu {
        let Some(Message::Pdu(pdu)) = Decoder::new().decode(out).unwrap() else { panic!("a whole PDU") };
        pdu
    }

    #[test]
    fn jobs_survive_the_wire() {
        let jobs = [
            TransferJob::StartUpload { block: DB7 },
            TransferJob::Upload { id: 3 },
            TransferJob::EndUpload { id: 3 },
            TransferJob::RequestDownload { block: DB7, load_bytes: 100 },
        ];
        for job in jobs {
            let mut out = BytesMut::new();
            job.encode(&mut out, 1);
            let found = pdu(&mut out).parameter;
            assert_eq!(TransferJob::decode(&found), Some(job));
            assert_eq!(TransferJob::decode(&found[..found.len() - 1]), None, "{job:?}, cut");
        }
    }

    #[test]
    fn a_part_survives_the_wire_and_is_not_taken_for_another_function() {
        let mut out = BytesMut::new();
        encode_part(&mut out, 9, FUNCTION_UPLOAD, b"body", true).unwrap();
        let pdu = pdu(&mut out);
        assert_eq!(
            decode_part(&pdu, FUNCTION_UPLOAD),
            Some(Part { bytes: Bytes::from_static(b"body"), more: true })
        );
        assert_eq!(decode_part(&pdu, FUNCTION_DOWNLOAD_BLOCK), None);
        let lie = Pdu { data: pdu.data.slice(..pdu.data.len() - 1), ..pdu };
        assert_eq!(decode_part(&lie, FUNCTION_UPLOAD), None);
    }

    #[test]
    fn a_started_upload_says_its_length_in_digits() {
        let mut out = BytesMut::new();
        encode_upload_started(&mut out, 9, 5, 100);
        assert_eq!(pdu(&mut out).parameter[..], *b"\x1d\x00\x01\x00\x00\x00\x00\x05\x070000100");
    }
}
