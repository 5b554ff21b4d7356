//! The rule: what one series of resting figures does.
//!
//! A series grows when the floors of its windows say so and the growth stands clear of the noise. Where counts are
//! exact, a lasting rise is itself evidence, and the question is only whether it repeats.

use std::borrow::Cow;

use super::rises::{self, Rise};
use super::{slope, windows};
use crate::figures;

/// What a series does. The set is closed: whoever matches decides for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It stays where it is, or comes back to its floor.
    Flat,
    /// It rose once, and only once.
    Step,
    /// It rose several times and has been level for longer than a leak would be.
    Levelled,
    /// It rises on the whole, and the run is too short or too noisy to say how.
    Unclear,
    /// It rises ever slower.
    Decelerating,
    /// It rises without end.
    Growing,
}

/// What a series does, since when, and why this is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// What it does.
    pub shape: Shape,
    /// Index of the first entry that shows the rise; `None` for a flat series.
    pub since: Option<usize>,
    /// The size of the rise that lasted to the end.
    pub rise: i64,
    /// One clause with the figures, to follow the resource's name.
    pub why: String,
}

impl Trend {
    fn new(shape: Shape, rises: &[Rise], why: String) -> Self {
        let since = if shape == Shape::Flat { None } else { rises.first().map(|rise| rise.at) };
        Self { shape, since, rise: rises.iter().map(|rise| rise.by).sum(), why }
    }
}

/// Judges the counted cycles of one figure. `exact` says that a healthy run shows no change at all.
pub fn trend(series: &[i64], exact: bool) -> Trend {
    let series = &*bounded(series);
    let rises = rises::lasting_rises(series);
    // Where every rise is known, those of the whole run say more of a slowing down than four steps of floors do.
    let by_windows = by_windows(series).filter(|(shape, _)| !exact || *shape == Shape::Growing);
    if let Some((shape, why)) = by_windows.or_else(|| by_doubling(series, exact)) {
        return Trend::new(shape, &rises, why);
    }
    if exact && let Some((shape, why)) = by_repetition(series) {
        return Trend::new(shape, &rises, why);
    }
    let (shape, why) = self::by_windows(series).unwrap_or_else(|| by_slope(series, &rises));
    Trend::new(shape, &rises, why)
}

/// The largest figure that is told from a larger one, a whole exbibyte: three times the difference of any two fits an `i64`.
const FIGURE_MAX: i64 = 1 << 60;

fn bounded(series: &[i64]) -> Cow<'_, [i64]> {
    if series.iter().all(|figure| (-FIGURE_MAX..=FIGURE_MAX).contains(figure)) {
        return Cow::Borrowed(series);
    }
    series.iter().map(|figure| (*figure).clamp(-FIGURE_MAX, FIGURE_MAX)).collect()
}

/// The floors of five windows. `None`: they do not all rise clear of the noise.
fn by_windows(series: &[i64]) -> Option<(Shape, String)> {
    let floors = windows::floors(windows::back_half(series), windows::WINDOWS);
    if !windows::all_rise(&floors) || total(&floors) <= noise_band(series, &floors) {
        return None;
    }
    Some(match windows::steady(&floors) {
        true => (Shape::Growing, format!("floors {}", chain(&floors))),
        false => (Shape::Decelerating, format!("floors rise ever slower: {}", chain(&floors))),
    })
}

/// A leak in a container that doubles: seen in the floors of the octaves, or, where warm-up moved the doublings out of
/// step with them, in jumps that each add more than the one before and have not stopped for longer than a doubling.
fn by_doubling(series: &[i64], exact: bool) -> Option<(Shape, String)> {
    let jumps = rises::jumps(series);
    // A cache that fills comes in many small rises of one size; a doubling container adds more each time. The first
    // doublings come so close together that they are taken for one jump, which may add as much as the next.
    let latest = &jumps[jumps.len().saturating_sub(LATEST_JUMPS)..];
    let each_more = latest.windows(2).all(|pair| pair[1].by * 2 >= pair[0].by * 3);
    let longest_gap = jumps.windows(2).map(|pair| pair[1].at - pair[0].at).max()?;
    let octaves = windows::octave_floors(series);
    if each_more && windows::accelerates(&octaves) {
        return Some((Shape::Growing, format!("doubles as the run doubles: {}", chain(&octaves))));
    }
    let fewest = if exact { 2 } else { 3 };
    let going_on = series.len() - jumps.last()?.at <= 2 * longest_gap;
    (jumps.len() >= fewest && going_on && each_more)
        .then(|| (Shape::Growing, format!("{} jumps, each by more: {}", jumps.len(), chain_of_steps(&jumps))))
}

/// Jumps that are compared: from the first of four doublings to the last, a run grows eightfold.
const LATEST_JUMPS: usize = 4;

/// The peak-to-peak of what is left of the later cycles when their growth is taken out.
///
/// At least ten cycles are looked at: with windows of one cycle, five points alone would have no noise to show.
fn noise_band(series: &[i64], floors: &[i64]) -> i64 {
    let later = &series[series.len() - (series.len() / 2).max(10).min(series.len())..];
    let per_cycle = match floors.len() {
        0 | 1 => 0.0,
        n => total(floors) as f64 / ((n - 1) * (series.len() - series.len() / 2).div_euclid(n).max(1)) as f64,
    };
    let left = later.iter().enumerate().map(|(i, value)| *value as f64 - per_cycle * i as f64);
    let (low, high) = left.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    (high - low).floor() as i64
}

