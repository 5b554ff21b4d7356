//! The dialogue: a message in, answer bytes out. Knows what may come when; knows no streams and no clock of its own.

use bytes::BytesMut;
use s7_wire::job::JobError;
use s7_wire::pdu::Rosctr;
use s7_wire::read::ReadRequest;
use s7_wire::userdata::Userdata;
use s7_wire::write::WriteRequest;
use s7_wire::{
    Connection, Disconnect, HeaderError, Item, Job, Message, Pdu, ReadAnswerWriter, ReturnCode,
    WriteAnswerWriter, cotp, encode_refusal,
};

use crate::config::Refusal;
use crate::memory::Memory;
use crate::plc::{Plc, SessionEnd};
use crate::services::{Deed, Desk};
use crate::slots::{Refused, Slot};
use crate::stats::add;

/// The server's reference in every CC; a session has a stream of its own, so nothing needs to tell them apart.
const SOURCE_REFERENCE: u16 = 1;

/// How far a session has come.
pub(crate) struct Dialogue {
    stage: Stage,
    slot: Option<Slot>,
    pdu_length: usize,
    desk: Desk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet: a CR has to come.
    AwaitConnect,
    /// CC sent: setup has to come.
    AwaitSetup,
    /// Jobs.
    Ready,
}

/// What happens after a message.
pub(crate) enum Next {
    /// Go on.
    Continue,
    /// Send what was written, then end.
    End(SessionEnd),
}

impl Dialogue {
    pub(crate) fn new() -> Self {
        Self { stage: Stage::AwaitConnect, slot: None, pdu_length: 0, desk: Desk::default() }
    }

    /// Whether CR and setup are over.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Takes one message and appends its answer to `out`.
    pub(crate) fn answer(
        &mut self,
        plc: &Plc,
        refuse: Option<Refusal>,
        message: Message,
        out: &mut BytesMut,
    ) -> Next {
        match (self.stage, message) {
            (Stage::AwaitConnect, Message::ConnectRequest(request)) => {
                self.connect(plc, refuse, &request, out)
            }
            (Stage::AwaitConnect, other) => out_of_order("a CR", &other),
            (_, Message::DisconnectRequest(request)) => {
                cotp::encode_disconnect_confirm(request.source, request.destination, out);
                Next::End(SessionEnd::Disconnected)
            }
            (_, Message::Pdu(pdu)) => self.job(plc, &pdu, out),
            (Stage::AwaitSetup, other) => out_of_order("setup communication", &other),
            (Stage::Ready, other) => out_of_order("a job", &other),
        }
    }

    fn connect(
        &mut self,
        plc: &Plc,
        refuse: Option<Refusal>,
        request: &Connection,
        out: &mut BytesMut,
    ) -> Next {
        let connection = request.called.and_then(|called| called.connection_type());
        let slot = if refuse.is_some() { Err(Refused::Fault) } else { Slot::take(plc, connection) };
        match slot {
            Ok(slot) => self.slot = Some(slot),
            Err(why) => {
                let by = refuse.unwrap_or(plc.config().refusal);
                return refuse_connect(plc, request, why, by, out);
            }
        }
        self.stage = Stage::AwaitSetup;
        request.confirm(SOURCE_REFERENCE).encode_confirm(out);
        Next::Continue
    }

    fn job(&mut self, plc: &Plc, pdu: &Pdu, out: &mut BytesMut) -> Next {
        if pdu.rosctr.is_answer() {
            if self.desk.take_answer(plc, pdu, out) {
                return Next::Continue;
            }
            return Next::End(SessionEnd::OutOfOrder { expected: "a job", found: "an answer" });
        }
        add(&plc.counters().requests, 1);
        if pdu.rosctr == Rosctr::Userdata && self.stage == Stage::Ready {
            return self.userdata(plc, pdu, out);
        }
        match (self.stage, Job::decode(pdu)) {
            (_, Ok(Job::Setup(wish))) => {
                let agreed = wish.agree(plc.config().pdu_length, plc.config().amq);
                self.pdu_length = usize::from(agreed.pdu_length);
                self.stage = Stage::Ready;
                agreed.encode_answer(out, pdu.reference);
                Next::Continue
            }
            (Stage::Ready, _) if pdu.bytes() > self.pdu_length => {
                refuse(plc, pdu, HeaderError::PDU_LENGTH, out)
            }
            (Stage::Ready, Ok(Job::Read(_) | Job::Write(_))) if !plc.config().protection.put_get => {
                refuse(plc, pdu, HeaderError::FUNCTION_UNAVAILABLE, out)
            }
            (Stage::Ready, Ok(Job::Read(request))) => self.read(plc, pdu, &request, out),
            (Stage::Ready, Ok(Job::Write(request))) => self.write(plc, pdu, &request, out),
            (Stage::Ready, Ok(Job::Control(control))) => match self.desk.control(plc, pdu, &control, out) {
                Ok(()) => Next::Continue,
                Err(word) => refuse(plc, pdu, word.into(), out),
            },
            (Stage::Ready, Ok(Job::Transfer(job))) => {
                match self.desk.transfer(plc, pdu, &job, self.pdu_length, out) {
                    Ok(()) => Next::Continue,
                    Err(word) => refuse(plc, pdu, word.into(), out),
                }
            }
            (Stage::Ready, Ok(Job::Other { .. })) => refuse(plc, pdu, HeaderError::FUNCTION_UNAVAILABLE, out),
            // Too many items: the job is whole and well understood, it is only too much.
            (Stage::Ready, Err(JobError::Items { .. })) => refuse(plc, pdu, HeaderError::PDU_LENGTH, out),
            (Stage::Ready, Err(error)) => Next::End(error.into()),
            _ => Next::End(SessionEnd::OutOfOrder { expected: "setup communication", found: "another job" }),
        }
    }

