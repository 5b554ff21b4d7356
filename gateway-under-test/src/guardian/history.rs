//! The last looks: a ring of fixed length, so that whoever watches over growth does not grow.

use tokio::time::Instant;

/// Looks that are remembered beside the one under judgement.
pub const HISTORY: usize = 12;

/// What was seen in one look. `None`: nobody measures that here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, by the runtime's clock, which no step of the wall clock moves.
    pub at: Instant,
    /// Live heap.
    pub heap_bytes: Option<u64>,
    /// Live tasks.
    pub tasks: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// How many may be open.
    pub fds_limit: Option<u64>,
}

/// The samples before the one under judgement, as many as are remembered.
#[derive(Debug, Default)]
pub struct History {
    ring: [Option<Sample>; HISTORY],
    /// Where the oldest is, and the next will be.
    oldest: usize,
}

impl History {
    /// Remembers a sample in the place of the oldest.
    pub fn push(&mut self, sample: Sample) {
        self.ring[self.oldest] = Some(sample);
        self.oldest = (self.oldest + 1) % HISTORY;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// One figure of every sample, oldest first; `None` unless there are as many as are remembered, each with the figure.
    pub fn series(&self, figure: impl Fn(&Sample) -> Option<u64>) -> Option<[(Instant, u64); HISTORY]> {
        let first = self.ring[self.oldest]?;
        let mut series = [(first.at, 0); HISTORY];
        for (steps, point) in series.iter_mut().enumerate() {
            let sample = self.ring[(self.oldest + steps) % HISTORY]?;
            *point = (sample.at, figure(&sample)?);
        }
        Some(series)
    }
}
