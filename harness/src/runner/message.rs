//! What a child tells its parent: one JSON document a line, on the child's standard output.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use watertight_probe::heap::Testimony;

use crate::exit::Exit;
use crate::report::CaseReport;
use crate::report::soak::{Capture, Checkpoint, Ground};
use crate::timeline::CycleRecord;

/// The longest line that is read. A report travels without its cycles, so only its findings and notes can make it long.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One line from child to parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// First: how many cycles will be played, warm-up included. Sent again if the run is extended.
    Planned {
        /// Warm-up included.
        cycles: usize,
    },
    /// A phase has begun; only where time passes as on the clock of a person who watches.
    Phase(PhaseBegun),
    /// A cycle has settled.
    Cycle(CycleRecord),
    /// Something happened in scenario time; only when [`super::RunRequest::events`] asks for it.
    Event(Event),
    /// What dhat says of the heap at the end, where it was asked.
    Testimony(Box<Testimony>),
    /// Last: the case has been judged.
    Done(Box<CaseReport>),
    /// What only a soak has to say.
    Soak(Box<SoakMessage>),
    /// Last: there is nothing to judge.
    Failed {
        /// What the case ends with: bad usage, or a harness that failed.
        exit: Exit,
        /// Why.
        error: String,
    },
}

/// What the target goes through from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseBegun {
    /// The cycle, counted from 0, warm-up included.
    pub cycle: usize,
    /// The phase's name in the scenario.
    pub name: String,
    /// Its faults, each with its place: `flap plc`.
    pub faults: Vec<String>,
}

/// What a child that soaks tells beside its cycles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoakMessage {
    /// First: what it is to be judged by.
    Ground(Ground),
    /// What was measured beside cycles up to now.
    Checkpoint(Checkpoint),
    /// What the target holds now.
    Capture(Capture),
    /// Last: everything was told, and the parent judges it.
    Over,
}

impl From<SoakMessage> for Message {
    fn from(message: SoakMessage) -> Self {
        Self::Soak(Box::new(message))
    }
}

/// Something that happened, as two equal runs must tell it equally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The cycle it happened in, counted from 0, warm-up included.
    pub cycle: usize,
    /// Scenario time since the run began.
    pub at: Duration,
    /// In words: `plc[3]: connection 12 reset`.
    pub what: String,
}

/// Why a line from a child is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the child's output is no message: `{beginning}`: {why}")]
pub struct GarbageError {
    /// Counted from 1.
    pub line: usize,
    /// What the decoder says.
    pub why: String,
    /// The first characters, for the reader to recognise who printed them.
    pub beginning: String,
}

/// How much of a line that is no message is shown.
const BEGINNING_CHARS: usize = 80;

impl Message {
    /// Reads the message on line number `line` (from 1).
    pub fn decode(line: usize, text: &[u8]) -> Result<Self, GarbageError> {
        serde_json::from_slice(text).map_err(|error| GarbageError {
            line,
            why: error.to_string(),
            beginning: String::from_utf8_lossy(text).trim_end().chars().take(BEGINNING_CHARS).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Census;

    #[test]
    fn a_message_comes_back_as_it_was_sent() {
        let cycle = CycleRecord {
            cycle: 3,
            at: Duration::from_millis(105_250),
            settled_after: Some(Duration::from_micros(17)),
            census: Census { tasks: Some(12), heap_bytes: Some(u64::MAX), ..Census::default() },
        };
        let event = Event { cycle: 3, at: Duration::from_secs(1), what: "plc: cut\n\"quoted\"".to_owned() };
        let failed = Message::Failed { exit: Exit::Usage, error: "no such case".to_owned() };
        let begun = PhaseBegun { cycle: 3, name: "storm".to_owned(), faults: vec!["flap plc".to_owned()] };
        let phase = Message::Phase(begun);
        for message in
            [Message::Planned { cycles: 105 }, phase, Message::Cycle(cycle), Message::Event(event), failed]
        {
            let line = serde_json::to_vec(&message).unwrap();
            assert!(!line.contains(&b'\n'), "a message is one line");
            assert_eq!(Message::decode(1, &line), Ok(message));
        }
    }

    #[test]
    fn garbage_is_named_by_its_line_and_its_beginning() {
        let error = Message::decode(7, b"listening on 127.0.0.1:80\n").unwrap_err();
        assert_eq!((error.line, error.beginning.as_str()), (7, "listening on 127.0.0.1:80"));
        assert!(error.to_string().starts_with("line 7 of the child's output is no message: "));
    }
}
