//! The picture of one resource: what was held after each cycle, under what, and what the judge read from it.

use std::fmt::Write;

use maud::{Markup, html};

use super::case::{NOT_JUDGED, tone};
use super::curve::Curve;
use super::scale::{HEIGHT, Scale, WIDTH, at, round_step};
use super::{clipped, cycle};
use crate::report::plan::{Budget, CyclePlan, PhaseSpan};
use crate::report::{CaseReport, figures};
use crate::resource::Resource;
use crate::verdict::{Outcome, ResourceVerdict};

/// Below this a cycle is too narrow for the bands of its phases.
const BANDS_WIDTH_MIN: f64 = 8.0;

/// Up to so many cycles each has a point.
const DOTS_MAX: usize = 80;

/// A budget or a peak that is further above the curve than the curve is high is told, not drawn: it would flatten the curve.
const REACH: f64 = 1.0;

/// Noise of resident pages is not blown up to fill the picture.
const RSS_SPAN_BYTES: f64 = 4.0 * 1024.0 * 1024.0;

/// What is drawn, and what of it does not fit.
struct Picture<'a> {
    case: &'a CaseReport,
    curve: &'a Curve,
    verdict: &'a ResourceVerdict,
    scale: Scale,
    limits: Vec<(String, f64)>,
    peak: Option<f64>,
}

/// How the pictures of a case are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawing<'a> {
    /// The case's id in the page.
    pub id: &'a str,
    /// The most points of a curve.
    pub points: usize,
    /// Whether this is the case's first picture: the others take the bands of its phases.
    pub is_first: bool,
}

/// The figure of `curve`.
pub(super) fn figure(
    case: &CaseReport,
    curve: &Curve,
    verdict: &ResourceVerdict,
    drawing: Drawing<'_>,
) -> Markup {
    let Drawing { id, points, .. } = drawing;
    let picture = Picture::of(case, curve, verdict);
    let name = format!("{id}-{}", verdict.resource.name());
    let wide = (verdict.outcome > Outcome::Clean && verdict.why != NOT_JUDGED) || verdict.stepped();
    html! {
        figure.chart.wide[wide] {
            figcaption {
                strong { (curve.what()) } " "
                span.outcome.(tone(verdict.outcome)) { (figures::outcome(verdict.outcome)) } " "
                (clipped(&verdict.why))
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (name) "-t " (name) "-d" } {
                title id={ (name) "-t" } { (curve.what()) " held at rest after each cycle" }
                desc id={ (name) "-d" } { (picture.told()) }
                (picture.ground())
                (picture.bands(drawing))
                (picture.axes())
                (picture.judged())
                (picture.line(points))
            }
            @let aside = picture.aside(points);
            @if !aside.is_empty() { p.aside { (aside.join(". ")) "." } }
        }
    }
}

/// A sample of a line or an area, for the legend.
pub(super) fn swatch(class: &str) -> Markup {
    html! {
        svg.swatch viewBox="0 0 28 14" aria-hidden="true" focusable="false" {
            @if class == "warm-up" { rect.warm-up width="28" height="14" {} }
            @else if class == "slope" { path.spread d="M0 5L28 1V9L0 13Z" {} path.slope d="M0 9L28 5" {} }
            @else { path.(class) d="M0 7H28" {} }
        }
    }
}

impl<'a> Picture<'a> {
    fn of(case: &'a CaseReport, curve: &'a Curve, verdict: &'a ResourceVerdict) -> Self {
        let (mut low, mut high) = extent(curve);
        let reach = high + REACH * (high - low);
        let budget = case.plan.as_ref().and_then(|plan| plan.budget(verdict.resource));
        let drawn = |figure: &f64| has_unit_of_budgets(curve) && *figure <= reach;
        let limits = budget.map_or_else(Vec::new, limits);
        let limits: Vec<(String, f64)> = limits.into_iter().filter(|(_, max)| drawn(max)).collect();
        let peak = verdict.peak.map(|peak| peak as f64).filter(|peak| drawn(peak) && *peak > high);
        for figure in limits.iter().map(|(_, max)| *max).chain(peak) {
            (low, high) = (low.min(figure), high.max(figure));
        }
        let scale = Scale::new(curve.values.len(), low, high);
        Self { case, curve, verdict, scale, limits, peak }
    }

