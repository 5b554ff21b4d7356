//! When an answer comes: later, twice, out of turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::{DELIVERY_BYTES_MAX, Delivery, Turn};
use crate::duration;

/// A delay of `by`, plus up to `jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The least.
    #[serde(with = "duration")]
    pub by: Duration,
    /// What chance adds at most.
    #[serde(default, with = "duration")]
    pub jitter: Duration,
}

/// A second copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repeat {
    /// From the first to the second; later answers wait for neither.
    #[serde(with = "duration")]
    pub after: Duration,
}

impl Delay {
    pub(super) fn apply(&self, delivery: &mut Delivery, rng: &mut fastrand::Rng) {
        let delay = self.by.saturating_add(self.jitter.mul_f64(rng.f64()));
        for chunk in &mut delivery.chunks {
            chunk.after = chunk.after.saturating_add(delay);
        }
    }
}

/// Delays without holding up what comes behind.
pub(super) fn late(delay: &Delay, delivery: &mut Delivery, rng: &mut fastrand::Rng) {
    delay.apply(delivery, rng);
    delivery.chunks.iter_mut().for_each(|chunk| chunk.turn = Turn::Overtaken);
}

/// Lets the next answer go first.
pub(super) fn swap(delivery: &mut Delivery) {
    delivery.chunks.iter_mut().for_each(|chunk| chunk.turn = Turn::AfterNext);
}

impl Repeat {
    pub(super) fn apply(&self, delivery: &mut Delivery) {
        if 2 * delivery.bytes() > DELIVERY_BYTES_MAX {
            return;
        }
        let mut copies = delivery.chunks.clone();
        for copy in &mut copies {
            copy.after = copy.after.saturating_add(self.after);
            if !self.after.is_zero() && copy.turn == Turn::Own {
                copy.turn = Turn::Overtaken;
            }
        }
        delivery.chunks.append(&mut copies);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn delivery() -> Delivery {
        Delivery::whole(BytesMut::from(&b"abcd"[..]))
    }

    #[test]
    fn jitter_adds_at_most_itself_and_repeats_with_its_seed() {
        let delay = Delay { by: SECOND, jitter: SECOND };
        let after = |seed| {
            let mut delivery = delivery();
            delay.apply(&mut delivery, &mut fastrand::Rng::with_seed(seed));
            delivery.chunks[0].after
        };
        assert!((0..100).all(|seed| (SECOND..2 * SECOND).contains(&after(seed))));
        assert_eq!(after(1), after(1));
        assert_ne!(after(1), after(2));
    }

    #[test]
    fn a_copy_that_comes_later_holds_nobody_up() {
        let mut twice = delivery();
        Repeat { after: SECOND }.apply(&mut twice);
        assert_eq!(twice.chunks[1].bytes, twice.chunks[0].bytes);
        assert_eq!((twice.chunks[1].after, twice.chunks[1].turn), (SECOND, Turn::Overtaken));
        let mut at_once = delivery();
        Repeat::default().apply(&mut at_once);
        assert_eq!(at_once.chunks[1], at_once.chunks[0]);
    }

    #[test]
    fn copies_of_copies_stay_within_their_bound() {
        let mut many = delivery();
        for _ in 0..64 {
            Repeat::default().apply(&mut many);
        }
        assert_eq!(many.bytes(), DELIVERY_BYTES_MAX);
    }
}
