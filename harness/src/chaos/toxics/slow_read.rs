//! `slow_read`: the receiver takes a little, now and then, and never catches up.

use std::time::Duration;

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::Rate;

link_fault! {
    /// The receiver takes `rate` bytes a second in small gulps and saves up nothing while there is nothing to take. What
    /// the accepting side sends is read slowly unless `dir` says otherwise. `rate: 0`: it never reads.
    SlowRead, dir: "crate::chaos::toxics::down" {
        /// Bytes per second; 0 for a receiver that never reads.
        #[garde(skip)]
        rate: Rate,
    }
}

/// Ten gulps a second, or one byte at a time where the rate is less than ten.
const GULP_MIN: Duration = Duration::from_millis(100);

impl SlowRead {
    fn at_work(&self) -> Sipper {
        let every = match self.rate.0 {
            0 => Duration::ZERO,
            rate => GULP_MIN.max(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX)),
        };
        let gulp = (u128::from(self.rate.0) * every.as_millis() / 1_000).max(1);
        Sipper { every, gulp: usize::try_from(gulp).unwrap_or(usize::MAX), turn: None, left: 0 }
    }
}

#[derive(Debug)]
struct Sipper {
    every: Duration,
    gulp: usize,
    turn: Option<u128>,
    left: usize,
}

impl Toxic for Sipper {
    fn gate(&mut self, moment: &Moment) -> Gate {
        if self.every.is_zero() {
            return Gate::Shut;
        }
        let elapsed = moment.now.saturating_duration_since(moment.since);
        let turn = elapsed.as_nanos() / self.every.as_nanos();
        if self.turn != Some(turn) {
            (self.turn, self.left) = (Some(turn), self.gulp);
        }
        let rest = self.every.as_nanos() - elapsed.as_nanos() % self.every.as_nanos();
        let again = moment.now + Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX));
        Gate::UpTo { bytes: self.left, again: Some(again) }
    }

    fn took(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_takes_its_rate_and_saves_up_nothing() {
        let mut sipper = Sipper { every: GULP_MIN, gulp: 100, turn: None, left: 0 };
        let begin = Instant::now();
        let mut take = |at: Duration| {
            let moment = Moment { now: begin + at, since: begin, idle_since: begin, passed: 0, waiting: 500 };
            match sipper.gate(&moment) {
                Gate::UpTo { bytes, .. } => {
                    sipper.took(bytes);
                    bytes
                }
                gate => panic!("{gate:?}"),
            }
        };
        assert_eq!(take(Duration::ZERO), 100);
        assert_eq!(take(Duration::from_millis(50)), 0);
        assert_eq!(take(Duration::from_millis(100)), 100);
        assert_eq!(take(Duration::from_secs(9)), 100, "a pause earns nothing");
    }
}