    /// The picture in words.
    fn told(&self) -> String {
        let (curve, verdict) = (self.curve, self.verdict);
        let first = curve.counted().first().or(curve.values.first()).copied().unwrap_or_default();
        let last = curve.values.last().copied().unwrap_or_default();
        let mut text = format!(
            "From {} after warm-up to {} at the end of {} counted cycles; slope {} per cycle",
            curve.amount(first),
            curve.amount(last),
            curve.counted().len(),
            curve.rate(curve.slope())
        );
        if let Some((low, high)) = curve.interval() {
            let _ = write!(text, ", 95 % between {} and {}", curve.rate(low), curve.rate(high));
        }
        if let Some(peak) = verdict.peak {
            let _ = write!(text, "; peak {}", figures::amount(verdict.resource, peak));
        }
        let _ = write!(text, ". Judged {}: {}", figures::outcome(verdict.outcome), clipped(&verdict.why));
        text
    }

    /// The plot, and its part that is not judged.
    fn ground(&self) -> Markup {
        let scale = self.scale;
        let (top, height) = (scale.top(), scale.bottom() - scale.top());
        let warm_up = scale.edge(self.curve.warm_up as f64) - scale.left();
        html! {
            rect.ground x=(at(scale.left())) y=(at(top)) width=(at(scale.right() - scale.left())) height=(at(height)) {}
            @if warm_up > 0.0 {
                rect.warm-up x=(at(scale.left())) y=(at(top)) width=(at(warm_up)) height=(at(height)) {}
            }
        }
    }

    /// The phases of each cycle, in bands: one path a phase, drawn once a case.
    fn bands(&self, drawing: Drawing<'_>) -> Markup {
        let Some(plan) = self.case.plan.as_ref().filter(|_| self.has_bands()) else { return html! {} };
        let id = format!("{}-bands", drawing.id);
        if !drawing.is_first {
            return html! { use href={ "#" (id) } {} };
        }
        html! {
            g id=(id) {
                @for (number, phase) in cycle::disturbing(plan) {
                    path class={ "band b" (number % cycle::SIGNS) } d=(self.band(plan, phase)) {}
                }
            }
        }
    }

    /// A box a cycle.
    fn band(&self, plan: &CyclePlan, phase: &PhaseSpan) -> String {
        let (top, height) = (at(self.scale.top()), at(self.scale.bottom() - self.scale.top()));
        let mut path = String::new();
        for span in cycle::spans(&self.case.timeline, plan, phase) {
            let (from, to) = (self.scale.edge(span.start), self.scale.edge(span.end));
            let _ = write!(path, "M{} {top}h{}v{height}H{}Z", at(from), at(to - from), at(from));
        }
        path
    }

    fn has_bands(&self) -> bool {
        self.scale.cycle_width() >= BANDS_WIDTH_MIN
    }

    fn axes(&self) -> Markup {
        let (scale, curve) = (self.scale, self.curve);
        let counted = curve.counted().len();
        let step = round_step(counted as f64 / 8.0, false) as usize;
        let ticks = (0..=counted).step_by(step.max(1)).filter(|tick| *tick > 0 || curve.warm_up == 0);
        html! {
            @for tick in scale.ticks(curve.in_bytes) {
                @let y = at(scale.y(tick));
                path.grid d={ "M" (at(scale.left())) " " (y) "H" (at(scale.right())) } {}
                text.y x=(at(scale.left() - 6.0)) y=(y) { (curve.amount(tick as i64)) }
            }
            @for tick in ticks {
                text.x x=(at(scale.edge((curve.warm_up + tick) as f64))) y=(at(scale.bottom() + 14.0)) { (figures::grouped(tick as u64)) }
            }
            text.x.name x=(at((scale.left() + scale.right()) / 2.0)) y=(at(scale.bottom() + 31.0)) { "counted cycles" }
        }
    }

    /// What the judge compares: floors, slope, budgets, the first cycle of a rise.
    fn judged(&self) -> Markup {
        let (scale, curve) = (self.scale, self.curve);
        let line = |y: f64| format!("M{} {}H{}", at(scale.left()), at(scale.y(y)), at(scale.right()));
        let since = self.verdict.since_cycle.map(|since| scale.edge((curve.warm_up + since) as f64));
        html! {
            (self.slope())
            @for (window, floor) in curve.floors() {
                @let (from, to) = (scale.edge(window.start as f64), scale.edge(window.end as f64));
                path.floor d={ "M" (at(from + 1.0)) " " (at(scale.y(floor as f64))) "H" (at(to - 1.0)) } {}
            }
            @for (name, max) in &self.limits {
                path.limit d=(line(*max)) {}
                text.label.end x=(at(scale.right() - 3.0)) y=(at(scale.y(*max) - 4.0)) { (name) }
            }
            @if let Some(peak) = self.peak { path.peak d=(line(peak)) {} }
            @if let Some(x) = since {
                path.since d={ "M" (at(x)) " " (at(scale.top())) "V" (at(scale.bottom())) } {}
                text.label x=(at(x + 4.0)) y=(at(scale.top() + 12.0)) { "since cycle " (self.verdict.since_cycle.unwrap_or_default()) }
            }
        }
    }

