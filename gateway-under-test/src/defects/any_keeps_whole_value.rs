//! D22: one number is needed, and the whole `Box<dyn Any>` is kept.
//!
//! What it looks like: live heap grows with every session that ends, by two blocks: 40 bytes and 32 bytes for each tag of the
//! station. A station of 500 tags leaves 16 KB a reconnect; at ten stations that flap once a minute, 230 MB a day.
//!
//! Why it passes review: the history is bounded (16,384 sessions, and what is read of each is one number: 128 KB), it says
//! so, and `Box<dyn Any + Send>` does not show how much is in it: reports of other kinds can be added without a change here.
//! Nobody asks what else is in a box of which one field is read.
//!
//! The fix: take the field when the report comes, and keep that: `VecDeque<u64>`. What a history is to hold is decided where
//! it is filled, not where it is read.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::debug;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// Ended sessions that are looked back upon: a number each.
const SESSIONS_MAX: usize = 16_384;

/// What is known of sessions that have ended, of whatever kind.
type History = Arc<Mutex<VecDeque<Box<dyn Any + Send>>>>;

/// Keeps a history of how much sessions achieved before they were lost.
#[derive(Default)]
pub struct AnyKeepsWholeValue {
    history: History,
}

/// What one session achieved.
#[derive(Default)]
struct Report {
    answers: u64,
    tags: Vec<Tally>,
}

/// The same for one tag.
#[derive(Clone, Copy, Default)]
struct Tally {
    reads: u64,
    bytes: u64,
    /// The first and the last answer with it.
    seen: (u64, u64),
}

struct Reporting {
    history: History,
    report: Report,
}

impl IntakePart for AnyKeepsWholeValue {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        debug!(sessions = history.len(), answers = answers(&history), "another session");
        Box::new(Reporting { history: Arc::clone(&self.history), report: Report::default() })
    }
}

/// All answers of the sessions that are looked back upon.
fn answers(history: &VecDeque<Box<dyn Any + Send>>) -> u64 {
    history.iter().filter_map(|ended| ended.downcast_ref::<Report>()).map(|report| report.answers).sum()
}

impl Intake for Reporting {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        self.report.note(tags, placed);
        CopyOut.take(cache, tags, placed, payload);
    }
}

impl Report {
    fn note(&mut self, tags: &[TagConfig], placed: &[Placed]) {
        self.answers += 1;
        self.tags.resize(tags.len(), Tally::default());
        for place in placed {
            let tally = &mut self.tags[place.tag];
            if tally.reads == 0 {
                tally.seen.0 = self.answers;
            }
            tally.reads += 1;
            tally.bytes += u64::from(tags[place.tag].kind.bytes());
            tally.seen.1 = self.answers;
        }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let report: Box<dyn Any + Send> = Box::new(std::mem::take(&mut self.report));
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() == SESSIONS_MAX {
            history.pop_front();
        }
        history.push_back(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TagType;

    #[tokio::test]
    async fn of_each_session_the_tallies_of_every_tag_are_kept_behind_one_number() {
        let tags: Vec<_> =
            (0..100).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 2, TagType::Word)).collect();
        let cache = Cache::new(tags.len(), std::time::Duration::MAX);
        let part = AnyKeepsWholeValue::default();
        for _session in 0..3 {
            let mut intake = part.open(0);
            for _poll in 0..10 {
                let placed = [Placed { tag: 42, offset: 0 }];
                intake.take(&cache, &tags, &placed, &Bytes::from_static(&[0, 7]));
            }
        }
        let history = part.history.lock().unwrap();
        assert_eq!((history.len(), answers(&history)), (3, 30));
        let kept = |ended: &Box<dyn Any + Send>| ended.downcast_ref::<Report>().expect("a report").tags.len();
        assert!(history.iter().all(|ended| kept(ended) == 100));
    }
}
