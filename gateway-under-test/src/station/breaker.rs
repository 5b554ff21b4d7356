//! Whether a station is worth trying: after failures in a row nobody asks it for a while, then one attempt decides. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::BreakerConfig;

/// A circuit breaker. Time comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// All is well, or was until the last few failures.
    Closed { failures: u32 },
    /// Nobody may try before this.
    Open { until: Instant },
    /// One attempt is under way, and decides.
    HalfOpen,
}

impl Breaker {
    /// A breaker that lets everyone through.
    pub const fn new() -> Self {
        Self { state: State::Closed { failures: 0 } }
    }

    /// Asks to try; how long to wait with that if it is not the time. The first who may try when the breaker was open is
    /// the only one until [`succeeded`](Self::succeeded) or [`failed`](Self::failed) is called.
    pub fn try_pass(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until } if now < until => Err(until - now),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Ok(())
            }
            State::HalfOpen => Err(Duration::ZERO),
        }
    }

    /// Notes that the station works: everyone may try.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// Notes an attempt that failed.
    pub fn failed(&mut self, now: Instant, config: &BreakerConfig) {
        let open = State::Open { until: now + config.open };
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < config.failures => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } | State::HalfOpen => open,
            // An attempt from before it opened: it says nothing new.
            still @ State::Open { .. } => still,
        };
    }

    /// Whether the station is being left alone, or tried by one alone.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig { failures: 3, open: Duration::from_secs(5) };

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        (0..CONFIG.failures).for_each(|_| breaker.failed(now, &CONFIG));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_the_configured_failure_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 1..CONFIG.failures {
            breaker.failed(now, &CONFIG);
            assert_eq!(breaker.try_pass(now), Ok(()));
        }
        breaker.failed(now, &CONFIG);
        assert_eq!(breaker.try_pass(now), Err(CONFIG.open));
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_time_one_may_try_and_decides_for_all() {
        let now = Instant::now();
        let later = now + CONFIG.open;
        let mut breaker = opened(now);
        assert_eq!([breaker.try_pass(later), breaker.try_pass(later)], [Ok(()), Err(Duration::ZERO)]);
        breaker.failed(later, &CONFIG);
        assert_eq!(breaker.try_pass(later), Err(CONFIG.open));
        assert_eq!(breaker.try_pass(later + CONFIG.open), Ok(()));
        breaker.succeeded();
        assert_eq!((breaker.try_pass(later), breaker.is_open()), (Ok(()), false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_forgets_earlier_failures() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 0..10 * CONFIG.failures {
            breaker.failed(now, &CONFIG);
            breaker.succeeded();
        }
        assert!(!breaker.is_open());
    }

    proptest! {
        #[test]
        fn nobody_is_kept_out_for_longer_than_configured(
            steps in prop::collection::vec((0..3_u8, 0..4_000_u64), 1..100),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let (mut now, mut breaker) = (Instant::now(), Breaker::new());
                for (step, millis) in steps {
                    now += Duration::from_millis(millis);
                    match step {
                        0 => breaker.succeeded(),
                        1 => breaker.failed(now, &CONFIG),
                        _ => assert!(breaker.try_pass(now).is_ok_and(|()| true) || breaker.is_open()),
                    }
                    assert!(breaker.try_pass(now).err().is_none_or(|wait| wait <= CONFIG.open));
                }
            });
        }
    }
}
