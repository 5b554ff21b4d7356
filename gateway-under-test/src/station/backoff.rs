//! The wait between two attempts. Pure.

use std::time::Duration;

use crate::config::BackoffConfig;

/// Doublings after which no ceiling grows any more: 1 ms has become more than a month.
const DOUBLINGS_MAX: u32 = 32;

/// The wait after `failures` (1 or more) in a row; `draw` is a random number in `0.0..1.0`.
///
/// Full jitter: anything from nothing to a ceiling that doubles, so that stations cut off by one blink do not come
/// back in step.
pub fn wait(config: &BackoffConfig, failures: u32, draw: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    let ceiling = config.min.as_secs_f64() * 2_f64.powi(doublings as i32);
    Duration::from_secs_f64(ceiling.min(config.max.as_secs_f64()) * draw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: BackoffConfig =
        BackoffConfig { min: Duration::from_millis(100), max: Duration::from_secs(5) };

    #[test]
    fn the_ceiling_doubles_from_min_to_max() {
        let nearly = |failures| wait(&CONFIG, failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 6, 7, 100].map(nearly), [100, 200, 400, 3200, 5000, 5000]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_max(failures in 0..u32::MAX, draw in 0.0..1.0) {
            prop_assert!(wait(&CONFIG, failures, draw) < CONFIG.max);
        }
    }
}
