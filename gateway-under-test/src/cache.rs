//! The latest value of every tag. Its size is decided when the configuration is read: one slot per tag, values copied in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use s7_wire::Value;
use tokio::time::Instant;

use crate::config::StationConfig;

/// How far a value is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Never read.
    Unknown,
    /// Read in the last poll.
    Good,
    /// Read in a session that has ended.
    Stale,
    /// The PLC answers with a code instead of data.
    Bad,
}

impl Quality {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Stale => "stale",
            Self::Bad => "bad",
        }
    }
}

/// The latest of one tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    /// The last value that was read.
    pub value: Option<Value>,
    /// When it was read.
    pub at: Option<Instant>,
    /// Whether it is to be trusted.
    pub quality: Quality,
    /// How often it was read.
    pub updates: u64,
}

const NEVER_READ: Latest = Latest { value: None, at: None, quality: Quality::Unknown, updates: 0 };

/// The latest values of every station.
#[derive(Debug)]
pub struct Cache {
    stations: Box<[Mutex<Box<[Latest]>>]>,
}

impl Cache {
    /// A slot for every tag.
    pub fn new(stations: &[StationConfig]) -> Self {
        let slots = |station: &StationConfig| Mutex::new(vec![NEVER_READ; station.tags.len()].into());
        Self { stations: stations.iter().map(slots).collect() }
    }

    /// Replaces a tag's value.
    pub fn put(&self, station: usize, tag: usize, value: Value) {
        let slot = &mut self.lock(station)[tag];
        let updates = slot.updates + 1;
        *slot = Latest { value: Some(value), at: Some(Instant::now()), quality: Quality::Good, updates };
    }

    /// Says that a tag cannot be read; its last value stays.
    pub fn spoil(&self, station: usize, tag: usize) {
        self.lock(station)[tag].quality = Quality::Bad;
    }

    /// Says that a station's session has ended: what was good is stale now.
    pub fn stale(&self, station: usize) {
        for slot in self.lock(station).iter_mut().filter(|slot| slot.quality == Quality::Good) {
            slot.quality = Quality::Stale;
        }
    }

    /// The latest of one tag.
    pub fn read(&self, station: usize, tag: usize) -> Latest {
        self.lock(station)[tag]
    }

    /// Lets `look` see the latest of a station's tags, in the order of the configuration.
    pub fn look<T>(&self, station: usize, look: impl FnOnce(&[Latest]) -> T) -> T {
        look(&self.lock(station))
    }

    /// How many tags have a value.
    pub fn values(&self) -> usize {
        let valued =
            |station| self.look(station, |tags| tags.iter().filter(|tag| tag.value.is_some()).count());
        (0..self.stations.len()).map(valued).sum()
    }

    fn lock(&self, station: usize) -> MutexGuard<'_, Box<[Latest]>> {
        // Slots are replaced whole, so one that a panicking thread left behind is as good as any.
        self.stations[station].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TagConfig, TagType};

    fn cache() -> Cache {
        let tags =
            vec![TagConfig::in_db("a", 1, 0, TagType::Word), TagConfig::in_db("b", 1, 2, TagType::Word)];
        Cache::new(&[StationConfig::new("plc", "plc:102", tags)])
    }

    #[tokio::test]
    async fn the_latest_value_replaces_the_one_before() {
        let cache = cache();
        for value in 0..1000 {
            cache.put(0, 1, Value::Word(value));
        }
        let latest = cache.read(0, 1);
        assert_eq!(
            (latest.value, latest.updates, latest.quality),
            (Some(Value::Word(999)), 1000, Quality::Good)
        );
        assert_eq!(cache.read(0, 0), NEVER_READ);
        assert_eq!(cache.values(), 1);
    }

    #[tokio::test]
    async fn an_ended_session_makes_good_values_stale_and_leaves_bad_ones_bad() {
        let cache = cache();
        cache.put(0, 0, Value::Word(1));
        cache.put(0, 1, Value::Word(2));
        cache.spoil(0, 1);
        cache.stale(0);
        assert_eq!(cache.read(0, 0).quality, Quality::Stale);
        assert_eq!((cache.read(0, 1).quality, cache.read(0, 1).value), (Quality::Bad, Some(Value::Word(2))));
    }
}