    fn userdata(&mut self, plc: &Plc, pdu: &Pdu, out: &mut BytesMut) -> Next {
        let request = match Userdata::decode(pdu) {
            Ok(request) => request,
            Err(error) => return Next::End(error.into()),
        };
        if !self.desk.userdata(plc, pdu, &request, self.pdu_length, out) {
            add(&plc.counters().errors, 1);
        }
        Next::Continue
    }

    fn read(&self, plc: &Plc, pdu: &Pdu, request: &ReadRequest, out: &mut BytesMut) -> Next {
        let mut answer = ReadAnswerWriter::begin(out, pdu.reference, request.items.len() as u8);
        let (mut read, mut failed) = (0, 0);
        let may = self.desk.may(plc, Deed::Read);
        {
            let memory = plc.memory();
            for item in request.items.iter() {
                if !may {
                    answer.failure(ReturnCode::AccessDenied);
                    failed += 1;
                    continue;
                }
                match read_item(&memory, &item, &mut answer, self.pdu_length) {
                    Some(true) => read += 1,
                    Some(false) => failed += 1,
                    None => {
                        drop((memory, answer));
                        return refuse(plc, pdu, HeaderError::PDU_LENGTH, out);
                    }
                }
            }
        }
        answer.finish().expect("the answer fits the negotiated PDU, which fits a packet");
        add(&plc.counters().items_read, read);
        add(&plc.counters().errors, failed);
        Next::Continue
    }

    fn write(&self, plc: &Plc, pdu: &Pdu, request: &WriteRequest, out: &mut BytesMut) -> Next {
        let mut answer = WriteAnswerWriter::begin(out, pdu.reference, request.items.len() as u8);
        let (mut written, mut failed) = (0, 0);
        let may = self.desk.may(plc, Deed::Write);
        {
            let mut memory = plc.memory();
            for (item, data) in request.items.iter().zip(request.data.iter()) {
                let done =
                    if may { memory.write(&item, &data.payload) } else { Err(ReturnCode::AccessDenied) };
                match done {
                    Ok(()) => {
                        written += 1;
                        answer.code(ReturnCode::Success);
                    }
                    Err(code) => {
                        failed += 1;
                        answer.code(code);
                    }
                }
            }
        }
        answer.finish().expect("at most twenty codes fit every packet");
        add(&plc.counters().items_written, written);
        add(&plc.counters().errors, failed);
        Next::Continue
    }
}

/// Appends one item to the answer: whether it was read, or `None` when the answer would outgrow the PDU.
fn read_item(
    memory: &Memory,
    item: &Item,
    answer: &mut ReadAnswerWriter<'_>,
    pdu_length: usize,
) -> Option<bool> {
    let found = memory.read(item);
    // Checked before the copy: twenty items of 64 kB each are a short request.
    if answer.pdu_bytes_with(found.map_or(0, <[u8]>::len)) > pdu_length {
        return None;
    }
    let done = found.map(|payload| answer.success(item.transport.data(), payload));
    match done {
        Ok(true) => Some(true),
        Ok(false) => unreachable!("a payload within the PDU fits its length field"),
        Err(code) => {
            answer.failure(code);
            Some(false)
        }
    }
}

fn refuse_connect(plc: &Plc, request: &Connection, why: Refused, by: Refusal, out: &mut BytesMut) -> Next {
    plc.counters().refuse(why);
    if by == Refusal::Disconnect {
        let reason = Disconnect::CONGESTION;
        Disconnect { destination: request.source, source: 0, reason }.encode(out);
    }
    Next::End(SessionEnd::Refused { why, by })
}

fn refuse(plc: &Plc, pdu: &Pdu, error: HeaderError, out: &mut BytesMut) -> Next {
    add(&plc.counters().errors, 1);
    encode_refusal(out, pdu.reference, error);
    Next::Continue
}

fn out_of_order(expected: &'static str, found: &Message) -> Next {
    let found = match found {
        Message::ConnectRequest(_) => "a CR",
        Message::ConnectConfirm(_) => "a CC",
        Message::DisconnectRequest(_) => "a DR",
        Message::DisconnectConfirm => "a DC",
        Message::Error { .. } => "an ER",
        Message::Pdu(_) => "an S7 PDU",
    };
    Next::End(SessionEnd::OutOfOrder { expected, found })
}
