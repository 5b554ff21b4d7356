//! One cycle: its phases as bands, each with a colour and a pattern of its own, and what goes wrong in them.

use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

use maud::{Markup, html};

use super::clipped;
use super::scale::at;
use crate::report::plan::{CyclePlan, PhaseSpan};
use crate::report::{CaseReport, figures};
use crate::timeline::Timeline;

/// Colours with patterns; more phases begin again.
pub(super) const SIGNS: usize = 6;

/// Phases that are drawn and listed.
const PHASES_MAX: usize = 24;

/// The picture's size, and the height of its bar.
const WIDTH: f64 = 560.0;
const BAR: f64 = 34.0;
const HEIGHT: f64 = 54.0;

/// What each pattern is drawn with, on a tile of 8 by 8: lines one way, the other way, dots, upright, level, crossed.
const PATTERNS: [&str; SIGNS] = [
    "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "M2 2h1.5M6 6h1.5",
    "M4 0V8",
    "M0 4H8",
    "M0 0L8 8M8 0L0 8",
];

/// The patterns, once a page.
pub(super) fn patterns() -> Markup {
    html! {
        svg.patterns aria-hidden="true" focusable="false" width="0" height="0" {
            defs {
                @for (i, path) in PATTERNS.iter().enumerate() {
                    pattern id={ "sign-" (i) } class={ "sign s" (i) } width="8" height="8" patternUnits="userSpaceOnUse" {
                        rect width="8" height="8" {} path d=(path) {}
                    }
                }
                pattern.rest id="sign-rest" width="6" height="6" patternUnits="userSpaceOnUse" { path d="M0 6L6 0" {} }
            }
        }
    }
}

/// The phases in which something goes wrong, with their numbers.
pub(super) fn disturbing(plan: &CyclePlan) -> impl Iterator<Item = (usize, &PhaseSpan)> {
    plan.phases.iter().filter(|phase| !phase.faults.is_empty()).take(PHASES_MAX).enumerate()
}

/// Every phase; those in which something goes wrong with their numbers.
fn numbered(plan: &CyclePlan) -> impl Iterator<Item = (Option<usize>, &PhaseSpan)> {
    let mut numbers = 0..;
    let number = move |phase: &PhaseSpan| if phase.faults.is_empty() { None } else { numbers.next() };
    plan.phases.iter().take(PHASES_MAX).scan(number, |number, phase| Some((number(phase), phase)))
}

/// The sign of a phase.
pub(super) fn swatch(number: usize) -> Markup {
    html! {
        svg.swatch viewBox="0 0 28 14" aria-hidden="true" focusable="false" {
            rect class={ "band b" (number % SIGNS) } width="28" height="14" {}
        }
    }
}

/// Where `phase` stands in each cycle of `timeline`, in cycles: the second half of the third is `2.5..3.0`.
pub(super) fn spans<'a>(
    timeline: &'a Timeline,
    plan: &CyclePlan,
    phase: &PhaseSpan,
) -> impl Iterator<Item = Range<f64>> + use<'a> {
    let (from, to) = (phase.from.div_f64(pace(plan)), phase.to.div_f64(pace(plan)));
    let begins = std::iter::once(Duration::ZERO).chain(timeline.cycles.iter().map(|record| record.at));
    begins.zip(&timeline.cycles).enumerate().filter_map(move |(i, (began, record))| {
        let length = record.at.checked_sub(began).filter(|length| !length.is_zero())?;
        let share = |at: Duration| i as f64 + at.div_duration_f64(length).min(1.0);
        Some(share(from)..share(to))
    })
}

fn pace(plan: &CyclePlan) -> f64 {
    if plan.pace.is_finite() && plan.pace > 0.0 { plan.pace } else { 1.0 }
}

