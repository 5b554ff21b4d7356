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

/// How looks are remembered.
pub trait HistoryPart: Send + Sync {
    /// The empty history of a new guardian.
    fn open(&self) -> Box<dyn History>;
}

/// The looks before the one under judgement.
pub trait History: Send {
    /// Remembers a look.
    fn push(&mut self, sample: Sample);

    /// Forgets everything: what was seen before says nothing of what comes.
    fn clear(&mut self);

    /// The last [`HISTORY`], oldest first; `None` unless there are as many.
    fn last(&self) -> Option<[Sample; HISTORY]>;
}

/// One figure of every look that is remembered, oldest first; `None` unless there are enough, each with the figure.
pub fn series(
    history: &dyn History,
    figure: impl Fn(&Sample) -> Option<u64>,
) -> Option<[(Instant, u64); HISTORY]> {
    let last = history.last()?;
    let mut series = last.map(|sample| (sample.at, 0));
    for (point, sample) in series.iter_mut().zip(&last) {
        point.1 = figure(sample)?;
    }
    Some(series)
}

/// Rings.
pub struct OfFixedLength;

impl HistoryPart for OfFixedLength {
    fn open(&self) -> Box<dyn History> {
        Box::<Ring>::default()
    }
}

/// As many looks as are needed, each in the place of the oldest.
#[derive(Debug, Default)]
pub struct Ring {
    ring: [Option<Sample>; HISTORY],
    /// Where the oldest is, and the next will be.
    oldest: usize,
}

impl History for Ring {
    fn push(&mut self, sample: Sample) {
        self.ring[self.oldest] = Some(sample);
        self.oldest = (self.oldest + 1) % HISTORY;
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn last(&self) -> Option<[Sample; HISTORY]> {
        let mut last = [self.ring[self.oldest]?; HISTORY];
        for (steps, sample) in last.iter_mut().enumerate() {
            *sample = self.ring[(self.oldest + steps) % HISTORY]?;
        }
        Some(last)
    }
}
