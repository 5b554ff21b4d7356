//! From cycles and figures to places in a picture, and the round numbers beside it. Pure.

/// The picture's size in its own units, and the room beside the plot.
pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 230.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// Where things stand in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    cycles: f64,
    low: f64,
    high: f64,
}

impl Scale {
    /// For so many cycles, and figures from `low` to `high`, with some air above and below.
    pub fn new(cycles: usize, low: f64, high: f64) -> Self {
        let air = ((high - low) * 0.08).max(0.5);
        Self { cycles: cycles.max(1) as f64, low: (low - air).max(0.0), high: high + air }
    }

    /// The middle of a cycle.
    pub fn x(self, cycle: f64) -> f64 {
        self.edge(cycle + 0.5)
    }

    /// Where a cycle begins.
    pub fn edge(self, cycle: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * cycle / self.cycles
    }

    /// The height of a figure, kept inside of the plot.
    pub fn y(self, figure: f64) -> f64 {
        let share = (figure - self.low) / (self.high - self.low);
        self.bottom() - (self.bottom() - self.top()) * share.clamp(0.0, 1.0)
    }

    /// How wide a cycle is.
    pub fn cycle_width(self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.cycles
    }

    pub fn left(self) -> f64 {
        LEFT
    }

    pub fn right(self) -> f64 {
        WIDTH - RIGHT
    }

    pub fn top(self) -> f64 {
        TOP
    }

    pub fn bottom(self) -> f64 {
        HEIGHT - BOTTOM
    }

    /// Round figures inside of the plot; powers of two for bytes.
    pub fn ticks(self, in_bytes: bool) -> Vec<f64> {
        let step = round_step((self.high - self.low) / 4.0, in_bytes);
        let first = (self.low / step).ceil();
        let all = (0..).map(|i| (first + f64::from(i)) * step);
        all.take_while(|tick| *tick <= self.high).take(TICKS_MAX).collect()
    }
}

const TICKS_MAX: usize = 8;

/// The least round number that is not below `least`: 1, 2, 5, 10, 20, … or 1, 2, 4, 8, …
pub(super) fn round_step(least: f64, in_bytes: bool) -> f64 {
    let least = least.max(1.0);
    if in_bytes {
        return 2.0_f64.powf(least.log2().ceil());
    }
    let power = 10.0_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|round| round * power).find(|step| *step >= least).unwrap_or(least)
}

/// A coordinate with one decimal, or none where it says nothing.
pub(super) fn at(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Scale::new(40, 0.0, 100.0).ticks(false), [0.0, 50.0, 100.0]);
        assert_eq!(Scale::new(40, 10.0, 12.0).ticks(false), [10.0, 11.0, 12.0]);
        let bytes = Scale::new(40, 0.0, 1_000_000.0).ticks(true);
        assert_eq!(bytes, [0.0, 524_288.0, 1_048_576.0]);
    }

    #[test]
    fn every_figure_stands_inside_of_the_plot() {
        let scale = Scale::new(45, 0.0, 100.0);
        assert!(scale.y(1e12) >= scale.top() && scale.y(-5.0) <= scale.bottom());
        assert!(scale.x(44.0) < scale.right() && scale.x(0.0) > scale.left());
        assert_eq!((at(3.0), at(3.12)), ("3".to_owned(), "3.1".to_owned()));
    }
}
