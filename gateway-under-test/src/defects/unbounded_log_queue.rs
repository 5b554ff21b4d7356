//! D16: log lines queue for a slow sink without limit.
//!
//! What it looks like: live heap grows by one small block for each line that is logged while the collector is away, and by
//! nothing while it is there. One line a second of 100 bytes is 60 MB a week: a maintenance window passes unseen, a
//! collector that was moved and never configured anew does not.
//!
//! Why it passes review: "no line is ever lost" is what everybody wants of an audit log, and whoever logs still never
//! waits. Each line gets its time as it comes, since it may be written much later: that is thoughtful. The queue is empty
//! in every test, because in tests the sink takes what it is given.
//!
//! The fix: a bound, a declared policy for when it is reached, and a count of what was dropped, which is itself logged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use crate::config::WhenFull;
use crate::log::queue::{LogPart, LogQueue};

/// Keeps every line until it is written.
pub struct UnboundedLog;

impl LogPart for UnboundedLog {
    fn open(&self, _lines_max: usize, _when_full: WhenFull) -> Arc<dyn LogQueue> {
        Arc::new(UnboundedQueue { opened: Instant::now(), state: Mutex::default() })
    }
}

struct UnboundedQueue {
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    writer: Option<Waker>,
    closed: bool,
}

impl UnboundedQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogQueue for UnboundedQueue {
    fn push(&self, line: String) -> bool {
        // When it was said, which may be long before it is written.
        let stamped = format!("+{:.3}s {line}", self.opened.elapsed().as_secs_f64());
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.lines.push_back(stamped);
        state.writer.take().into_iter().for_each(Waker::wake);
        true
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut state = self.lock();
        match state.lines.pop_front() {
            Some(line) => Poll::Ready(Some(line)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn take_dropped(&self) -> u64 {
        0
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    fn queued(&self) -> usize {
        self.lock().lines.len()
    }
}
