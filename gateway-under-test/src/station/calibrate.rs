//! How many connections a pool may have: more when the work is slow, fewer when they stand idle. Pure.

use std::time::Duration;

/// A pool never shrinks below this, unless the PLC grants less.
pub const SIZE_MIN: usize = 4;
/// A pool never grows beyond this.
pub const SIZE_MAX: usize = 32;
/// Connections per core to begin with.
const PER_CORE: usize = 4;
/// Above this share of the processor, more connections shorten the queue for each.
const CPU_HIGH: f64 = 0.85;
/// Above this, more connections overlap the waits.
const LATENCY_HIGH: Duration = Duration::from_millis(200);
/// Above this share, connections stand idle.
const IDLE_HIGH: f64 = 0.9;
/// Idle checks in a row before a pool shrinks: one quiet moment is none.
const IDLE_CHECKS: u32 = 3;
/// A pool grows by this part of its size.
const GROWTH: f64 = 0.25;
/// A pool shrinks by this part of its size.
const SHRINKAGE: f64 = 0.15;

/// What one check has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// The share of the processor in use, of all cores together, 0 to 1; `None` if it is not known.
    pub cpu: Option<f64>,
    /// How long the PLC takes to answer; `None` if it was not asked.
    pub latency: Option<Duration>,
    /// The share of the pool's places that nobody uses, 0 to 1.
    pub idle: f64,
}

/// The size of one pool, from check to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    size: usize,
    idle_checks: u32,
}

impl Calibration {
    /// The size to begin with on a machine with so many cores.
    pub fn new(cores: usize) -> Self {
        Self { size: cores.saturating_mul(PER_CORE).clamp(SIZE_MIN, SIZE_MAX), idle_checks: 0 }
    }

    /// The size at present, within [`SIZE_MIN`]..=[`SIZE_MAX`].
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Takes one check into account.
    pub fn check(&mut self, load: &Load) {
        let is_busy = load.cpu.is_some_and(|cpu| cpu > CPU_HIGH)
            || load.latency.is_some_and(|latency| latency > LATENCY_HIGH);
        if is_busy {
            self.idle_checks = 0;
            self.resize((self.size as f64 * (1.0 + GROWTH)).ceil());
        } else if load.idle > IDLE_HIGH {
            self.idle_checks += 1;
        } else {
            self.idle_checks = 0;
        }
        if self.idle_checks >= IDLE_CHECKS {
            self.idle_checks = 0;
            self.resize((self.size as f64 * (1.0 - SHRINKAGE)).floor());
        }
    }

    fn resize(&mut self, size: f64) {
        self.size = (size as usize).clamp(SIZE_MIN, SIZE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUIET: Load = Load { cpu: Some(0.1), latency: Some(Duration::from_millis(5)), idle: 0.5 };
    const IDLE: Load = Load { idle: 0.95, ..QUIET };

    fn sizes(start: usize, loads: &[Load]) -> Vec<usize> {
        let mut calibration = Calibration { size: start, idle_checks: 0 };
        let check = |load| {
            calibration.check(load);
            calibration.size()
        };
        loads.iter().map(check).collect()
    }

    #[test]
    fn it_begins_with_four_connections_a_core_within_bounds() {
        assert_eq!([0, 1, 2, 8, 1000].map(|cores| Calibration::new(cores).size()), [4, 4, 8, 32, 32]);
    }

    #[test]
    fn a_busy_processor_or_a_slow_plc_grows_it_by_a_quarter() {
        let busy = Load { cpu: Some(0.86), ..QUIET };
        let slow = Load { latency: Some(Duration::from_millis(201)), ..QUIET };
        assert_eq!(sizes(8, &[busy, slow, QUIET]), [10, 13, 13]);
        assert_eq!(sizes(8, &[Load { cpu: Some(0.85), ..QUIET }]), [8]);
        assert_eq!(sizes(30, &[busy, busy]), [32, 32]);
    }

    #[test]
    fn three_idle_checks_in_a_row_shrink_it_and_two_do_not() {
        assert_eq!(sizes(20, &[IDLE, IDLE, QUIET, IDLE, IDLE, IDLE]), [20, 20, 20, 20, 20, 17]);
        assert_eq!(sizes(5, &[IDLE; 6]), [5, 5, 4, 4, 4, 4]);
    }

    fn any_load() -> impl Strategy<Value = Load> {
        let latency = prop::option::of((0..1000_u64).prop_map(Duration::from_millis));
        (prop::option::of(0.0..1.0), latency, 0.0..1.0).prop_map(|(cpu, latency, idle)| Load {
            cpu,
            latency,
            idle,
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_within_bounds_and_moves_one_way_at_a_time(
            cores in 0..100_usize,
            loads in prop::collection::vec(any_load(), 0..100),
        ) {
            let mut calibration = Calibration::new(cores);
            for load in loads {
                let before = calibration.size();
                calibration.check(&load);
                let after = calibration.size();
                prop_assert!((SIZE_MIN..=SIZE_MAX).contains(&after));
                let busy = load.cpu.is_some_and(|cpu| cpu > CPU_HIGH)
                    || load.latency.is_some_and(|latency| latency > LATENCY_HIGH);
                let is_right_way = if busy { after >= before } else { after <= before };
                prop_assert!(is_right_way);
                prop_assert!(after as f64 <= before as f64 * (1.0 + GROWTH) + 1.0);
                prop_assert!(after as f64 >= before as f64 * (1.0 - SHRINKAGE) - 1.0);
            }
        }

        #[test]
        fn a_load_that_lasts_ends_at_a_size_that_lasts(cores in 1..64_usize, load in any_load()) {
            let mut calibration = Calibration::new(cores);
            (0..60).for_each(|_| calibration.check(&load));
            let settled = calibration.size();
            (0..3).for_each(|_| calibration.check(&load));
            prop_assert_eq!(calibration.size(), settled);
        }
    }
}
