//! Watching a process that runs anyway, from beside it: what it holds, and where that goes.
//!
//! Nothing here plays or judges: without cycles nobody knows when the process is at rest, so a trend is all that can be said.

mod eye;
mod floors;
mod metrics;
mod place;
mod sample;

use std::time::Duration;

use tokio::time::Instant;

pub use eye::{Eye, WatchError};
pub use floors::{Floors, Trend};
pub use metrics::page;
pub use place::{Place, PlaceError};
pub use sample::{Details, Sample, Site};

use crate::resource::Resource;

/// What a reader of trends must be told.
pub const NO_VERDICT: &str =
    "a trend is no verdict: only cycles can be judged, with `watertight run` or `watertight soak`";

/// A process that is watched, and what has been seen of it: as much after a week as after a minute.
#[derive(Debug)]
pub struct Watch {
    eye: Eye,
    began: Instant,
    seen: Seen,
}

/// What has been seen so far.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whom, in words: `pid 4711 (redis-server)`.
    pub target: String,
    /// The last look.
    pub latest: Option<Sample>,
    /// Where each resource goes, in the order of [`Resource::ALL`].
    floors: [Floors; Resource::ALL.len()],
    /// Looks so far, and those of them that failed.
    pub looks: u64,
    /// See [`Seen::looks`].
    pub failed: u64,
    /// Whether the last look came about.
    pub up: bool,
    /// From one look to the next.
    pub every: Duration,
}

impl Seen {
    /// Nothing so far of `target`, which is looked at `every` so often.
    pub fn of(target: String, every: Duration) -> Self {
        let floors = std::array::from_fn(|_| Floors::default());
        Self { target, latest: None, floors, looks: 0, failed: 0, up: false, every }
    }

    /// Each resource that is measured, and where it goes.
    pub fn floors(&self) -> impl Iterator<Item = (Resource, &Floors)> {
        Resource::ALL.into_iter().zip(&self.floors).filter(|(_, floors)| floors.ends().is_some())
    }

    /// How much a resource grows in an hour, over the later half of the time.
    pub fn growth_per_hour(&self, floors: &Floors) -> f64 {
        floors.growth_per_look() * (3600.0 / self.every.as_secs_f64())
    }

    /// Takes in a look.
    pub fn note(&mut self, sample: Sample) {
        for (resource, floors) in Resource::ALL.into_iter().zip(&mut self.floors) {
            sample.census.count(resource).into_iter().for_each(|figure| floors.note(figure));
        }
        self.latest = Some(sample);
    }
}

impl Watch {
    /// Watches what is at `place`, with a look `every` so often.
    ///
    /// # Errors
    /// Nobody is there, or may not be looked at.
    pub fn open(place: &Place, token: Option<&str>, every: Duration) -> Result<Self, WatchError> {
        let eye = Eye::open(place, token, every)?;
        let seen = Seen::of(eye.target().to_owned(), every);
        Ok(Self { eye, began: Instant::now(), seen })
    }

    /// Looks once; blocks for as long as the process takes to answer, where it is asked.
    ///
    /// # Errors
    /// The process has ended, or did not answer; the next look may find it again in the second case.
    pub fn look(&mut self) -> Result<(), WatchError> {
        self.seen.looks += 1;
        let looked = self.eye.look(self.began.elapsed());
        self.seen.up = looked.is_ok();
        self.seen.failed += u64::from(looked.is_err());
        self.seen.note(looked?);
        Ok(())
    }

    /// What has been seen so far.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }
}
