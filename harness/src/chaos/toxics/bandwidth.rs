//! `bandwidth`: a token bucket at the end of the lane. Behind it the buffer fills, then the writer waits.

use tokio::time::Instant;

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::{Rate, Size};

link_fault! {
    /// Lets `rate` bytes a second through, for each connection and direction on its own.
    Bandwidth, dir: "crate::chaos::toxics::both" {
        /// Bytes per second; more than 0 (`blackhole` and `stall` let nothing through).
        #[garde(custom(some_rate))]
        rate: Rate,
        /// Bytes that may pass at once after a pause. 10 ms worth of `rate` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        burst: Option<Size>,
    }
}

fn some_rate(rate: &Rate, _: &()) -> garde::Result {
    if rate.0 == 0 {
        return Err(garde::Error::new("must be more than 0; `stall` or `blackhole` let nothing through"));
    }
    Ok(())
}

impl Bandwidth {
    fn at_work(&self) -> Bucket {
        let rate = self.rate.0.max(1);
        let quantum = (rate / QUANTA_PER_SECOND).max(1);
        let burst = self.burst.map_or(quantum, |burst| burst.0.max(1));
        Bucket { rate, quantum: quantum.min(burst), burst, credit: credit(burst), filled: None }
    }
}

/// A bucket is asked for at most this many wake-ups a second: the timer's own grain is 1 ms.
const QUANTA_PER_SECOND: u64 = 100;

/// Credit is counted in bytes × nanoseconds, so that no time is ever rounded away.
const CREDIT_PER_BYTE: u128 = 1_000_000_000;

#[derive(Debug)]
struct Bucket {
    rate: u64,
    quantum: u64,
    burst: u64,
    credit: u128,
    filled: Option<Instant>,
}

fn credit(bytes: u64) -> u128 {
    u128::from(bytes) * CREDIT_PER_BYTE
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled.unwrap_or(now));
        self.filled = Some(now);
        self.credit = (self.credit + elapsed.as_nanos() * u128::from(self.rate)).min(credit(self.burst));
    }
}

impl Toxic for Bucket {
    fn gate(&mut self, moment: &Moment) -> Gate {
        self.fill(moment.now);
        let bytes = usize::try_from(self.credit / CREDIT_PER_BYTE).unwrap_or(usize::MAX);
        let wanted = credit(self.quantum.min(moment.waiting.max(1) as u64));
        let missing = wanted.saturating_sub(self.credit).div_ceil(u128::from(self.rate));
        let wait = std::time::Duration::from_nanos(u64::try_from(missing).unwrap_or(u64::MAX));
        Gate::UpTo { bytes: if missing > 0 { 0 } else { bytes }, again: Some(moment.now + wait) }
    }

    fn took(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(credit(bytes as u64));
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_lets_through_the_rate_and_the_burst() {
        let mut bucket = Bucket { rate: 1_000, quantum: 10, burst: 50, credit: credit(50), filled: None };
        let (begin, mut passed) = (Instant::now(), 0);
        for millis in 0..=1_000 {
            let now = begin + Duration::from_millis(millis);
            let moment = Moment { now, since: begin, idle_since: begin, passed, waiting: 10_000 };
            if let Gate::UpTo { bytes, .. } = bucket.gate(&moment) {
                bucket.took(bytes);
                passed += bytes as u64;
            }
        }
        assert_eq!(passed, 1_050);
    }
}
