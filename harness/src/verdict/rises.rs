//! Rises that last: what a series gained and never gave back.

/// One lasting rise: from cycle `at` on, the series stays at least `by` above what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rise {
    /// Index of the first entry after the rise.
    pub at: usize,
    /// How much of it was never given back.
    pub by: i64,
}

/// Every lasting rise, in order. A sawtooth has none but those of its last, unfinished tooth.
pub fn lasting_rises(series: &[i64]) -> Vec<Rise> {
    let mut rises = Vec::new();
    let mut floor_from_here = i64::MAX;
    // From the end: the floor of the rest of the run, and where it falls going back.
    for (i, value) in series.iter().enumerate().rev() {
        if *value < floor_from_here {
            if floor_from_here != i64::MAX {
                rises.push(Rise { at: i + 1, by: floor_from_here.saturating_sub(*value) });
            }
            floor_from_here = *value;
        }
    }
    rises.reverse();
    rises
}

/// Lasting rises that stand clear of the noise, near ones taken together: what is left of a `Vec` that doubles.
pub fn jumps(series: &[i64]) -> Vec<Rise> {
    let near = series.len() / 32;
    let mut merged: Vec<Rise> = Vec::new();
    for rise in lasting_rises(series) {
        match merged.last_mut() {
            Some(first) if rise.at - first.at <= near => first.by = first.by.saturating_add(rise.by),
            _ => merged.push(rise),
        }
    }
    let noise = deepest_fall(series);
    merged.retain(|rise| rise.by > noise);
    merged
}

/// The furthest that the series ever fell below a figure it had reached before: how deep its sawtooth or noise is.
pub fn deepest_fall(series: &[i64]) -> i64 {
    let mut high = i64::MIN;
    let mut deepest = 0;
    for value in series {
        high = high.max(*value);
        deepest = deepest.max(high.saturating_sub(*value));
    }
    deepest
}

/// The part of the series after its last fall.
pub fn after_last_fall(series: &[i64]) -> &[i64] {
    let from = series.windows(2).rposition(|pair| pair[1] < pair[0]).map_or(0, |i| i + 1);
    &series[from..]
}

/// The chance that `count` rises at a constant rate over `n` cycles all fall before cycle `last`.
pub fn chance_of_silence(count: usize, last: usize, n: usize) -> f64 {
    (last as f64 / n.max(1) as f64).powf(count as f64)
}

/// The chance of at most `late` of `count` rises in the second half of a run whose rate is constant.
pub fn chance_of_so_few_late(late: usize, count: usize) -> f64 {
    let mut log_term = -(count as f64) * std::f64::consts::LN_2;
    let mut sum = log_term.exp();
    for k in 1..=late.min(count) {
        log_term += ((count - k + 1) as f64 / k as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sawtooth_has_no_lasting_rise_once_it_is_back_at_its_floor() {
        assert_eq!(lasting_rises(&[0, 1, 2, 0, 1, 2, 0]), []);
        assert_eq!(deepest_fall(&[0, 1, 2, 0, 1, 2, 0]), 2);
    }

    #[test]
    fn a_lasting_rise_knows_its_cycle_and_size() {
        assert_eq!(lasting_rises(&[5, 5, 6, 6, 9]), [Rise { at: 2, by: 1 }, Rise { at: 4, by: 3 }]);
        assert_eq!(deepest_fall(&[5, 5, 6, 6, 9]), 0);
    }

    #[test]
    fn jumps_stand_clear_of_the_noise() {
        let mut series = [0, 3, 0, 0, 3, 0, 10, 10, 11, 8, 8, 8, 30, 30];
        assert_eq!(jumps(&series), [Rise { at: 6, by: 8 }, Rise { at: 12, by: 22 }]);
        series.reverse();
        assert_eq!(jumps(&series), []);
    }

    #[test]
    fn the_part_after_the_last_fall_never_falls() {
        assert_eq!(after_last_fall(&[3, 2, 2, 4]), [2, 2, 4]);
        assert_eq!(after_last_fall(&[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn chances_are_those_of_a_constant_rate() {
        assert!((chance_of_silence(2, 50, 100) - 0.25).abs() < 1e-12);
        assert!((chance_of_so_few_late(0, 3) - 0.125).abs() < 1e-12);
        assert!((chance_of_so_few_late(3, 3) - 1.0).abs() < 1e-12);
        assert!(chance_of_so_few_late(900, 2_000) < 0.001);
    }
}
