//! The services beside variables: lists, blocks, clock, password, control, transfer. One file each.
//!
//! A [`Desk`] is what one session keeps of them between its messages; all else belongs to the PLC. What is asked for that the PLC
//! does not have, or may not be done, earns the error word that a real one answers with.

use bytes::{Bytes, BytesMut};
use s7_wire::userdata::{ANSWER_OVERHEAD_BYTES, Group, Kind, Userdata};
use s7_wire::{ErrorWord, Pdu};

use crate::identity::{Access, Service};
use crate::plc::Plc;

mod blocks;
mod clock;
mod control;
mod security;
mod szl;
mod transfer;

use transfer::{Download, Upload};

/// What a session may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Look.
    Read,
    /// Change.
    Write,
}

/// What one session keeps of its services.
#[derive(Default)]
pub(crate) struct Desk {
    /// The password was given.
    unlocked: bool,
    /// What is left of an answer that came in parts.
    rest: Option<Rest>,
    sequence: u8,
    upload: Option<Upload>,
    download: Option<Download>,
}

/// The parts of an answer that are still to be asked for.
struct Rest {
    group: Group,
    subfunction: u8,
    sequence: u8,
    bytes: Bytes,
}

impl Desk {
    /// Whether this session may do that on this PLC.
    pub(crate) fn may(&self, plc: &Plc, deed: Deed) -> bool {
        let access = plc.config().protection.access;
        self.unlocked || access == Access::Full || (access == Access::Read && deed == Deed::Read)
    }

    /// Answers one userdata request; `false` when the answer is an error.
    pub(crate) fn userdata(
        &mut self,
        plc: &Plc,
        pdu: &Pdu,
        request: &Userdata,
        pdu_length: usize,
        out: &mut BytesMut,
    ) -> bool {
        let answer = match request.kind {
            Kind::FollowUp => self.next_part(request, pdu_length),
            Kind::Request | Kind::Answer => match self.serve(plc, request) {
                Ok(payload) => Ok(self.first_part(request, payload, pdu_length)),
                Err(word) => Err(word),
            },
        };
        let good = answer.is_ok();
        let answer = answer.unwrap_or_else(|word| request.refusal(word));
        answer.encode(out, pdu.reference).expect("a part fits the negotiated PDU, which fits a packet");
        good
    }

    fn serve(&mut self, plc: &Plc, request: &Userdata) -> Result<Bytes, ErrorWord> {
        let services = &plc.config().services;
        let has = |service| services.contains(&service);
        match request.group {
            Group::Cpu if has(Service::Szl) => szl::serve(plc, request),
            Group::Blocks if has(Service::Blocks) => blocks::serve(plc, request),
            Group::Clock if has(Service::Clock) => clock::serve(plc, request, self.may(plc, Deed::Write)),
            Group::Security if has(Service::Security) => security::serve(plc, request, &mut self.unlocked),
            _ => Err(ErrorWord::FUNCTION_UNAVAILABLE),
        }
    }

    /// The answer, or its first part and the rest to be asked for.
    fn first_part(&mut self, request: &Userdata, payload: Bytes, pdu_length: usize) -> Userdata {
        self.rest = None;
        if payload.len() <= room(pdu_length) {
            return request.answer(payload);
        }
        // 0 stands for an answer in one piece.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.part(request, payload, self.sequence, pdu_length)
    }

    fn next_part(&mut self, request: &Userdata, pdu_length: usize) -> Result<Userdata, ErrorWord> {
        let asked = |rest: &Rest| (rest.group, rest.subfunction, rest.sequence);
        let wanted = (request.group, request.subfunction, request.sequence);
        let rest = self.rest.take_if(|rest| asked(rest) == wanted).ok_or(ErrorWord::PDU_LENGTH)?;
        Ok(self.part(request, rest.bytes, rest.sequence, pdu_length))
    }

    fn part(&mut self, request: &Userdata, mut bytes: Bytes, sequence: u8, pdu_length: usize) -> Userdata {
        let part = bytes.split_to(bytes.len().min(room(pdu_length)));
        let more = !bytes.is_empty();
        let (group, subfunction) = (request.group, request.subfunction);
        self.rest = more.then_some(Rest { group, subfunction, sequence, bytes });
        Userdata { sequence, more, ..request.answer(part) }
    }
}

/// Bytes of payload in one answer.
fn room(pdu_length: usize) -> usize {
    pdu_length - ANSWER_OVERHEAD_BYTES
}
