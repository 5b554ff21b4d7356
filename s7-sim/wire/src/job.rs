//! Jobs and answers: what a PDU's function byte makes of its two parts.

use bytes::Buf;
use thiserror::Error;

use crate::code::HeaderError;
use crate::control::{Control, FUNCTION_PI_SERVICE, FUNCTION_STOP};
use crate::item::{ITEMS_MAX, Items};
use crate::pdu::{Pdu, Rosctr};
use crate::read::{ItemDataList, ReadAnswer, ReadRequest};
use crate::setup::Setup;
use crate::size::FUNCTION_HEAD_BYTES;
use crate::transfer::{
    FUNCTION_END_UPLOAD, FUNCTION_REQUEST_DOWNLOAD, FUNCTION_START_UPLOAD, FUNCTION_UPLOAD, TransferJob,
};
use crate::write::{WriteAnswer, WriteRequest};

/// Setup communication.
pub const FUNCTION_SETUP: u8 = 0xf0;
/// Read var.
pub const FUNCTION_READ: u8 = 0x04;
/// Write var.
pub const FUNCTION_WRITE: u8 = 0x05;

/// A request, as a server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Setup communication.
    Setup(Setup),
    /// Read var.
    Read(ReadRequest),
    /// Write var.
    Write(WriteRequest),
    /// Upload or download of a block.
    Transfer(TransferJob),
    /// Start, stop, and other program invocation services.
    Control(Control),
    /// A function that this crate does not read; a server answers 81 04.
    Other {
        /// The function byte; `None` for an empty parameter part.
        function: Option<u8>,
    },
}

/// Why a job cannot be read: the frame is whole, its content is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JobError {
    /// Not a job at all.
    #[error("expected a Job, found {found:?}")]
    NotAJob {
        /// What it is.
        found: Rosctr,
    },
    /// No item, or more than a job may have. To be refused, never cut.
    #[error("a job has 1..={ITEMS_MAX} items, found {found}")]
    Items {
        /// The item count.
        found: usize,
    },
    /// Items or their data do not add up to the part that holds them: a lie about lengths.
    #[error("function {function:02X}: {part} of {bytes} bytes does not fit its {items} items")]
    Malformed {
        /// The function byte.
        function: u8,
        /// Which part.
        part: Part,
        /// Its length.
        bytes: usize,
        /// The item count; 0 where there are none.
        items: usize,
    },
}

/// Half of a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The parameter part.
    Parameter,
    /// The data part.
    Data,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parameter => "a parameter part",
            Self::Data => "a data part",
        })
    }
}

impl Job {
    /// Reads a job.
    pub fn decode(pdu: &Pdu) -> Result<Self, JobError> {
        if pdu.rosctr != Rosctr::Job {
            return Err(JobError::NotAJob { found: pdu.rosctr });
        }
        match pdu.function() {
            Some(function @ FUNCTION_SETUP) => {
                let setup = Setup::decode(&pdu.parameter);
                setup.map(Self::Setup).ok_or_else(|| malformed(pdu, function, Part::Parameter, 0))
            }
            // A read of nothing, which python-snap7's client sends as a sign of life, is answered with nothing.
            Some(FUNCTION_READ) if matches!(pdu.parameter[..], [_] | [_, 0]) => {
                Ok(Self::Read(ReadRequest { items: Items::default() }))
            }
            Some(function @ FUNCTION_READ) => {
                Ok(Self::Read(ReadRequest { items: decode_items(pdu, function)? }))
            }
            Some(function @ FUNCTION_WRITE) => {
                let items = decode_items(pdu, function)?;
                let data = ItemDataList::of_request(items.len(), pdu.data.clone());
                let data = data.ok_or_else(|| malformed(pdu, function, Part::Data, items.len()))?;
                Ok(Self::Write(WriteRequest { items, data }))
            }
            Some(
                function @ (FUNCTION_START_UPLOAD
                | FUNCTION_UPLOAD
                | FUNCTION_END_UPLOAD
                | FUNCTION_REQUEST_DOWNLOAD),
            ) => {
                let transfer = TransferJob::decode(&pdu.parameter);
                transfer.map(Self::Transfer).ok_or_else(|| malformed(pdu, function, Part::Parameter, 0))
            }
            Some(function @ (FUNCTION_PI_SERVICE | FUNCTION_STOP)) => {
                let control = Control::decode(&pdu.parameter);
                // A service that is not known is a function that is not available, not a lie.
                Ok(control.map_or(Self::Other { function: Some(function) }, Self::Control))
            }
            function => Ok(Self::Other { function }),
        }
    }
}

