//! The figures behind a picture: what was held after each cycle, thinned to what can be drawn. Pure.

use std::ops::Range;

use crate::report::figures;
use crate::resource::Resource;
use crate::timeline::Timeline;
use crate::verdict::{ResourceVerdict, slope, windows};

/// Points of all curves of a page together, and of one curve.
const POINTS_OF_PAGE: usize = 6_000;
const POINTS: Range<usize> = 60..400;

/// Resources with a curve.
const CURVES_A_CASE: usize = 5;

/// How many points each curve may have in a page of so many cases.
pub(super) fn points(cases: usize) -> usize {
    (POINTS_OF_PAGE / (CURVES_A_CASE * cases.max(1))).clamp(POINTS.start, POINTS.end)
}

/// One resource over a whole run, warm-up included.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// What is counted.
    pub resource: Resource,
    /// Whether the figures are bytes.
    pub in_bytes: bool,
    /// One figure a cycle, from cycle 0 on.
    pub values: Vec<i64>,
    /// Leading ones that are not judged.
    pub warm_up: usize,
}

/// A point of a curve: cycle and figure.
pub(super) type Point = (usize, i64);

impl Curve {
    /// The figure that decided about the resource. `None`: there is a cycle without one.
    pub fn of(timeline: &Timeline, verdict: &ResourceVerdict) -> Option<Self> {
        let resource = verdict.resource;
        let has_count = timeline.cycles.iter().all(|record| record.census.count(resource).is_some());
        let in_bytes = resource == Resource::Rss || verdict.why.starts_with("bytes: ") || !has_count;
        let figures = timeline.cycles.iter().map(|record| match in_bytes {
            true => record.census.bytes(resource),
            false => record.census.count(resource),
        });
        let values = figures.map(|figure| figure.map(|figure| i64::try_from(figure).unwrap_or(i64::MAX)));
        let values: Vec<i64> = values.collect::<Option<_>>()?;
        let warm_up = timeline.warm_up.min(values.len());
        (!values.is_empty()).then_some(Self { resource, in_bytes, values, warm_up })
    }

    /// What was judged.
    pub fn counted(&self) -> &[i64] {
        &self.values[self.warm_up..]
    }

    /// The first cycle of the half in which growth is looked for.
    pub fn back_half_from(&self) -> usize {
        self.values.len() - windows::back_half(self.counted()).len()
    }

    /// Growth per cycle, as the judge has it.
    pub fn slope(&self) -> f64 {
        slope::theil_sen(windows::back_half(self.counted()))
    }

    /// The range that holds the slope in 95 of 100 such runs. `None`: too few cycles.
    pub fn interval(&self) -> Option<(f64, f64)> {
        slope::interval(windows::back_half(self.counted()))
    }

    /// The judge's windows with their floors, by the cycles they cover.
    pub fn floors(&self) -> Vec<(Range<usize>, i64)> {
        let half = windows::back_half(self.counted());
        let width = half.len() / windows::WINDOWS;
        let floors = windows::floors(half, windows::WINDOWS);
        let first = self.values.len() - width * windows::WINDOWS;
        floors
            .into_iter()
            .enumerate()
            .map(|(i, floor)| (first + i * width..first + (i + 1) * width, floor))
            .collect()
    }

    /// The curve in at most `most` points: of each stretch the least and the most, in their order, or all where they are
    /// few; without those in the midst of a level.
    pub fn thinned(&self, most: usize) -> Vec<Point> {
        let mut points: Vec<Point> = self.values.iter().copied().enumerate().collect();
        if points.len() > most {
            let stretch = points.len().div_ceil((most / 2).max(1));
            points = points.chunks(stretch).flat_map(least_and_most).collect();
        }
        corners(&points)
    }

    /// A figure with its unit.
    pub fn amount(&self, figure: i64) -> String {
        match self.in_bytes {
            true => figures::bytes(figure.unsigned_abs()),
            false => figures::grouped(figure.unsigned_abs()),
        }
    }

    /// A rate with its sign.
    pub fn rate(&self, per_cycle: f64) -> String {
        if self.in_bytes { figures::signed_bytes(per_cycle) } else { figures::signed(per_cycle) }
    }

    /// What is counted, in words.
    pub fn what(&self) -> String {
        match (self.resource, self.in_bytes) {
            (Resource::Heap, false) => "heap blocks".to_owned(),
            (Resource::Heap, true) => "heap bytes".to_owned(),
            (resource, _) => resource.name().to_owned(),
        }
    }
}

/// The ends of every level, and what lies between no two equals.
fn corners(points: &[Point]) -> Vec<Point> {
    let is_level = |i: usize| {
        i > 0 && points.get(i + 1).is_some_and(|next| next.1 == points[i].1) && points[i - 1].1 == points[i].1
    };
    points.iter().enumerate().filter(|(i, _)| !is_level(*i)).map(|(_, point)| *point).collect()
}

fn least_and_most(stretch: &[Point]) -> Vec<Point> {
    let least = stretch.iter().copied().min_by_key(|(_, figure)| *figure);
    let most = stretch.iter().copied().max_by_key(|(_, figure)| *figure);
    let mut kept: Vec<Point> = least.into_iter().chain(most).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: Vec<i64>, warm_up: usize) -> Curve {
        Curve { resource: Resource::Tasks, in_bytes: false, values, warm_up }
    }

    #[test]
    fn a_thinned_curve_keeps_its_lowest_and_highest_figures() {
        let mut values = vec![10; 5_000];
        (values[1_234], values[4_321]) = (99, 1);
        let points = curve(values, 5).thinned(200);
        assert!(points.len() <= 200, "{}", points.len());
        assert!(points.contains(&(1_234, 99)) && points.contains(&(4_321, 1)));
        assert!(points.is_sorted());
        assert_eq!(curve(vec![1, 2, 3], 0).thinned(200), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(curve(vec![7, 7, 7, 7, 8], 0).thinned(200), [(0, 7), (3, 7), (4, 8)]);
    }

    #[test]
    fn windows_cover_the_last_cycles_and_have_the_judge_s_floors() {
        let curve = curve((0..45).collect(), 5);
        assert_eq!(curve.back_half_from(), 25);
        let floors = curve.floors();
        assert_eq!((floors.len(), floors[0].clone(), floors[4].clone()), (5, (25..29, 25), (41..45, 41)));
        assert!((curve.slope() - 1.0).abs() < 1e-9);
        assert_eq!(curve.interval(), Some((1.0, 1.0)));
    }

    #[test]
    fn a_page_of_many_cases_has_fewer_points_a_curve() {
        assert_eq!((points(0), points(1), points(6), points(1_000)), (400, 400, 200, 60));
    }
}
