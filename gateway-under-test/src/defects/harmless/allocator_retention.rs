//! N05: bursts of large buffers, all of them freed, whose pages the allocator keeps.
//!
//! What it looks like: RSS grows with every session, for hours, and live heap does not: a report with a page for each of the latest 512
//! sessions is rendered whenever one begins, and all of it but the latest page is freed at once. The allocator keeps the free
//! pages, since the one behind them is still in use.
//!
//! Why it is none: what is kept is a number for each of 512 sessions and one page. The others are free, are used again for
//! the next report, and go back to the system when the allocator is asked to trim. With 512 sessions it is level, at 8 MB.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// Sessions that a report looks back upon.
const SESSIONS_MAX: usize = 512;
/// A page of a report.
const PAGE_BYTES: usize = 16 * 1024;

/// Renders a report of the latest sessions when another one begins.
pub struct AllocatorRetention {
    reports: Arc<Mutex<Reports>>,
}

struct Reports {
    /// The length of each session's first answer.
    sessions: VecDeque<usize>,
    /// The page of the latest, for whoever asks.
    latest: Vec<u8>,
}

impl Default for AllocatorRetention {
    fn default() -> Self {
        let sessions = VecDeque::with_capacity(SESSIONS_MAX);
        Self { reports: Arc::new(Mutex::new(Reports { sessions, latest: page(0) })) }
    }
}

struct Reporting {
    reports: Arc<Mutex<Reports>>,
    reported: bool,
}

impl IntakePart for AllocatorRetention {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(Reporting { reports: Arc::clone(&self.reports), reported: false })
    }
}

impl Intake for Reporting {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if !self.reported {
            self.reported = true;
            let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.begin(payload.len());
        }
        CopyOut.take(cache, tags, placed, payload);
    }
}

impl Reports {
    fn begin(&mut self, answer_bytes: usize) {
        if self.sessions.len() == SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(answer_bytes);
        let mut pages: Vec<Vec<u8>> = self.sessions.iter().map(|bytes| page(*bytes)).collect();
        self.latest = pages.pop().expect("a session has just begun");
    }
}

/// The page of one session.
fn page(answer_bytes: usize) -> Vec<u8> {
    vec![answer_bytes as u8 | 1; PAGE_BYTES]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_of_the_latest_sessions_and_none_of_its_pages_is_kept() {
        let part = AllocatorRetention::default();
        let mut reports = part.reports.lock().unwrap();
        (0..2 * SESSIONS_MAX).for_each(|bytes| reports.begin(bytes));
        assert_eq!((reports.sessions.len(), reports.sessions.capacity()), (SESSIONS_MAX, SESSIONS_MAX));
        assert_eq!(reports.latest.capacity(), PAGE_BYTES);
    }
}