/// An answer, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To setup communication.
    Setup(Setup),
    /// To a read.
    Read(ReadAnswer),
    /// To a write.
    Write(WriteAnswer),
    /// The job was refused as a whole.
    Refused(HeaderError),
}

/// Why an answer cannot be read. None of its data is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not an answer at all.
    #[error("expected an Ack or AckData, found {found:?}")]
    NotAnAnswer {
        /// What it is.
        found: Rosctr,
    },
    /// A function that nobody asked for.
    #[error("expected an answer to setup, read or write, found function {found:02X?}")]
    Function {
        /// The function byte; `None` for an empty parameter part.
        found: Option<u8>,
    },
    /// The answer does not add up.
    #[error("function {function:02X}: {part} of {bytes} bytes does not fit its {items} items")]
    Malformed {
        /// The function byte.
        function: u8,
        /// Which part.
        part: Part,
        /// Its length.
        bytes: usize,
        /// The item count; 0 where there are none.
        items: usize,
    },
}

impl Answer {
    /// Reads an answer. Whose answer it is, the caller finds by [`Pdu::reference`], the variant, and the item count.
    pub fn decode(pdu: &Pdu) -> Result<Self, AnswerError> {
        if !pdu.rosctr.is_answer() {
            return Err(AnswerError::NotAnAnswer { found: pdu.rosctr });
        }
        if pdu.error.is_error() {
            return Ok(Self::Refused(pdu.error));
        }
        let malformed = |function, part, items| {
            let bytes = part_bytes(pdu, part);
            AnswerError::Malformed { function, part, bytes, items }
        };
        match pdu.parameter[..] {
            [function @ FUNCTION_SETUP, ..] => {
                let setup = Setup::decode(&pdu.parameter);
                setup.map(Self::Setup).ok_or(malformed(function, Part::Parameter, 0))
            }
            [function @ FUNCTION_READ, count] => {
                let items = ItemDataList::of_answer(usize::from(count), pdu.data.clone());
                let items = items.ok_or(malformed(function, Part::Data, usize::from(count)))?;
                Ok(Self::Read(ReadAnswer { items }))
            }
            [function @ FUNCTION_WRITE, count] => {
                let answer = WriteAnswer::new(usize::from(count), pdu.data.clone());
                answer.map(Self::Write).ok_or(malformed(function, Part::Data, usize::from(count)))
            }
            [function @ (FUNCTION_READ | FUNCTION_WRITE), ..] => Err(malformed(function, Part::Parameter, 0)),
            _ => Err(AnswerError::Function { found: pdu.function() }),
        }
    }
}

fn decode_items(pdu: &Pdu, function: u8) -> Result<Items, JobError> {
    let Some(&[_function, count]) = pdu.parameter.first_chunk::<FUNCTION_HEAD_BYTES>() else {
        return Err(malformed(pdu, function, Part::Parameter, 0));
    };
    let found = usize::from(count);
    if found == 0 || found > ITEMS_MAX {
        return Err(JobError::Items { found });
    }
    let mut wire = pdu.parameter.clone();
    wire.advance(FUNCTION_HEAD_BYTES);
    let items = Items::new(wire).filter(|items| items.len() == found);
    items.ok_or_else(|| malformed(pdu, function, Part::Parameter, found))
}

fn malformed(pdu: &Pdu, function: u8, part: Part, items: usize) -> JobError {
    JobError::Malformed { function, part, bytes: part_bytes(pdu, part), items }
}

fn part_bytes(pdu: &Pdu, part: Part) -> usize {
    match part {
        Part::Parameter => pdu.parameter.len(),
        Part::Data => pdu.data.len(),
    }
}
