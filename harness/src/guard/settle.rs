//! The wait for what is about to end: by what is still there, with a bound in rounds.
//!
//! Rounds, not seconds: on a machine that is busy a round takes longer, for the test's threads as for this one.

use std::time::Duration;

/// The pauses of a wait of about `settle`: none at first, then ever longer ones up to [`PAUSE_MAX`].
pub(super) fn pauses(settle: Duration) -> impl Iterator<Item = Duration> {
    let growing = (0..).map(|round| match round {
        0..YIELDS => Duration::ZERO,
        _ => Duration::from_millis(1 << (round - YIELDS).min(6)).min(PAUSE_MAX),
    });
    let mut left = settle;
    growing.take_while(move |pause| {
        let goes_on = left > Duration::ZERO;
        left = left.saturating_sub(*pause);
        goes_on
    })
}

/// Rounds in which runnable tasks only get their turn.
const YIELDS: u32 = 3;
/// Each round looks at the whole process: not much more often than somebody would notice.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The moment, for pauses on a runtime whose clock may stand still.
#[expect(clippy::disallowed_methods, reason = "what ends outside of the runtime ends on the wall clock")]
pub(super) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_with_none_and_add_up_to_the_bound() {
        let second: Vec<_> = pauses(Duration::from_secs(1)).collect();
        assert_eq!(second[..5].iter().map(Duration::as_millis).collect::<Vec<_>>(), [0, 0, 0, 1, 2]);
        let total: Duration = second.iter().sum();
        assert!((1_000..=1_050).contains(&total.as_millis()), "{total:?}");
        assert_eq!(pauses(Duration::ZERO).count(), 0);
    }
}