/// Exact counts: does a lasting rise repeat? `None`: the series falls too late or too deep to be read this way.
fn by_repetition(series: &[i64]) -> Option<(Shape, String)> {
    let tail = rises::after_last_fall(series);
    let rises = rises::lasting_rises(tail);
    let deepest = rises::deepest_fall(series);
    let grown: i64 = rises.iter().map(|rise| rise.by).sum();
    if tail.len() < series.len().div_ceil(2) || (grown > 0 && grown <= deepest) {
        return None;
    }
    let offset = series.len() - tail.len();
    Some(match rises.as_slice() {
        [] => (Shape::Flat, flat_text(series)),
        [one] => (Shape::Step, step_text(one.at + offset, one.by)),
        [.., last] => repeated(tail, &rises, *last),
    })
}

/// Two or more lasting rises in a series that never falls.
fn repeated(series: &[i64], rises: &[Rise], last: Rise) -> (Shape, String) {
    let n = series.len();
    let count = rises.len();
    let longest_gap = rises.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or(n);
    let silence = n - last.at;
    let grown: i64 = rises.iter().map(|rise| rise.by).sum();
    let said = format!("rose {count} times, +{grown} in {n} cycles");
    if silence > 2 * longest_gap {
        let level = rises::chance_of_silence(count, last.at, n) < CHANCE_OF_LEAK;
        let shape = if level { Shape::Levelled } else { Shape::Unclear };
        return (shape, format!("{said}, level for the last {silence}"));
    }
    let late: Vec<i64> = rises.iter().filter(|rise| rise.at > n / 2).map(|rise| rise.by).collect();
    let grown_late: i64 = late.iter().sum();
    if late.is_empty() {
        return (Shape::Unclear, format!("{said}, none in the later half"));
    }
    let sure = count * 4 >= n || rises::chance_of_so_few_late(late.len(), count) < CHANCE_OF_LEAK;
    if grown_late * 2 < grown - grown_late && sure {
        return (Shape::Decelerating, format!("{said}, only {grown_late} of it in the later half"));
    }
    (Shape::Growing, format!("{said}, the change repeats"))
}

/// A leak at a constant rate that looks level, or slower, with less chance than this is taken not to be one.
const CHANCE_OF_LEAK: f64 = 0.05;

/// What remains when no window rule speaks: a step, a suspicion, or nothing.
fn by_slope(series: &[i64], rises: &[Rise]) -> (Shape, String) {
    if let Some((at, by)) = single_step(series, rises) {
        return (Shape::Step, step_text(at, by));
    }
    let later = windows::back_half(series);
    let floors = windows::floors(later, if later.len() >= 20 { 10 } else { windows::WINDOWS });
    let rising = slope::chance_of_rise(&floors) < CHANCE_OF_NO_TREND;
    if rising && total(&floors) >= 1 && slope::theil_sen(&floors) > 0.0 && !rises.is_empty() {
        return (Shape::Unclear, format!("floors rise on the whole, not all of them: {}", path(&floors)));
    }
    (Shape::Flat, flat_text(series))
}

/// Floors without trend rise this consistently in one of fifty resources.
const CHANCE_OF_NO_TREND: f64 = 0.02;

/// The one split whose sides stand further apart than either is wide: (first cycle after it, size).
///
/// Long runs are looked at through the floors of twenty windows, which noise does not widen.
fn single_step(series: &[i64], rises: &[Rise]) -> Option<(usize, i64)> {
    let floors = if series.len() >= 40 { windows::floors(series, 20) } else { series.to_vec() };
    let up_to = running_ranges(floors.iter());
    let mut from = running_ranges(floors.iter().rev());
    from.reverse();
    let margin = (floors.len() / 10).max(2);
    let gap = (margin..floors.len().saturating_sub(margin))
        .filter_map(|at| {
            let (before, after) = (up_to[at - 1], from[at]);
            let width = (before.1 - before.0).max(after.1 - after.0);
            let gap = after.0 - before.1;
            (gap > 0 && gap > width).then_some(gap)
        })
        .max()?;
    let at = rises.iter().max_by_key(|rise| rise.by)?.at;
    Some((at, gap))
}

fn running_ranges<'a>(values: impl Iterator<Item = &'a i64>) -> Vec<(i64, i64)> {
    values
        .scan((i64::MAX, i64::MIN), |range, value| {
            *range = (range.0.min(*value), range.1.max(*value));
            Some(*range)
        })
        .collect()
}

fn total(floors: &[i64]) -> i64 {
    floors.last().zip(floors.first()).map_or(0, |(last, first)| last.saturating_sub(*first))
}

fn flat_text(series: &[i64]) -> String {
    let low = series.iter().min().copied().unwrap_or_default();
    match series.iter().max().copied().unwrap_or_default() - low {
        0 => format!("the same in all {} cycles", series.len()),
        band => format!("within {band} of its floor in all {} cycles", series.len()),
    }
}

fn step_text(at: usize, by: i64) -> String {
    format!("one step of +{} at cycle {at}, level before and after", figures::grouped(by.unsigned_abs()))
}

fn chain(floors: &[i64]) -> String {
    floors.iter().map(i64::to_string).collect::<Vec<_>>().join(" < ")
}

fn path(floors: &[i64]) -> String {
    floors.iter().map(i64::to_string).collect::<Vec<_>>().join(" → ")
}

fn chain_of_steps(rises: &[Rise]) -> String {
    rises.iter().map(|rise| format!("+{}", rise.by)).collect::<Vec<_>>().join(", ")
}
