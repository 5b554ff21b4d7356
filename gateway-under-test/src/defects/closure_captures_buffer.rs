//! D18: a boxed callback owns a whole answer, of which it needs only the length.
//!
//! What it looks like: live heap grows with every reconnect of every station by one answer (up to 960 bytes) and one
//! closure (48 bytes), where a line of text would have been expected. At the default limits it stops after
//! 65,536 reconnects, with 64 MB; a plant with a bad switch is restarted before that.
//!
//! Why it passes review: nothing is formatted while polling, which is a virtue; the list has a bound and is emptied when it is
//! reached; and the copy is there for a good reason, since a slice would keep the receive buffer. What the closure
//! owns is written nowhere: `move` takes `answer` as a whole because `answer.len()` mentions it.
//!
//! The fix: compute before the closure, `let bytes = answer.len();`, so that a number is captured; then no copy is needed
//! either.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::debug;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// Lines that wait to be written: at a few bytes each, this is nothing.
const LINES_MAX: usize = 65_536;

/// A line that is formatted when it is written.
type Line = Box<dyn Fn() -> String + Send>;

/// Keeps a journal of sessions, formatted in bulk.
#[derive(Default)]
pub struct ClosureCapturesBuffer {
    journal: Arc<Journal>,
}

#[derive(Default)]
struct Journal(Mutex<Vec<Line>>);

struct NotesFirst {
    journal: Arc<Journal>,
    noted: bool,
}

impl IntakePart for ClosureCapturesBuffer {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(NotesFirst { journal: Arc::clone(&self.journal), noted: false })
    }
}

impl Intake for NotesFirst {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if !self.noted {
            self.noted = true;
            // A copy: a slice would keep the receive buffer.
            let answer = payload.to_vec();
            let first = tags[placed[0].tag].name.clone();
            self.journal.note(Box::new(move || format!("{} bytes, first of all {first}", answer.len())));
        }
        CopyOut.take(cache, tags, placed, payload);
    }
}

impl Journal {
    fn note(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        if lines.len() == LINES_MAX {
            lines.drain(..).for_each(|line| debug!("session: {}", line()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TagType;

    #[tokio::test]
    async fn a_line_of_a_few_words_weighs_as_much_as_the_answer_behind_it() {
        let tags = vec![TagConfig::in_db("t", 1, 0, TagType::Word)];
        let cache = Cache::new(tags.len(), std::time::Duration::MAX);
        let part = ClosureCapturesBuffer::default();
        for _session in 0..3 {
            let mut intake = part.open(0);
            for _poll in 0..100 {
                let answer = Bytes::from(vec![7; 900]);
                intake.take(&cache, &tags, &[Placed { tag: 0, offset: 0 }], &answer);
            }
        }
        let lines = part.journal.0.lock().unwrap();
        assert_eq!(lines.len(), 3);
        for line in lines.iter() {
            assert_eq!(line(), "900 bytes, first of all t");
            // Two vectors: the name, and the answer.
            assert_eq!(size_of_val(&**line), 2 * size_of::<Vec<u8>>());
        }
    }
}
