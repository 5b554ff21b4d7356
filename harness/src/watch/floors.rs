//! Where a figure goes while it is watched without cycles: the floors of windows over the later half of the time.
//!
//! A trend is no verdict. Without cycles nobody knows whether the process is at rest, so a rise may be work in progress.

use serde::Serialize;

use crate::verdict::{slope, windows};

/// Buckets that trends are read from. When all are full, neighbours become one: a watch of days takes no more room than one
/// of minutes.
const BUCKETS_MAX: usize = 60;

/// Before so many figures nothing is said: half of them are the warm-up, and the others must fill two rounds of windows.
const FIGURES_MIN: usize = 4 * windows::WINDOWS;

/// The minima of equal stretches of a series without an end.
#[derive(Debug, Clone)]
pub struct Floors {
    buckets: Vec<i64>,
    /// Buckets that are kept.
    room: usize,
    /// Figures that a bucket holds, and those that the last one has so far.
    width: usize,
    in_last: usize,
    /// The first figure, and the latest.
    first: Option<i64>,
    now: Option<i64>,
}

impl Default for Floors {
    fn default() -> Self {
        Self::with_room(BUCKETS_MAX)
    }
}

/// Where a figure goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Too few figures to tell.
    Early,
    /// No window after window above, or below, the one before.
    Level,
    /// Every floor is above the one before, and the steps do not get smaller.
    Rising,
    /// Every floor is above the one before, by less and less: something fills.
    Slowing,
    /// Every floor is below the one before.
    Falling,
}

impl Trend {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Level => "level",
            Self::Rising => "rising",
            Self::Slowing => "slowing",
            Self::Falling => "falling",
        }
    }

    /// In a sign, where there is no room for a word.
    pub const fn sign(self) -> char {
        match self {
            Self::Early => '·',
            Self::Level => '→',
            Self::Rising => '↑',
            Self::Slowing => '↗',
            Self::Falling => '↓',
        }
    }
}

impl Floors {
    /// Keeps so many buckets, at least two: more of them make a finer curve.
    pub fn with_room(room: usize) -> Self {
        let room = room.max(2) / 2 * 2;
        Self { buckets: Vec::with_capacity(room), room, width: 1, in_last: 0, first: None, now: None }
    }

    /// The minima of equal stretches, from the first look to now.
    pub fn buckets(&self) -> &[i64] {
        &self.buckets
    }

    /// Takes in the next figure.
    pub fn note(&mut self, figure: u64) {
        let figure = i64::try_from(figure).unwrap_or(i64::MAX);
        self.first.get_or_insert(figure);
        self.now = Some(figure);
        match self.buckets.last_mut() {
            Some(last) if self.in_last < self.width => {
                *last = figure.min(*last);
                self.in_last += 1;
            }
            _ => self.begin_bucket(figure),
        }
    }

    fn begin_bucket(&mut self, figure: i64) {
        if self.buckets.len() == self.room {
            for at in 0..self.room / 2 {
                self.buckets[at] = self.buckets[2 * at].min(self.buckets[2 * at + 1]);
            }
            self.buckets.truncate(self.room / 2);
            self.width *= 2;
        }
        self.buckets.push(figure);
        self.in_last = 1;
    }

    /// The buckets that are full: a floor of a few figures stands too high.
    fn whole(&self) -> &[i64] {
        let whole = self.buckets.len() - usize::from(self.in_last < self.width && !self.buckets.is_empty());
        &self.buckets[..whole]
    }

    /// Where the figure goes.
    pub fn trend(&self) -> Trend {
        let whole = self.whole();
        if whole.len() < FIGURES_MIN {
            return Trend::Early;
        }
        let floors = windows::floors(windows::back_half(whole), windows::WINDOWS);
        let falls = |floors: &[i64]| windows::steps(floors).iter().all(|step| *step < 0);
        match windows::all_rise(&floors) {
            true if windows::steady(&floors) => Trend::Rising,
            true => Trend::Slowing,
            false if falls(&floors) => Trend::Falling,
            false => Trend::Level,
        }
    }

    /// How much the figure grows from one look to the next, over the later half of the time; 0 while it is too early to tell.
    pub fn growth_per_look(&self) -> f64 {
        match self.trend() {
            Trend::Early => 0.0,
            _ => slope::theil_sen(windows::back_half(self.whole())) / self.width as f64,
        }
    }

    /// The lowest figure of the last window.
    pub fn floor(&self) -> Option<u64> {
        let window = self.buckets.len().div_ceil(2 * windows::WINDOWS);
        self.buckets.iter().rev().take(window.max(1)).min().map(|floor| floor.unsigned_abs())
    }

    /// The first figure, and the latest.
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((self.first?.unsigned_abs(), self.now?.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(figures: impl IntoIterator<Item = u64>) -> Floors {
        let mut floors = Floors::default();
        figures.into_iter().for_each(|figure| floors.note(figure));
        floors
    }

    #[test]
    fn little_is_not_enough_to_tell() {
        assert_eq!(after(0..19).trend(), Trend::Early);
        assert_eq!(after(0..20).trend(), Trend::Rising);
    }

    #[test]
    fn a_sawtooth_is_level_and_one_that_climbs_rises() {
        assert_eq!(after((0..600).map(|n| 100 + n % 7)).trend(), Trend::Level);
        assert_eq!(after((0..600).map(|n| 100 + n % 7 + n / 10)).trend(), Trend::Rising);
        assert_eq!(after((0..600).map(|n| 10_000 - n)).trend(), Trend::Falling);
    }

    #[test]
    fn what_fills_slows_down() {
        let fills = (0..200).map(|n| (10_000.0 * (1.0 - (-f64::from(n) / 40.0).exp())) as u64);
        assert_eq!(after(fills).trend(), Trend::Slowing);
    }

    #[test]
    fn days_take_no_more_room_than_minutes_and_the_growth_stays_that_of_a_look() {
        let floors = after((0..1_000_000).map(|n| 3 * n));
        assert!(floors.buckets.capacity() <= 2 * BUCKETS_MAX, "{}", floors.buckets.capacity());
        assert_eq!(floors.trend(), Trend::Rising);
        assert!((floors.growth_per_look() - 3.0).abs() < 0.01, "{}", floors.growth_per_look());
        assert_eq!(floors.ends(), Some((0, 2_999_997)));
    }

    #[test]
    fn the_floor_is_that_of_the_last_window() {
        assert_eq!(after([9, 5, 7]).floor(), Some(7));
        assert_eq!(after((0..40).map(|n| 100 + n % 4)).floor(), Some(100));
        assert_eq!(Floors::default().floor(), None);
    }
}