/// The bar of one cycle, and the table that is its legend.
pub(super) fn section(case: &CaseReport, plan: &CyclePlan, id: &str) -> Markup {
    let name = format!("{id}-cycle");
    let pace = pace(plan);
    html! {
        h3 { "One cycle" }
        (bar(case, plan, &name))
        div.scroll role="region" aria-label={ "Phases of " (clipped(&case.test_name())) } tabindex="0" {
            table {
                caption {
                    "What happens in every cycle, in the scenario’s own time"
                    @if (pace - 1.0).abs() > 1e-9 { "; it was played " (pace) " times faster" }
                    "."
                }
                thead { tr { @for head in ["phase", "from", "to", "what goes wrong"] { th scope="col" { (head) } } } }
                tbody {
                    @for (number, phase) in numbered(plan) {
                        tr {
                            th scope="row" {
                                @if let Some(number) = number { (swatch(number)) " " }
                                (clipped(&phase.name))
                            }
                            td.number { (figures::time(phase.from)) }
                            td.number { (figures::time(phase.to)) }
                            td { @if phase.faults.is_empty() { "nothing" } @else { (clipped(&phase.faults.join("; "))) } }
                        }
                    }
                    tr {
                        th scope="row" { (rest_swatch()) " " (clipped(&plan.rest.name)) }
                        td.number { (figures::time(disturbed(plan))) }
                        td { "at rest, within " (figures::time(plan.rest.within)) }
                        td { (rest(case, plan)) }
                    }
                }
            }
        }
        @if plan.phases.len() > PHASES_MAX { p.thinned { "and " (plan.phases.len() - PHASES_MAX) " more phases in the JSON report" } }
    }
}

fn rest_swatch() -> Markup {
    html! { svg.swatch viewBox="0 0 28 14" aria-hidden="true" focusable="false" { rect.rest width="28" height="14" {} } }
}

fn disturbed(plan: &CyclePlan) -> Duration {
    plan.phases.last().map_or(Duration::ZERO, |phase| phase.to)
}

/// What is waited for, and how long that took.
fn rest(case: &CaseReport, plan: &CyclePlan) -> String {
    let until: Vec<String> =
        plan.rest.until.iter().map(|(gauge, value)| format!("{gauge} = {value}")).collect();
    let mut text = format!("nothing; waits until {}", until.join(", "));
    if until.is_empty() {
        text = "nothing".to_owned();
    }
    if let Some(usual) = usual_rest(case) {
        let _ = write!(text, "; came to rest after {} (median)", figures::time(usual));
    }
    let _ = write!(text, "; watched for {}, then counted", figures::time(plan.rest.watch));
    clipped(&text)
}

/// How long the target usually needed; `None`: it never came to rest.
fn usual_rest(case: &CaseReport) -> Option<Duration> {
    let mut all: Vec<Duration> =
        case.timeline.cycles.iter().filter_map(|record| record.settled_after).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn bar(case: &CaseReport, plan: &CyclePlan, name: &str) -> Markup {
    let settled = usual_rest(case).unwrap_or(plan.rest.within).mul_f64(pace(plan));
    let end = disturbed(plan) + settled + plan.rest.watch;
    let x = |time: Duration| 1.0 + (WIDTH - 2.0) * time.as_secs_f64() / end.as_secs_f64().max(1e-9);
    html! {
        svg.cycle viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (name) "-t" } {
            title id={ (name) "-t" } { "One cycle in phases: " (told(plan)) }
            rect.ground x="1" y="1" width=(WIDTH - 2.0) height=(BAR) {}
            @for (number, phase) in numbered(plan) {
                @let (from, to) = (x(phase.from), x(phase.to));
                @if let Some(number) = number {
                    rect class={ "band b" (number % SIGNS) } x=(at(from)) y="1" width=(at(to - from)) height=(BAR) {}
                }
                (label(&phase.name, from, to))
                path.edge d={ "M" (at(to)) " 1v" (BAR) } {}
                text.x x=(at(to)) y=(HEIGHT - 4.0) { (figures::time(phase.to)) }
            }
            @let from = x(disturbed(plan));
            rect.rest x=(at(from)) y="1" width=(at(WIDTH - 1.0 - from)) height=(BAR) {}
            (label(&plan.rest.name, from, WIDTH - 1.0))
        }
    }
}

/// The name in its band, where there is room for it.
fn label(name: &str, from: f64, to: f64) -> Markup {
    let needed = 8.5 * name.chars().count() as f64 + 8.0;
    html! {
        @if needed < to - from {
            rect.plate x=(at((from + to - needed) / 2.0)) y="9" width=(at(needed)) height="18" rx="3" {}
            text.x.name x=(at((from + to) / 2.0)) y="22" { (name) }
        }
    }
}

fn told(plan: &CyclePlan) -> String {
    let phases = plan
        .phases
        .iter()
        .take(PHASES_MAX)
        .map(|phase| format!("{} until {}", clipped(&phase.name), figures::time(phase.to)));
    phases.chain([clipped(&plan.rest.name)]).collect::<Vec<_>>().join(", ")
}