    /// The judge's slope through the middle of the back half, and the fan of slopes it may be.
    fn slope(&self) -> Markup {
        let (scale, curve) = (self.scale, self.curve);
        let from = curve.back_half_from();
        let half = &curve.values[from..];
        let Some((low, high)) = curve.interval().filter(|_| !half.is_empty()) else { return html! {} };
        let mut sorted = half.to_vec();
        sorted.sort_unstable();
        let middle = (sorted[(sorted.len() - 1) / 2] as f64 + sorted[sorted.len() / 2] as f64) / 2.0;
        let (start, end) = (from as f64, (curve.values.len() - 1) as f64);
        let y = |cycle: f64, slope: f64| at(scale.y(middle + slope * (cycle - (start + end) / 2.0)));
        let (x0, x1) = (at(scale.x(start)), at(scale.x(end)));
        let (xm, ym) = (at(scale.x((start + end) / 2.0)), at(scale.y(middle)));
        let slope = curve.slope();
        html! {
            path.spread d={ "M" (x0) " " (y(start, low)) "L" (xm) " " (ym) "L" (x0) " " (y(start, high)) "ZM"
                (x1) " " (y(end, low)) "L" (xm) " " (ym) "L" (x1) " " (y(end, high)) "Z" } {}
            path.slope d={ "M" (x0) " " (y(start, slope)) "L" (x1) " " (y(end, slope)) } {}
        }
    }

    fn line(&self, points: usize) -> Markup {
        let points = self.curve.thinned(points);
        let place = |(cycle, figure): &(usize, i64)| {
            (at(self.scale.x(*cycle as f64)), at(self.scale.y(*figure as f64)))
        };
        let line = points.iter().map(place).enumerate().fold(String::new(), |mut path, (i, (x, y))| {
            let _ = write!(path, "{}{x} {y}", if i == 0 { 'M' } else { 'L' });
            path
        });
        let dots = points.iter().map(place).fold(String::new(), |mut path, (x, y)| {
            let _ = write!(path, "M{x} {y}h0");
            path
        });
        html! {
            path.curve d=(line) {}
            @if points.len() <= DOTS_MAX { path.dots d=(dots) {} }
        }
    }

    /// What the picture does not show.
    fn aside(&self, points: usize) -> Vec<String> {
        let verdict = self.verdict;
        let mut said = Vec::new();
        let total = self.curve.values.len();
        if total > points {
            said.push(format!(
                "{} cycles, drawn with the least and the most of each stretch",
                figures::grouped(total as u64)
            ));
        }
        let is_above = |peak: &u64| self.peak.is_none() && *peak as f64 > extent(self.curve).1;
        if let Some(peak) = verdict.peak.filter(is_above).filter(|_| has_unit_of_budgets(self.curve)) {
            said.push(format!(
                "Peak {}, far above what is held at rest",
                figures::amount(verdict.resource, peak)
            ));
        }
        let budget = self.case.plan.as_ref().and_then(|plan| plan.budget(verdict.resource));
        for (name, max) in budget.map_or_else(Vec::new, limits) {
            if !self.limits.iter().any(|(drawn, _)| *drawn == name) {
                said.push(format!(
                    "The {name}, {}, is beyond the picture",
                    figures::amount(verdict.resource, max as u64)
                ));
            }
        }
        said
    }
}

/// The least and the most that are drawn: of a flat curve a little around it.
fn extent(curve: &Curve) -> (f64, f64) {
    let low = curve.values.iter().min().copied().unwrap_or_default() as f64;
    let high = curve.values.iter().max().copied().unwrap_or_default() as f64;
    let least_span = match curve.resource {
        Resource::Rss => RSS_SPAN_BYTES,
        _ => (high * 0.02).max(4.0),
    };
    let missing = (least_span - (high - low)).max(0.0) / 2.0;
    ((low - missing).max(0.0), high + missing)
}

/// Budgets and peaks of the heap are bytes; where blocks are drawn they have no place.
fn has_unit_of_budgets(curve: &Curve) -> bool {
    curve.resource != Resource::Heap || curve.in_bytes
}

fn limits(budget: &Budget) -> Vec<(String, f64)> {
    let peak = budget.peak_max.map(|max| ("budget at any time".to_owned(), max as f64));
    let rest = budget.at_rest_max.map(|max| ("budget at rest".to_owned(), max as f64));
    peak.into_iter().chain(rest).collect()
}
