//! Userdata: the frame of the extended services (system status lists, blocks, clock, passwords), for both ends.
//!
//! A request is `00 01 12 04 11 4g ss nn`, an answer `00 01 12 08 12 8g ss nn uu ll ee ee`: group g, subfunction ss, sequence nn,
//! data unit uu, whether more follows ll, error word eeee. An answer too long for one PDU comes in several: the client asks
//! for each next one with the answer's sequence number ([`Userdata::follow_up`]).

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use crate::area::DataTransport;
use crate::byte_enum::byte_enum;
use crate::code::{ErrorWord, HeaderError, ReturnCode};
use crate::pdu::{Pdu, PduWriter, Rosctr, TooLong};

pub mod blocks;
pub mod clock;
pub mod security;
pub mod szl;

/// What every userdata parameter part begins with.
const HEAD: [u8; 3] = [0x00, 0x01, 0x12];
/// Method of a request.
const METHOD_REQUEST: u8 = 0x11;
/// Method of an answer, and of a request for the next part of one.
const METHOD_ANSWER: u8 = 0x12;
/// Parameter bytes of a request.
const REQUEST_BYTES: usize = 8;
/// Parameter bytes of an answer or a follow-up.
const ANSWER_BYTES: usize = 12;
/// Return code, transport size, length.
const DATA_HEAD_BYTES: usize = 4;
/// Bytes of an answer's PDU that are not payload: header, parameters, data head.
pub const ANSWER_OVERHEAD_BYTES: usize = crate::pdu::JOB_HEADER_BYTES + ANSWER_BYTES + DATA_HEAD_BYTES;

byte_enum! {
    /// The group of a service.
    pub enum Group {
        /// Mode transitions.
        Mode = 0x00,
        /// Programmer commands.
        Programmer = 0x01,
        /// Cyclic data.
        Cyclic = 0x02,
        /// Blocks: lists and information.
        Blocks = 0x03,
        /// CPU: system status lists, messages.
        Cpu = 0x04,
        /// Security: the session's password.
        Security = 0x05,
        /// PBC: block send and receive.
        Pbc = 0x06,
        /// The clock.
        Clock = 0x07,
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A client asks.
    Request,
    /// A client asks for the next part of an answer.
    FollowUp,
    /// A PLC answers.
    Answer,
}

/// One userdata PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Userdata {
    /// Who speaks.
    pub kind: Kind,
    /// The group of the service.
    pub group: Group,
    /// The service within its group.
    pub subfunction: u8,
    /// Pairs the parts of one answer; 0 in a first request.
    pub sequence: u8,
    /// Whether more parts follow.
    pub more: bool,
    /// The error word of an answer.
    pub error: ErrorWord,
    /// The return code of the data.
    pub code: ReturnCode,
    /// The data, a slice of the packet.
    pub payload: Bytes,
}

