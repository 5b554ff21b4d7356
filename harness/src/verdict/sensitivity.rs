//! The smallest leak that a run would have seen: planted over its own figures, judged by its own rule.

use super::rule::{Shape, trend};

/// The smallest leak per cycle, in units of the series, that lies over these figures and is judged as growing.
///
/// Every larger one tried was seen too, wherever in time it fell. `None`: not even the largest tried stands clear of the
/// noise. Figures that move at all may move otherwise in another run, so the leak is planted over several arrangements of
/// their noise; and sampled ones have other noise in every run, so there the figure is multiplied by 2.5.
pub fn smallest_leak_seen(series: &[i64], exact: bool) -> Option<f64> {
    let n = series.len();
    if n < 2 {
        return None;
    }
    let carriers = carriers(series);
    let seen = |per_cycle: f64| carriers.iter().all(|carrier| is_seen(carrier, per_cycle, exact));
    let ladder: Vec<f64> = (0..LADDER).map(|rung| 2.0 / n as f64 * 2_f64.powi(rung)).collect();
    let high = match ladder.iter().rposition(|rung| !seen(*rung)) {
        None => ladder[0],
        Some(last) => bisect(ladder[last], *ladder.get(last + 1)?, seen),
    };
    Some(if exact { high } else { high * MARGIN })
}

/// Narrows the gap between a leak that is not seen and one that is.
fn bisect(mut blind: f64, mut seen_at: f64, seen: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(blind, seen_at);
        if seen(middle) { seen_at = middle } else { blind = middle }
    }
    seen_at
}

/// So that a run with fresh noise sees what this one just saw; found by planting stated leaks over new noise.
const MARGIN: f64 = 2.5;

/// From 2 units in the whole run up to 2^39 times as much: 1 TiB in a run, and nobody needs a harness to see that.
const LADDER: i32 = 40;
const BISECTIONS: usize = 5;
/// Moments, from one planted unit to the next, at which the first one may fall.
const PHASES: u32 = 8;
/// Arrangements of the noise that a leak is planted over: offsets in time, each forwards and backwards.
const ROTATIONS: usize = 16;

/// The figures as they are, and with their noise shifted and turned in time.
fn carriers(series: &[i64]) -> Vec<Vec<i64>> {
    let constant = series.windows(2).all(|pair| pair[0] == pair[1]);
    let rotations = if constant { 1 } else { ROTATIONS };
    (0..rotations)
        .map(|turn| {
            let mut carrier = series.to_vec();
            carrier.rotate_left(turn / 2 * series.len() / rotations.div_ceil(2));
            if turn % 2 == 1 {
                carrier.reverse();
            }
            carrier
        })
        .collect()
}

fn is_seen(carrier: &[i64], per_cycle: f64, exact: bool) -> bool {
    (0..PHASES).all(|phase| {
        let phase = f64::from(phase) / f64::from(PHASES);
        let planted: Vec<i64> = carrier
            .iter()
            .enumerate()
            .map(|(i, value)| value.saturating_add((per_cycle * i as f64 + phase) as i64))
            .collect();
        trend(&planted, exact).shape == Shape::Growing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks at rest of a healthy run with exact counts, where one comes and goes with a period of its own.
    const PERIODIC: [i64; 60] = [
        0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0,
        0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0,
    ];

    /// One unit in each `every`th cycle, the first in cycle `first`.
    fn leaking(series: &[i64], first: usize, every: usize) -> Vec<i64> {
        let leaked = |i: usize| i.checked_sub(first).map_or(0, |since| since as i64 / every as i64 + 1);
        series.iter().enumerate().map(|(i, value)| value + leaked(i)).collect()
    }

    #[test]
    fn a_leak_of_the_stated_size_is_seen_wherever_it_begins() {
        let turned = |by: usize| {
            let mut series = PERIODIC.to_vec();
            series.rotate_left(by);
            series
        };
        let healthy = [vec![7; 12], vec![7; 40], vec![7; 100], PERIODIC.to_vec(), turned(1), turned(2)];
        for series in healthy {
            let least = smallest_leak_seen(&series, true).expect("little hides a leak");
            let every = (1.0 / least).floor() as usize;
            assert!(every >= 2, "{least}");
            for first in 0..every {
                let trend = trend(&leaking(&series, first, every), true);
                assert_eq!(trend.shape, Shape::Growing, "1 in {every}, from {first}: {}", trend.why);
            }
        }
    }
}
