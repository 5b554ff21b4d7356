//! N01: a cache fills to its cap, and is full from then on.
//!
//! Why it looks like a leak: live heap grows by a block with every session, cycle after cycle, at a steady rate and at
//! one line, exactly as a leak does, and goes on long after warm-up.
//!
//! Why it is none: there is room for `ANSWERS_MAX` answers, made at once; when it is taken, the oldest goes for each that
//! comes. From there on the heap is level, block for block. A longer warm-up would not have shown it at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// First answers that are kept: those of the last so many sessions.
const ANSWERS_MAX: usize = 200;

/// Bytes that are kept of one.
const ANSWER_BYTES: usize = 64;

type Answers = Arc<Mutex<VecDeque<Box<[u8; ANSWER_BYTES]>>>>;

/// Keeps how each of the last sessions began, for whoever has to find out what a PLC said when it came back.
pub struct CacheFillsToItsCap(Answers);

impl Default for CacheFillsToItsCap {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(VecDeque::with_capacity(ANSWERS_MAX))))
    }
}

impl IntakePart for CacheFillsToItsCap {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(NotesFirst { answers: Arc::clone(&self.0), noted: false })
    }
}

struct NotesFirst {
    answers: Answers,
    noted: bool,
}

impl Intake for NotesFirst {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if !self.noted {
            self.noted = true;
            note(&self.answers, payload);
        }
        CopyOut.take(cache, tags, placed, payload);
    }
}

fn note(answers: &Answers, payload: &[u8]) {
    let mut answer = Box::new([0; ANSWER_BYTES]);
    let bytes = payload.len().min(ANSWER_BYTES);
    answer[..bytes].copy_from_slice(&payload[..bytes]);
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    if answers.len() == ANSWERS_MAX {
        answers.pop_front();
    }
    answers.push_back(answer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_its_cap() {
        let CacheFillsToItsCap(answers) = CacheFillsToItsCap::default();
        let room = answers.lock().unwrap().capacity();
        (0..3 * ANSWERS_MAX).for_each(|_| note(&answers, b"an answer"));
        let answers = answers.lock().unwrap();
        assert_eq!((answers.len(), answers.capacity()), (ANSWERS_MAX, room));
    }
}
