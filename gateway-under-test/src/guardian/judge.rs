//! Whether what the gateway holds is too much, or rises too fast. Pure: samples in, a breach out.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::history::{HISTORY, History, Sample, series};
use crate::config::GuardianConfig;
use crate::observe::Resource;

/// Samples a rise is judged by: those of the history, and the newest.
const POINTS: usize = HISTORY + 1;
/// Parts of that time, each of which must have its share in a rise: a step lies in one part, and is none.
const PARTS: usize = 4;

/// From when on something is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Bytes of live heap.
    pub heap: Limits,
    /// Live tasks.
    pub tasks: Limits,
    /// The share of the file descriptors that may be open.
    pub fds_max: f64,
}

/// Limits of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// More is too much.
    pub max: u64,
    /// A rise that goes on faster is too fast.
    pub growth_per_minute: u64,
}

impl From<&GuardianConfig> for Thresholds {
    fn from(config: &GuardianConfig) -> Self {
        let (heap, tasks) = (config.heap, config.tasks);
        Self {
            heap: Limits { max: heap.max.0, growth_per_minute: heap.growth_per_minute.0 },
            tasks: Limits { max: tasks.max, growth_per_minute: tasks.growth_per_minute },
            fds_max: config.fds.max,
        }
    }
}

/// A threshold that was passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breach {
    /// Of what.
    pub resource: Resource,
    /// What was found, and what it was compared with.
    pub why: Why,
    /// The breach is over once no more than this is held.
    pub ceiling: u64,
}

/// How a threshold was passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// There is more than there may be.
    TooMuch {
        /// How much there is.
        found: u64,
    },
    /// It rises faster than it may.
    TooFast {
        /// How fast.
        per_minute: u64,
        /// How fast it may.
        limit: u64,
    },
}

impl Breach {
    /// Whether there is still more than there should be.
    pub fn persists(&self, now: &Sample) -> bool {
        held(self.resource, now).is_some_and(|held| held > self.ceiling)
    }

    /// A word for the files about it.
    pub const fn word(&self) -> &'static str {
        match self.why {
            Why::TooMuch { .. } => "too-much",
            Why::TooFast { .. } => "too-fast",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, ceiling) = (self.resource.name(), self.ceiling);
        match self.why {
            Why::TooMuch { found } => write!(f, "{what}: {found}, and {ceiling} may be"),
            Why::TooFast { per_minute, limit } => {
                write!(f, "{what}: {per_minute} more per minute, and {limit} may be")
            }
        }
    }
}

/// How much a sample tells is held of a resource.
pub fn held(of: Resource, sample: &Sample) -> Option<u64> {
    match of {
        Resource::Heap => sample.heap_bytes,
        Resource::Tasks => sample.tasks,
        Resource::Fds => sample.fds,
    }
}

/// The first threshold that `sample` passes after the samples in `history`; what is too much comes before what rises.
///
/// A rise is a breach when it went on through all four parts of the remembered time: from floor to floor faster than the
/// limit on the whole, and in each part at least half as fast. A step is none, whatever its height, and neither is noise.
pub fn judge(history: &dyn History, sample: &Sample, thresholds: &Thresholds) -> Option<Breach> {
    let fds_max = sample.fds_limit.map(|limit| (limit as f64 * thresholds.fds_max) as u64);
    let (heap, tasks) = (thresholds.heap, thresholds.tasks);
    let too_fast = |of, limits| too_fast(history, sample, of, limits);
    too_much(Resource::Heap, sample, Some(heap.max))
        .or_else(|| too_much(Resource::Tasks, sample, Some(tasks.max)))
        .or_else(|| too_much(Resource::Fds, sample, fds_max))
        .or_else(|| too_fast(Resource::Heap, heap))
        .or_else(|| too_fast(Resource::Tasks, tasks))
}

fn too_much(of: Resource, sample: &Sample, max: Option<u64>) -> Option<Breach> {
    let (found, max) = (held(of, sample)?, max?);
    (found > max).then_some(Breach { resource: of, why: Why::TooMuch { found }, ceiling: max })
}

fn too_fast(history: &dyn History, sample: &Sample, of: Resource, limits: Limits) -> Option<Breach> {
    let past = series(history, |sample| held(of, sample))?;
    let now = (sample.at, held(of, sample)?);
    let point = |index: usize| past.get(index).copied().unwrap_or(now);
    let floors: [Point; PARTS] = std::array::from_fn(|part| floor(point, part));
    let limit = limits.growth_per_minute as f64;
    let goes_on = floors.windows(2).all(|pair| per_minute(pair[0], pair[1]) >= limit / 2.0);
    let rise = per_minute(floors[0], floors[PARTS - 1]);
    if !goes_on || rise <= limit {
        return None;
    }
    let allowed = limit * minutes(now.0.saturating_duration_since(floors[0].0));
    let why = Why::TooFast { per_minute: rise as u64, limit: limits.growth_per_minute };
    Some(Breach { resource: of, why, ceiling: floors[0].1.saturating_add(allowed as u64) })
}

type Point = (Instant, u64);

/// The lowest point of a part, the first of those as low.
fn floor(point: impl Fn(usize) -> Point, part: usize) -> Point {
    let (first, end) = (part * POINTS / PARTS, (part + 1) * POINTS / PARTS);
    let later = (first + 1..end).map(&point);
    later.fold(point(first), |floor, next| if next.1 < floor.1 { next } else { floor })
}