/// Why a userdata PDU cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserdataError {
    /// Another kind of PDU.
    #[error("expected userdata, found {found:?}")]
    Rosctr {
        /// What it is.
        found: Rosctr,
    },
    /// A parameter part that is none of the three forms.
    #[error(
        "userdata: expected parameters 00 01 12 with {REQUEST_BYTES} or {ANSWER_BYTES} bytes, found {bytes} bytes"
    )]
    Parameter {
        /// How long it is.
        bytes: usize,
    },
    /// A data part whose length field does not match.
    #[error("userdata: the data says {declared} bytes, found {found}")]
    Data {
        /// What the length field says.
        declared: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl Userdata {
    /// A request for a service; without a payload it asks with a null item, as programmers' tools do.
    pub fn request(group: Group, subfunction: u8, payload: Bytes) -> Self {
        let code = if payload.is_empty() { ReturnCode::ObjectMissing } else { ReturnCode::Success };
        let (kind, sequence, more, error) = (Kind::Request, 0, false, ErrorWord::NONE);
        Self { kind, group, subfunction, sequence, more, error, code, payload }
    }

    /// The request for the part after `self`.
    pub fn follow_up(&self) -> Self {
        Self {
            kind: Kind::FollowUp,
            sequence: self.sequence,
            ..Self::request(self.group, self.subfunction, Bytes::new())
        }
    }

    /// The answer to `self` with this payload, whole.
    pub fn answer(&self, payload: Bytes) -> Self {
        let code = if payload.is_empty() { ReturnCode::ObjectMissing } else { ReturnCode::Success };
        Self { kind: Kind::Answer, more: false, error: ErrorWord::NONE, code, payload, ..self.clone() }
    }

    /// The refusal of `self` with an error word.
    pub fn refusal(&self, error: ErrorWord) -> Self {
        Self { error, ..self.answer(Bytes::new()) }
    }

    /// Reads a userdata PDU.
    pub fn decode(pdu: &Pdu) -> Result<Self, UserdataError> {
        if pdu.rosctr != Rosctr::Userdata {
            return Err(UserdataError::Rosctr { found: pdu.rosctr });
        }
        let malformed = UserdataError::Parameter { bytes: pdu.parameter.len() };
        let parameter = pdu.parameter.strip_prefix(&HEAD).ok_or(malformed)?;
        let (kind, rest) = match *parameter {
            [4, METHOD_REQUEST, ref rest @ ..] if rest.len() == 3 => (Kind::Request, rest),
            [8, METHOD_ANSWER, ref rest @ ..] if rest.len() == 7 => {
                (if rest[0] & 0xf0 == 0x80 { Kind::Answer } else { Kind::FollowUp }, rest)
            }
            _ => return Err(malformed),
        };
        let [more, error] = match *rest {
            [_, _, _, _unit, more, hi, lo] => [u16::from(more), u16::from_be_bytes([hi, lo])],
            _ => [0, 0],
        };
        let (code, payload) = decode_data(pdu.data.clone())?;
        Ok(Self {
            kind,
            group: Group::from_byte(rest[0] & 0x0f),
            subfunction: rest[1],
            sequence: rest[2],
            more: more != 0,
            error: ErrorWord(error),
            code,
            payload,
        })
    }

    /// Appends the PDU as one packet.
    pub fn encode(&self, out: &mut BytesMut, reference: u16) -> Result<(), TooLong> {
        let mut writer = PduWriter::begin(out, Rosctr::Userdata, reference, HeaderError::NONE);
        let group = self.group.byte();
        writer.put(&HEAD);
        match self.kind {
            Kind::Request => writer.put(&[4, METHOD_REQUEST, 0x40 | group, self.subfunction, self.sequence]),
            Kind::FollowUp => writer.put(&[8, METHOD_ANSWER, 0x40 | group, self.subfunction, self.sequence]),
            Kind::Answer => writer.put(&[8, METHOD_ANSWER, 0x80 | group, self.subfunction, self.sequence]),
        }
        if self.kind != Kind::Request {
            let [hi, lo] = self.error.0.to_be_bytes();
            // Only parts of a longer answer are numbered as data units.
            writer.put(&[if self.more { self.sequence } else { 0 }, self.more.into(), hi, lo]);
        }
        writer.begin_data();
        let transport =
            if self.payload.is_empty() { DataTransport::Null } else { DataTransport::OctetString };
        let bytes = self.payload.len();
        let [hi, lo] = u16::try_from(bytes).map_err(|_| TooLong { bytes })?.to_be_bytes();
        writer.put(&[self.code.byte(), transport.byte(), hi, lo]);
        writer.put(&self.payload);
        writer.finish()
    }
}

/// Splits return code and payload; an empty data part is a null item.
fn decode_data(mut data: Bytes) -> Result<(ReturnCode, Bytes), UserdataError> {
    let Some(&[code, _transport, hi, lo]) = data.first_chunk::<DATA_HEAD_BYTES>() else {
        let found = data.len();
        return if found == 0 {
            Ok((ReturnCode::ObjectMissing, data))
        } else {
            Err(UserdataError::Data { declared: 4, found })
        };
    };
    data.advance(DATA_HEAD_BYTES);
    let (declared, found) = (usize::from(u16::from_be_bytes([hi, lo])), data.len());
    if declared != found {
        return Err(UserdataError::Data { declared, found });
    }
    Ok((ReturnCode::from_byte(code), data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::{Decoder, Message};

    fn through_the_wire(userdata: &Userdata) -> (u16, Userdata) {
        let mut out = BytesMut::new();
        userdata.encode(&mut out, 77).unwrap();
        let Some(Message::Pdu(pdu)) = Decoder::new().decode(&mut out).unwrap() else { panic!("a whole PDU") };
        (pdu.reference, Userdata::decode(&pdu).unwrap())
    }

    #[test]
    fn requests_answers_follow_ups_and_refusals_survive_the_wire() {
        let request = Userdata::request(Group::Cpu, 1, Bytes::from_static(&[0, 0x11, 0, 0]));
        let part = Userdata { sequence: 3, more: true, ..request.answer(Bytes::from_static(b"part")) };
        for userdata in
            [request.clone(), part.clone(), part.follow_up(), request.refusal(ErrorWord::SZL_UNAVAILABLE)]
        {
            assert_eq!(through_the_wire(&userdata), (77, userdata));
        }
    }

    #[test]
    fn a_request_has_the_bytes_that_programmers_tools_send() {
        let mut out = BytesMut::new();
        Userdata::request(Group::Clock, 1, Bytes::new()).encode(&mut out, 0x0102).unwrap();
        let expected = [
            0x32, 7, 0, 0, 1, 2, 0, 8, 0, 4, 0x00, 0x01, 0x12, 0x04, 0x11, 0x47, 0x01, 0x00, 0x0a, 0x00,
            0x00, 0x00,
        ];
        assert_eq!(out[crate::pdu::PACKET_OVERHEAD_BYTES..], expected);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let pdu = |parameter: &'static [u8], data: &'static [u8]| Pdu {
            rosctr: Rosctr::Userdata,
            reference: 0,
            error: HeaderError::NONE,
            parameter: Bytes::from_static(parameter),
            data: Bytes::from_static(data),
        };
        let short = pdu(&[0, 1, 0x12, 4, 0x11, 0x44, 1], &[]);
        assert_eq!(Userdata::decode(&short), Err(UserdataError::Parameter { bytes: 7 }));
        let long = pdu(&[0, 1, 0x12, 8, 0x11, 0x44, 1, 0], &[]);
        assert_eq!(Userdata::decode(&long), Err(UserdataError::Parameter { bytes: 8 }));
        let lie = pdu(&[0, 1, 0x12, 4, 0x11, 0x44, 1, 0], &[0xff, 9, 0, 9, 1]);
        assert_eq!(Userdata::decode(&lie), Err(UserdataError::Data { declared: 9, found: 1 }));
    }
}
