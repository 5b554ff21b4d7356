//! `latency`: every chunk arrives later. Bytes and order stay as they were.

use std::time::Duration;

use crate::chaos::toxic::{Chunk, Toxic};
use crate::seed::Seed;
use crate::units::Time;

link_fault! {
    /// Delays each chunk by `delay` plus up to `jitter`. Order is kept: a chunk never overtakes the one before it.
    Latency, dir: "crate::chaos::toxics::both" {
        /// What every chunk waits at least.
        #[garde(skip)]
        delay: Time,
        /// What a chunk waits at most on top of `delay`, drawn per chunk. None unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        jitter: Option<Time>,
    }
}

impl Latency {
    fn at_work(&self) -> Delay {
        Delay { base: self.delay.0, jitter: self.jitter.map_or(Duration::ZERO, |jitter| jitter.0) }
    }
}

#[derive(Debug)]
struct Delay {
    base: Duration,
    jitter: Duration,
}

impl Toxic for Delay {
    fn delay(&self, chunk: Chunk, dice: Seed) -> Duration {
        if self.jitter.is_zero() {
            return self.base;
        }
        let draw = dice.stream("jitter", chunk.offset).rng().unit();
        self.base + self.jitter.mul_f64(draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_waits_its_delay_and_at_most_the_jitter_and_always_the_same() {
        let delay = Delay { base: Duration::from_millis(10), jitter: Duration::from_millis(5) };
        let mut seen = std::collections::BTreeSet::new();
        for offset in 0..100 {
            let chunk = Chunk { offset, bytes: 1 };
            let after = delay.delay(chunk, Seed(7));
            assert!((Duration::from_millis(10)..Duration::from_millis(15)).contains(&after), "{after:?}");
            assert_eq!(delay.delay(chunk, Seed(7)), after);
            seen.insert(after);
        }
        assert!(seen.len() > 90, "jitter is drawn per chunk");
    }
}
