//! The S7 header: what kind of PDU, whose answer it is, how long its two parts are. Knows no functions.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::code::HeaderError;
use crate::cotp;
use crate::tpkt;

/// The first byte of every S7 PDU.
pub const PROTOCOL_ID: u8 = 0x32;
/// Header of a job or userdata PDU.
pub const JOB_HEADER_BYTES: usize = 10;
/// Header of an answer: two more bytes for error class and code.
pub const ANSWER_HEADER_BYTES: usize = 12;
/// What stands before an S7 PDU in a packet: TPKT and DT headers.
pub const PACKET_OVERHEAD_BYTES: usize = tpkt::HEADER_BYTES + cotp::DATA_HEADER_BYTES;

/// What kind of PDU it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rosctr {
    /// A request.
    Job,
    /// An answer without data; the form that refusals take.
    Ack,
    /// An answer with data.
    AckData,
    /// Extended functions, in both directions.
    Userdata,
}

impl Rosctr {
    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Job => 1,
            Self::Ack => 2,
            Self::AckData => 3,
            Self::Userdata => 7,
        }
    }

    /// Names `byte`; `None` for what S7 does not have.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Job,
            2 => Self::Ack,
            3 => Self::AckData,
            7 => Self::Userdata,
            _ => return None,
        })
    }

    /// Whether the header has an error class and code.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Ack | Self::AckData)
    }

    const fn header_bytes(self) -> usize {
        if self.is_answer() { ANSWER_HEADER_BYTES } else { JOB_HEADER_BYTES }
    }
}

/// Why bytes are not an S7 PDU; the connection is past saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PduError {
    /// Not S7 (S7CommPlus says 72 here).
    #[error("S7: expected protocol id 32, found {found:02X}")]
    ProtocolId {
        /// The first byte.
        found: u8,
    },
    /// A kind of PDU that S7 does not have.
    #[error("S7: expected ROSCTR 1 (Job), 2 (Ack), 3 (AckData) or 7 (Userdata), found {found}")]
    Rosctr {
        /// The second byte.
        found: u8,
    },
    /// Shorter than its header.
    #[error("S7: a PDU of {found} bytes is shorter than its header")]
    Short {
        /// Bytes there are.
        found: usize,
    },
    /// The header's lengths do not add up to the PDU.
    #[error("S7: header, parameter and data should be {declared} bytes together, found {found}")]
    Lengths {
        /// What the header says, itself included.
        declared: usize,
        /// Bytes there are.
        found: usize,
    },
}

/// One S7 PDU: the header as values, parameter and data as slices of the packet.
///
/// A slice keeps its whole packet alive: copy out what you want to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// What kind of PDU.
    pub rosctr: Rosctr,
    /// Pairs an answer with its request.
    pub reference: u16,
    /// Error class and code; [`HeaderError::NONE`] where the header has none.
    pub error: HeaderError,
    /// The parameter part; its first byte is the function, where it has one.
    pub parameter: Bytes,
    /// The data part.
    pub data: Bytes,
}

impl Pdu {
    /// Reads reassembled user data as a PDU; its lengths must add up exactly.
    pub fn decode(mut bytes: Bytes) -> Result<Self, PduError> {
        let found = bytes.len();
        match bytes.first() {
            Some(&PROTOCOL_ID) => {}
            Some(&found) => return Err(PduError::ProtocolId { found }),
            None => return Err(PduError::Short { found }),
        }
        let kind = *bytes.get(1).ok_or(PduError::Short { found })?;
        let rosctr = Rosctr::from_byte(kind).ok_or(PduError::Rosctr { found: kind })?;
        if found < rosctr.header_bytes() {
            return Err(PduError::Short { found });
        }
        bytes.advance(4); // protocol id, ROSCTR, two reserved bytes
        let reference = bytes.get_u16();
        let (parameter_bytes, data_bytes) = (usize::from(bytes.get_u16()), usize::from(bytes.get_u16()));
        let declared = rosctr.header_bytes() + parameter_bytes + data_bytes;
        if declared != found {
            return Err(PduError::Lengths { declared, found });
        }
        let error = if rosctr.is_answer() {
            HeaderError { class: bytes.get_u8(), code: bytes.get_u8() }
        } else {
            HeaderError::NONE
        };
        let parameter = bytes.split_to(parameter_bytes);
        Ok(Self { rosctr, reference, error, parameter, data: bytes })
    }

    /// The function byte; `None` for an empty parameter part.
    pub fn function(&self) -> Option<u8> {
        self.parameter.first().copied()
    }

    /// Bytes of the whole PDU, header included: what the negotiated PDU length bounds.
    pub fn bytes(&self) -> usize {
        self.rosctr.header_bytes() + self.parameter.len() + self.data.len()
    }

    /// Appends the PDU as one packet.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), TooLong> {
        let mut writer = PduWriter::begin(out, self.rosctr, self.reference, self.error);
        writer.put(&self.parameter);
        writer.begin_data();
        writer.put(&self.data);
        writer.finish()
    }
}