/// The rise between two points; none in no time, and none downwards.
fn per_minute(from: Point, to: Point) -> f64 {
    let passed = minutes(to.0.saturating_duration_since(from.0));
    let rise = to.1.saturating_sub(from.1);
    if rise == 0 || passed <= 0.0 { 0.0 } else { rise as f64 / passed }
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::history::Ring;
    use super::*;

    const LIMITS: Limits = Limits { max: 1_000_000, growth_per_minute: 600 };
    const THRESHOLDS: Thresholds = Thresholds { heap: LIMITS, tasks: LIMITS, fds_max: 0.9 };

    /// What is said at the end of a series of (milliseconds since the one before, bytes).
    fn judged(series: impl IntoIterator<Item = (u64, u64)>) -> Option<Breach> {
        let (mut history, mut at, mut last) = (Ring::default(), Instant::now(), None);
        for (passed, bytes) in series {
            last.into_iter().for_each(|sample| history.push(sample));
            at += Duration::from_millis(passed);
            last = Some(Sample { at, heap_bytes: Some(bytes), tasks: None, fds: None, fds_limit: None });
        }
        judge(&history, &last?, &THRESHOLDS)
    }

    /// Times between looks: about five seconds, or after a pause of the whole machine an hour.
    fn gaps() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![9 => 4_000_u64..6_000, 1 => Just(3_600_000_u64)], POINTS)
    }

    proptest! {
        #[test]
        fn a_flat_or_falling_series_is_no_breach(
            gaps in gaps(),
            falls in prop::collection::vec(0_u64..1_000, POINTS),
        ) {
            let mut bytes = LIMITS.max;
            let falling = gaps.into_iter().zip(falls).map(|(gap, fall)| {
                bytes -= fall;
                (gap, bytes)
            });
            prop_assert_eq!(judged(falling), None);
        }

        #[test]
        fn a_rise_that_goes_on_above_the_rate_is_a_breach(
            gaps in prop::collection::vec(4_000_u64..6_000, POINTS),
            rates in prop::collection::vec(601_u64..5_000, POINTS),
        ) {
            let mut bytes = 5_000;
            let rising = gaps.into_iter().zip(rates).map(|(gap, rate)| {
                bytes += (gap * rate).div_ceil(60_000);
                (gap, bytes)
            });
            let breach = judged(rising).expect("it rises");
            prop_assert_eq!((breach.resource, breach.word()), (Resource::Heap, "too-fast"));
        }

        #[test]
        fn a_rise_below_the_rate_is_no_breach(gaps in gaps(), rates in prop::collection::vec(0_u64..590, POINTS)) {
            let mut bytes = 5_000;
            let rising = gaps.into_iter().zip(rates).map(|(gap, rate)| {
                bytes += gap * rate / 60_000;
                (gap, bytes)
            });
            prop_assert_eq!(judged(rising), None);
        }

        #[test]
        fn a_step_is_a_breach_only_above_the_maximum(
            gaps in gaps(),
            step_at in 0_usize..POINTS,
            height in 0_u64..2 * LIMITS.max,
        ) {
            let series = gaps.into_iter().enumerate();
            let breach = judged(series.map(|(index, gap)| (gap, if index < step_at { 0 } else { height })));
            let too_much = Breach {
                resource: Resource::Heap,
                why: Why::TooMuch { found: height },
                ceiling: LIMITS.max,
            };
            prop_assert_eq!(breach, (step_at < POINTS && height > LIMITS.max).then_some(too_much));
        }

        #[test]
        fn noise_around_a_level_is_no_breach(gaps in gaps(), noise in prop::collection::vec(0_u64..50_000, POINTS)) {
            // Every third sample is at the floor, as at rest between two polls.
            let series = gaps.into_iter().zip(noise).enumerate();
            let noisy = series.map(|(index, (gap, noise))| (gap, 7_000 + if index % 3 == 0 { 0 } else { noise }));
            prop_assert_eq!(judged(noisy), None);
        }

        #[test]
        fn a_clock_that_stands_still_makes_no_rate(rises in prop::collection::vec(0_u64..50_000, POINTS)) {
            let mut bytes = 0;
            let still = rises.into_iter().map(|rise| {
                bytes += rise;
                (0, bytes)
            });
            prop_assert_eq!(judged(still), None);
        }
    }

    #[test]
    fn a_short_history_knows_no_rise() {
        assert_eq!(judged((0..HISTORY as u64).map(|look| (5_000, look * 10_000))), None);
    }

    #[test]
    fn a_breach_is_over_once_the_rise_is_back_within_its_rate() {
        let breach = judged((0..POINTS as u64).map(|look| (5_000, look * 10_000))).expect("it rises");
        // A minute has passed since the first sample: 600 bytes more are as fast as may be.
        assert_eq!(breach.ceiling, 600);
        assert_eq!(breach.to_string(), "heap_bytes: 120000 more per minute, and 600 may be");
        let now = |bytes| Sample {
            at: Instant::now(),
            heap_bytes: Some(bytes),
            tasks: None,
            fds: None,
            fds_limit: None,
        };
        assert!(breach.persists(&now(601)) && !breach.persists(&now(600)));
    }

    #[test]
    fn file_descriptors_are_compared_with_a_share_of_what_may_be_open() {
        let sample = |fds| Sample {
            at: Instant::now(),
            heap_bytes: None,
            tasks: Some(3),
            fds: Some(fds),
            fds_limit: Some(1024),
        };
        let judged = |fds| judge(&Ring::default(), &sample(fds), &THRESHOLDS);
        assert_eq!(judged(921), None);
        assert_eq!(judged(922).expect("too many").to_string(), "fds: 922, and 921 may be");
    }
}
