//! The wall clock against the monotonic one: a laptop that slept, a clock that was set.

use std::time::Duration;

use crate::report::soak::ClockJump;

/// What the wall clock may go beside the monotonic one between two looks: more is no correction of its rate.
const JUMP_MIN_SECONDS: f64 = 2.0;

/// Jumps that are kept: a clock that jumps more often says nothing new.
const JUMPS_MAX: usize = 100;

/// Watches both clocks.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// The monotonic clock since the start, and the wall clock in seconds since 1970, when they were looked at last.
    last: Option<(Duration, f64)>,
    pub jumps: Vec<ClockJump>,
}

impl Clocks {
    /// Looks at both; whether the wall clock has jumped since the last time.
    pub(super) fn look(&mut self, monotonic: Duration, wall_seconds: f64) -> bool {
        let Some((earlier, wall)) = self.last.replace((monotonic, wall_seconds)) else { return false };
        let seconds = (wall_seconds - wall) - monotonic.saturating_sub(earlier).as_secs_f64();
        let jumped = seconds.abs() >= JUMP_MIN_SECONDS && self.jumps.len() < JUMPS_MAX;
        self.jumps.extend(jumped.then_some(ClockJump { at: monotonic, seconds }));
        jumped
    }
}

/// The wall clock, in seconds since 1970.
pub(super) fn wall_seconds() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_in_either_direction_is_noted_with_its_size_and_a_slow_clock_is_none() {
        let mut clocks = Clocks::default();
        let mut look = |monotonic: u64, wall: f64| clocks.look(Duration::from_secs(monotonic), 1e9 + wall);
        assert!(!look(0, 0.0));
        assert!(!look(10, 10.4), "corrected, not set");
        assert!(look(20, 3_620.4), "an hour asleep");
        assert!(look(30, 30.4), "set back");
        let jumps: Vec<f64> = clocks.jumps.iter().map(|jump| jump.seconds).collect();
        assert!((jumps[0] - 3_600.0).abs() < 0.1 && (jumps[1] + 3_600.0).abs() < 0.1, "{jumps:?}");
    }
}