/// A PDU longer than a packet can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a packet of {bytes} bytes is longer than the {} that one may have", tpkt::LENGTH_MAX)]
pub struct TooLong {
    /// What the packet would have.
    pub bytes: usize,
}

/// Appends the refusal of a job: an Ack with nothing but its header of 12 bytes.
pub fn encode_refusal(out: &mut BytesMut, reference: u16, error: HeaderError) {
    let writer = PduWriter::begin(out, Rosctr::Ack, reference, error);
    writer.finish().expect("a header alone fits every packet");
}

/// A packet being written behind what the caller's buffer already holds.
///
/// Parameter first, then, after [`begin_data`](Self::begin_data), the data. [`finish`](Self::finish) fills in the
/// lengths; a writer dropped before that takes back all it wrote.
pub struct PduWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
    header_end: usize,
    data_start: Option<usize>,
    finished: bool,
}

impl<'a> PduWriter<'a> {
    /// Starts a packet at the end of `out`.
    pub fn begin(out: &'a mut BytesMut, rosctr: Rosctr, reference: u16, error: HeaderError) -> Self {
        let start = out.len();
        out.put_slice(&tpkt::header(0));
        out.put_slice(&cotp::data_header(true));
        out.put_slice(&[PROTOCOL_ID, rosctr.byte(), 0, 0]);
        out.put_u16(reference);
        out.put_u32(0); // the two lengths, filled in by `finish`
        if rosctr.is_answer() {
            out.put_slice(&[error.class, error.code]);
        }
        let header_end = out.len();
        Self { out, start, header_end, data_start: None, finished: false }
    }

    /// Appends bytes to the part being written.
    pub fn put(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// Ends the parameter part.
    pub fn begin_data(&mut self) {
        self.data_start = Some(self.out.len());
    }

    /// Bytes of the PDU so far: what the negotiated PDU length bounds.
    pub fn pdu_bytes(&self) -> usize {
        self.out.len() - self.start - PACKET_OVERHEAD_BYTES
    }

    /// Bytes of the data part so far.
    pub fn data_bytes(&self) -> usize {
        self.data_start.map_or(0, |start| self.out.len() - start)
    }

    /// Fills in the lengths.
    pub fn finish(mut self) -> Result<(), TooLong> {
        let bytes = self.out.len() - self.start;
        let length = u16::try_from(bytes).ok().filter(|&length| length <= tpkt::LENGTH_MAX);
        let length = length.ok_or(TooLong { bytes })?;
        // Both parts are shorter than the packet, so they fit their fields as well.
        let data_bytes = self.data_bytes() as u16;
        let parameter_bytes = (self.out.len() - self.header_end) as u16 - data_bytes;
        let start = self.start;
        self.out[start..start + tpkt::HEADER_BYTES].copy_from_slice(&tpkt::header(length));
        let lengths = start + PACKET_OVERHEAD_BYTES + 6;
        self.out[lengths..lengths + 2].copy_from_slice(&parameter_bytes.to_be_bytes());
        self.out[lengths + 2..lengths + 4].copy_from_slice(&data_bytes.to_be_bytes());
        self.finished = true;
        Ok(())
    }
}

impl Drop for PduWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Pdu, PduError> {
        Pdu::decode(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_refusal_is_an_ack_of_twelve_bytes() {
        let mut out = BytesMut::new();
        encode_refusal(&mut out, 0x0102, HeaderError::FUNCTION_UNAVAILABLE);
        assert_eq!(&out[PACKET_OVERHEAD_BYTES..], [0x32, 2, 0, 0, 1, 2, 0, 0, 0, 0, 0x81, 0x04]);
    }

    #[test]
    fn lying_lengths_are_refused() {
        let job = [0x32, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0xf0];
        assert_eq!(decode(&job), Err(PduError::Lengths { declared: 12, found: 11 }));
    }

    #[test]
    fn a_wrong_protocol_or_kind_is_told_before_any_length() {
        assert_eq!(decode(&[0x72]), Err(PduError::ProtocolId { found: 0x72 }));
        assert_eq!(decode(&[0x32, 9]), Err(PduError::Rosctr { found: 9 }));
        assert_eq!(decode(&[0x32, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0]), Err(PduError::Short { found: 11 }));
    }

    #[test]
    fn a_writer_dropped_unfinished_leaves_no_trace() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = PduWriter::begin(&mut out, Rosctr::Job, 1, HeaderError::NONE);
        writer.put(&[1, 2, 3]);
        drop(writer);
        assert_eq!(&out[..], b"before");
    }

    #[test]
    fn a_packet_that_is_too_long_is_refused_and_taken_back() {
        let mut out = BytesMut::new();
        let mut writer = PduWriter::begin(&mut out, Rosctr::Job, 1, HeaderError::NONE);
        writer.put(&[0; 70_000]);
        assert_eq!(writer.finish(), Err(TooLong { bytes: 70_017 }));
        assert!(out.is_empty());
    }
}
