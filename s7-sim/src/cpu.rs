//! The CPU: whether it runs, and what its clock says. Knows no sessions and no memory.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use tokio::time::Instant;

/// A CPU's state. Its clock moves by tokio's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    running: bool,
    /// What the clock said ...
    said: DateTime,
    /// ... when it was set.
    set: Instant,
    /// When it last changed between run and stop.
    changed: DateTime,
}

impl Cpu {
    /// A CPU that runs, and whose clock says `clock`.
    pub(crate) fn new(clock: DateTime) -> Self {
        Self { running: true, said: clock, set: Instant::now(), changed: clock }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Starts or stops it; `false` when it was so already.
    pub(crate) fn switch(&mut self, running: bool) -> bool {
        let changes = self.running != running;
        if changes {
            self.running = running;
            self.changed = self.clock();
        }
        changes
    }

    /// The time on its clock; it stands still at the end of the year 9999.
    pub(crate) fn clock(&self) -> DateTime {
        let passed = SignedDuration::try_from(self.set.elapsed()).unwrap_or(SignedDuration::MAX);
        self.said.saturating_add(passed)
    }

    pub(crate) fn set_clock(&mut self, clock: DateTime) {
        (self.said, self.set) = (clock, Instant::now());
    }

    /// When it last changed between run and stop, by its clock.
    pub(crate) fn changed(&self) -> DateTime {
        self.changed
    }
}
