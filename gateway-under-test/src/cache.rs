//! The latest value of every tag of a station. Its size is decided when the configuration is read: one slot per tag, values copied in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s7_wire::Value;
use tokio::time::Instant;

/// How far a value is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Never read.
    Unknown,
    /// Read in the last poll.
    Good,
    /// Read in a session that has ended, or too long ago.
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

/// The latest values of a station.
#[derive(Debug)]
pub struct Cache {
    tags: Mutex<Box<[Latest]>>,
    /// How old a value may be and still count as good.
    ttl: Duration,
}

impl Cache {
    /// A slot for every tag.
    ///
    /// A value older than `ttl` is stale, also while its session goes on.
    pub fn new(tags: usize, ttl: Duration) -> Self {
        Self { tags: Mutex::new(vec![NEVER_READ; tags].into()), ttl }
    }

    /// Replaces a tag's value.
    pub fn put(&self, tag: usize, value: Value) {
        let slot = &mut self.lock()[tag];
        let updates = slot.updates + 1;
        *slot = Latest { value: Some(value), at: Some(Instant::now()), quality: Quality::Good, updates };
    }

    /// Says that a tag cannot be read; its last value stays.
    pub fn spoil(&self, tag: usize) {
        self.lock()[tag].quality = Quality::Bad;
    }

    /// Says that the station's session has ended: what was good is stale now.
    pub fn stale(&self) {
        for slot in self.lock().iter_mut().filter(|slot| slot.quality == Quality::Good) {
            slot.quality = Quality::Stale;
        }
    }

    /// The latest of one tag.
    pub fn read(&self, tag: usize) -> Latest {
        self.lock()[tag]
    }

    /// Lets `look` see the latest of every tag, in the order of the configuration.
    pub fn look<T>(&self, look: impl FnOnce(&[Latest]) -> T) -> T {
        look(&self.lock())
    }

    /// How far a value is to be trusted now.
    pub fn quality(&self, latest: &Latest) -> Quality {
        let is_old = latest.at.is_some_and(|at| at.elapsed() > self.ttl);
        if is_old && latest.quality == Quality::Good { Quality::Stale } else { latest.quality }
    }

    /// How many tags have a value.
    pub fn values(&self) -> usize {
        self.look(|tags| tags.iter().filter(|tag| tag.value.is_some()).count())
    }

    fn lock(&self) -> MutexGuard<'_, Box<[Latest]>> {
        // Slots are replaced whole, so one that a panicking thread left behind is as good as any.
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn the_latest_value_replaces_the_one_before() {
        let cache = Cache::new(2, TTL);
        for value in 0..1000 {
            cache.put(1, Value::Word(value));
        }
        let latest = cache.read(1);
        assert_eq!(
            (latest.value, latest.updates, latest.quality),
            (Some(Value::Word(999)), 1000, Quality::Good)
        );
        assert_eq!(cache.read(0), NEVER_READ);
        assert_eq!(cache.values(), 1);
    }

    #[tokio::test]
    async fn an_ended_session_makes_good_values_stale_and_leaves_bad_ones_bad() {
        let cache = Cache::new(2, TTL);
        cache.put(0, Value::Word(1));
        cache.put(1, Value::Word(2));
        cache.spoil(1);
        cache.stale();
        assert_eq!(cache.read(0).quality, Quality::Stale);
        assert_eq!((cache.read(1).quality, cache.read(1).value), (Quality::Bad, Some(Value::Word(2))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_value_is_stale_when_its_time_is_over_and_good_again_when_it_is_read() {
        let cache = Cache::new(2, TTL);
        let quality = || cache.quality(&cache.read(0));
        cache.put(0, Value::Word(1));
        tokio::time::sleep(TTL).await;
        assert_eq!(quality(), Quality::Good);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(quality(), Quality::Stale);
        cache.put(0, Value::Word(1));
        assert_eq!(quality(), Quality::Good);
        assert_eq!(cache.quality(&cache.read(1)), Quality::Unknown);
    }
}
