//! Floors of windows: the figures that growth is read from.
//!
//! Noise at rest is one-sided and telescoping (a connection that is still closing adds, nothing subtracts), so the
//! minimum of a window is steady where its mean is not.

/// Windows that the back half of a run is split in.
pub const WINDOWS: usize = 5;

/// The later half of a series: the earlier one may still hold caches that fill.
pub fn back_half(series: &[i64]) -> &[i64] {
    &series[series.len() / 2..]
}

/// The minimum of each of `windows` equal parts of `series`; the last cycles are favoured when it does not divide.
///
/// Fewer entries than windows give an empty answer: there is no floor to speak of.
pub fn floors(series: &[i64], windows: usize) -> Vec<i64> {
    let width = series.len() / windows.max(1);
    if width == 0 {
        return Vec::new();
    }
    let spare = series.len() - width * windows;
    series[spare..].chunks_exact(width).filter_map(|window| window.iter().min().copied()).collect()
}

/// Floors of the octaves that end at N/8, N/4, N/2 and N: a leak hidden in a `Vec` that doubles rises in each of them.
pub fn octave_floors(series: &[i64]) -> Vec<i64> {
    let n = series.len();
    let bounds = [n / 16, n / 8, n / 4, n / 2, n];
    if bounds[0] == 0 {
        return Vec::new();
    }
    bounds.windows(2).filter_map(|bound| series[bound[0]..bound[1]].iter().min().copied()).collect()
}

/// The steps between neighbours.
pub fn steps(floors: &[i64]) -> Vec<i64> {
    floors.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

/// Whether every floor is above the one before.
pub fn all_rise(floors: &[i64]) -> bool {
    floors.len() > 1 && steps(floors).iter().all(|step| *step > 0)
}

/// Whether growth does not decelerate: the last step is at least half the first.
pub fn steady(floors: &[i64]) -> bool {
    match steps(floors).as_slice() {
        [first, .., last] => last.saturating_mul(2) >= *first,
        _ => false,
    }
}

/// Whether each octave grows at least half as much again as the one before it.
///
/// Octaves double in length: linear growth and a doubling `Vec` double the step, a cache that fills does not.
pub fn accelerates(octaves: &[i64]) -> bool {
    all_rise(octaves)
        && steps(octaves).windows(2).all(|pair| pair[1].saturating_mul(2) >= pair[0].saturating_mul(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_take_the_last_cycles_when_the_windows_do_not_divide() {
        assert_eq!(floors(&[9, 1, 2, 3, 4], 2), [1, 3]);
        assert_eq!(floors(&[1], 5), Vec::<i64>::new());
    }

    #[test]
    fn one_high_cycle_does_not_raise_a_floor() {
        assert_eq!(floors(&[5, 9, 5, 5, 7, 5], 3), [5, 5, 5]);
    }

    #[test]
    fn a_linear_leak_is_steady_and_a_filling_cache_is_not() {
        let linear: Vec<i64> = (0..100).collect();
        assert!(steady(&floors(&linear, WINDOWS)));
        let filling: Vec<i64> =
            (0..100).map(|t| (1000.0 * (1.0 - (-f64::from(t) / 20.0).exp())) as i64).collect();
        assert!(all_rise(&floors(&filling, WINDOWS)));
        assert!(!steady(&floors(&filling, WINDOWS)));
    }

    #[test]
    fn a_doubling_vec_rises_in_every_octave() {
        let capacity: Vec<i64> = (1..=256_u64).map(|len| 16 * len.next_power_of_two() as i64).collect();
        assert!(accelerates(&octave_floors(&capacity)), "{:?}", octave_floors(&capacity));
        let filling: Vec<i64> =
            (0..200).map(|t| (1000.0 * (1.0 - (-f64::from(t) / 40.0).exp())) as i64).collect();
        assert!(!accelerates(&octave_floors(&filling)));
    }
}
