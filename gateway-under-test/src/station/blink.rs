//! Stations that are lost together: one blink of a switch cuts them all, and they must not come back all at once. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Losses within this time are one blink.
const WINDOW: Duration = Duration::from_secs(1);
/// The part of the spread that each station lost in a blink adds.
const SPREAD_PER_STATION: Duration = Duration::from_millis(5);
/// The widest spread: who is lost must be back soon.
const SPREAD_MAX: Duration = Duration::from_secs(5);

/// Counts losses that come together.
#[derive(Debug, Default)]
pub struct Blink {
    began: Option<Instant>,
    lost: u32,
}

impl Blink {
    /// Notes a station lost at `now`; over how long the stations lost with it are to be spread.
    pub fn lost(&mut self, now: Instant) -> Duration {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) > WINDOW) {
            *self = Self { began: Some(now), lost: 0 };
        }
        let spread = SPREAD_PER_STATION.saturating_mul(self.lost).min(SPREAD_MAX);
        self.lost = self.lost.saturating_add(1);
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_loss_alone_is_not_spread_and_many_together_are_up_to_a_bound() {
        let mut blink = Blink::default();
        let now = Instant::now();
        let spreads: Vec<Duration> = (0..2000).map(|_| blink.lost(now)).collect();
        assert_eq!(spreads[0], Duration::ZERO);
        assert_eq!(spreads[200], Duration::from_secs(1));
        assert_eq!(spreads[1999], SPREAD_MAX);
        assert_eq!(blink.lost(now + Duration::from_secs(2)), Duration::ZERO);
    }
}
