//! Slopes that a few wild points cannot bend: Theil–Sen, and the Mann–Kendall test behind a suspicion.

/// Points that a slope is taken over at most. Pairs grow with the square: 400 points are 79,800 pairs, some
/// milliseconds; a longer series is first reduced to the floors of as many equal windows.
pub const POINTS_MAX: usize = 400;

/// The median slope over all pairs, in units per entry; 0 for fewer than two entries.
pub fn theil_sen(series: &[i64]) -> f64 {
    median(&mut pair_slopes(series).0)
}

/// The range that holds the slope in 95 of 100 such series: Sen's, from the variance of Kendall's statistic. `None` for
/// too few entries to say.
pub fn interval(series: &[i64]) -> Option<(f64, f64)> {
    let (mut slopes, points) = pair_slopes(series);
    if points < INTERVAL_POINTS_MIN {
        return None;
    }
    let n = points as f64;
    let reach = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let pairs = slopes.len() as f64;
    let last = slopes.len() - 1;
    slopes.sort_unstable_by(f64::total_cmp);
    let rank = |rank: f64| (rank.max(0.0) as usize).min(last);
    Some((slopes[rank(((pairs - reach) / 2.0).floor())], slopes[rank(((pairs + reach) / 2.0).ceil())]))
}

/// Fewer points have no interval that is not everything.
const INTERVAL_POINTS_MIN: usize = 5;

/// The slope of every pair, in units per entry, and the number of points that they are of.
fn pair_slopes(series: &[i64]) -> (Vec<f64>, usize) {
    let width = series.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<i64> =
        series.chunks_exact(width).filter_map(|chunk| chunk.iter().min().copied()).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, from) in points.iter().enumerate() {
        for (j, to) in points.iter().enumerate().skip(i + 1) {
            slopes.push(to.saturating_sub(*from) as f64 / ((j - i) * width) as f64);
        }
    }
    (slopes, points.len())
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + *upper) / 2.0
}

/// The chance that a series without trend rises at least as consistently as `points` (one-sided Mann–Kendall, exact).
///
/// Meant for a handful of window floors: it counts permutations by their inversions. Ties speak against a trend.
pub fn chance_of_rise(points: &[i64]) -> f64 {
    let mut falls = 0;
    let mut ties = 0;
    for (i, from) in points.iter().enumerate() {
        for to in &points[i + 1..] {
            falls += usize::from(to < from);
            ties += usize::from(to == from);
        }
    }
    // Half of the ties count as falls, rounded up.
    share_of_permutations_with_at_most(falls + ties.div_ceil(2), points.len())
}

/// The share of permutations of `n` things with at most `inversions` inversions.
fn share_of_permutations_with_at_most(inversions: usize, n: usize) -> f64 {
    let mut shares = vec![1.0];
    for k in 2..=n {
        let mut next = vec![0.0; shares.len() + k - 1];
        for (i, share) in shares.iter().enumerate() {
            for slot in &mut next[i..i + k] {
                *slot += share / k as f64;
            }
        }
        shares = next;
    }
    shares.iter().take(inversions + 1).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_its_slope_at_any_length() {
        for n in [2, 3, 50, 7_000] {
            let line: Vec<i64> = (0..n).map(|t| 3 * t).collect();
            assert!((theil_sen(&line) - 3.0).abs() < 1e-9, "n={n}: {}", theil_sen(&line));
        }
    }

    #[test]
    fn a_few_wild_points_do_not_bend_the_slope() {
        let mut line: Vec<i64> = (0..100).collect();
        line[10] = 5_000;
        line[50] = -7_000;
        assert!((theil_sen(&line) - 1.0).abs() < 0.05);
    }

    #[test]
    fn the_interval_holds_the_slope_and_is_wider_where_there_is_noise() {
        let line: Vec<i64> = (0..50).map(|t| 3 * t).collect();
        assert_eq!(interval(&line), Some((3.0, 3.0)));
        let noisy: Vec<i64> = (0..50).map(|t| 3 * t + (t * 7_919) % 23).collect();
        let (low, high) = interval(&noisy).expect("fifty points");
        assert!(low < 3.0 && 3.0 < high && high - low < 0.5, "{low} {high}");
        let noise: Vec<i64> = (0..50).map(|t| (t * 7_919) % 23).collect();
        let (low, high) = interval(&noise).expect("fifty points");
        assert!(low < 0.0 && 0.0 < high, "{low} {high}");
        assert_eq!(interval(&[1, 2, 3, 4]), None);
    }

    #[test]
    fn the_median_of_few_values_is_exact() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }

    #[test]
    fn the_chance_of_a_rise_counts_permutations() {
        assert!((chance_of_rise(&[1, 2, 3, 4, 5]) - 1.0 / 120.0).abs() < 1e-12);
        assert!((chance_of_rise(&[2, 1, 3, 4, 5]) - 5.0 / 120.0).abs() < 1e-12);
        assert!(chance_of_rise(&[1, 1, 1, 1, 1]) > 0.5);
        assert!((chance_of_rise(&[5, 4, 3, 2, 1]) - 1.0).abs() < 1e-12);
    }
}
