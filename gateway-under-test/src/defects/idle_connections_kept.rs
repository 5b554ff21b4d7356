//! D13: connections of consumers that ask nothing are never dropped.
//!
//! What it looks like: with every client that vanishes without a word (a laptop that sleeps, a phone that leaves the
//! wireless) one more task and one more descriptor stay, and some 24 KB of heap. `ss` shows the connections as
//! ESTABLISHED, for weeks. At 256 of them the gateway takes no more, and looks as if it were down.
//!
//! Why it passes review: it is the fix of a real incident. A proxy in front keeps connections open between requests; a
//! gateway that closes one just when the proxy uses it makes a 502. The proxy has deadlines of its own, so here a bound
//! is needed only for form, and "a year" is one. But not everyone comes by the proxy, and nobody closes what vanished.
//!
//! The fix: the deadlines that are configured; against the 502, a longer one than the proxy's, not none.

use std::time::Duration;

use crate::http::pace::Deadlines;
use crate::http::reception::{Accepted, Reception};
use crate::tasks::{TaskKind, Tasks};

/// The proxy in front decides when a connection is over: it must never find one closed.
const LEFT_TO_THE_PROXY: Duration = Duration::from_secs(365 * 24 * 3600);

/// Has connections served with no deadline that is ever reached.
pub struct IdleConnectionsKept;

impl Reception for IdleConnectionsKept {
    fn receive(&self, tasks: &Tasks, mut accepted: Accepted) {
        accepted.deadlines = Deadlines { idle: LEFT_TO_THE_PROXY, head: LEFT_TO_THE_PROXY };
        tasks.spawn(TaskKind::Connection, accepted.serve());
    }
}
