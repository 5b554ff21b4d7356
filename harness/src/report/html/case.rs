//! One case: its head, its figures, its curves, its evidence.

use maud::{Markup, html};

use super::chart::Drawing;
use super::curve::Curve;
use super::{chart, clipped, cycle, evidence, mark, soak};
use crate::report::plan::CyclePlan;
use crate::report::{CaseReport, figures, terminal};
use crate::resource::Resource;
use crate::verdict::{Outcome, ResourceVerdict};

/// Notes of a case that are told.
const NOTES_MAX: usize = 20;

/// The section of a case, number `i` of the run, with at most so many points a curve.
pub(super) fn section(case: &CaseReport, i: usize, points: usize) -> Markup {
    let unjudged = if case.resources.is_empty() { unjudged(case) } else { Vec::new() };
    let curves: Vec<(Curve, &ResourceVerdict)> = case
        .resources
        .iter()
        .chain(&unjudged)
        .filter(|verdict| verdict.measured())
        .filter_map(|verdict| Some((Curve::of(&case.timeline, verdict)?, verdict)))
        .collect();
    let id = format!("case-{i}");
    html! {
        section.case id=(id) aria-labelledby={ (id) "-name" } {
            h2 id={ (id) "-name" } {
                (mark(case.exit)) " " span.ending { (terminal::ending(case)) } " " span.name { (clipped(&case.test_name())) }
            }
            (head(case))
            h3 { "Figures" }
            (resources(case, &curves, &id))
            @if !case.findings.is_empty() { (evidence::findings(case)) }
            @if let Some(told) = &case.soak { (soak::section(told)) }
            @if !curves.is_empty() {
                h3 { "Curves" }
                (legend(case))
                div.charts {
                    @for (n, (curve, verdict)) in curves.iter().enumerate() {
                        (chart::figure(case, curve, verdict, Drawing { id: &id, points, is_first: n == 0 }))
                    }
                }
                (evidence::figures_by_cycle(case, &curves, &id))
            }
            @if let Some(plan) = &case.plan { (cycle::section(case, plan, &id)) }
            (evidence::controls(case, &id))
            @if !case.notes.is_empty() { (notes(case)) }
        }
    }
}

/// Why a row says nothing about growth.
pub(super) const NOT_JUDGED: &str = "not judged";

/// Rows for a run that ended before it was judged: what was measured is shown all the same.
fn unjudged(case: &CaseReport) -> Vec<ResourceVerdict> {
    let Some(last) = case.timeline.cycles.last() else { return Vec::new() };
    let row = |resource| ResourceVerdict {
        resource,
        outcome: Outcome::Inconclusive,
        at_rest: last.census.count(resource),
        at_rest_bytes: last.census.bytes(resource),
        peak: case.timeline.peak.bytes(resource).or(case.timeline.peak.count(resource)),
        growth_per_cycle: 0.0,
        growth_bytes_per_cycle: None,
        sensitivity_per_cycle: None,
        sensitivity_bytes_per_cycle: None,
        since_cycle: None,
        detected_after: None,
        why: NOT_JUDGED.to_owned(),
    };
    Resource::ALL.map(row).into()
}

/// What, where, why, and the command that shows it again.
fn head(case: &CaseReport) -> Markup {
    let culprit = case.findings.first();
    let counted = case.timeline.cycles.get(case.timeline.warm_up..).unwrap_or_default().len();
    let cycles = format!(
        "{} counted cycles after {} of warm-up",
        figures::grouped(counted as u64),
        case.timeline.warm_up.min(case.timeline.cycles.len())
    );
    let planned = case.timeline.planned;
    html! {
        p.headline { (clipped(&case.headline)) @if let Some(first) = culprit { "; " (figures::survivors(first)) " left behind" } }
        p.about { (clipped(&case.about)) }
        dl.facts {
            @if let Some(first) = culprit {
                dt { "at" }
                dd {
                    code { (clipped(&first.site)) }
                    @if let Some(function) = &first.function { " in " code { (clipped(function)) } }
                    (clipped(&figures::tenancy(first)))
                }
            }
            @if let Some(why) = terminal::reason(case) { dt { "why" } dd { (clipped(&why)) } }
            @if let Some(first) = culprit { dt { "id" } dd { code { (first.fingerprint()) } } }
            @if let Some(expected) = &case.expected {
                dt { "wanted" }
                dd { (clipped(&expected.what)) @if expected.met { ": came true" } @else { ": did not come true" } }
            }
            dt { "replay" }
            dd { code.command { (clipped(&case.replay)) } }
            dt { "played" }
            dd {
                (cycles)
                @if case.timeline.cycles.len() < planned { ", cut short: " (case.timeline.cycles.len()) " of " (planned) " cycles" }
                "; " (figures::time(case.scenario_time)) " of " (clipped(&case.target)) " in " (figures::time(case.wall_time))
            }
            dt { "scenario" }
            dd { code { (clipped(&case.file.to_string_lossy())) } ", seed " (case.seed) ", engine " (case.engine.name()) }
        }
    }
}

fn resources(case: &CaseReport, curves: &[(Curve, &ResourceVerdict)], id: &str) -> Markup {
    if curves.is_empty() {
        return html! { p { "Nothing was measured." } };
    }
    let plan = case.plan.as_ref();
    let missing: Vec<&str> =
        case.resources.iter().filter(|row| !row.measured()).map(|row| row.resource.name()).collect();
    let heads = [
        "resource",
        "at rest",
        "peak",
        "budget",
        "growth/cycle",
        "95 % range",
        "would have seen",
        "outcome",
        "why",
    ];
    html! {
        div.scroll role="region" aria-label={ "Figures of " (clipped(&case.test_name())) } tabindex="0" {
            table id={ (id) "-figures" } {
                caption { "What the target held after each cycle, and how it was judged." }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for (curve, verdict) in curves { (resource(curve, verdict, plan)) } }
            }
        }
        @if !missing.is_empty() { p.thinned { "Not measured: " (missing.join(", ")) } }
    }
}

fn resource(curve: &Curve, verdict: &ResourceVerdict, plan: Option<&CyclePlan>) -> Markup {
    let row = terminal::resource_row(verdict);
    let interval = curve
        .interval()
        .map_or_else(|| "-".to_owned(), |(low, high)| format!("{} to {}", curve.rate(low), curve.rate(high)));
    html! {
        tr {
            th scope="row" { (row[0]) }
            td.number { (row[1]) }
            td.number { (row[2]) }
            td.number { (budget(verdict, plan)) }
            td.number { @if verdict.why == NOT_JUDGED { "-" } @else { (row[3]) } }
            td.number { (interval) }
            td { (figures::sensitivity_in_units(verdict).unwrap_or_else(|| "-".to_owned())) }
            td { span.outcome.(tone(verdict.outcome)) { (row[4]) } }
            td { (clipped(&row[5])) }
        }
    }
}

fn budget(verdict: &ResourceVerdict, plan: Option<&CyclePlan>) -> String {
    let Some(budget) = plan.and_then(|plan| plan.budget(verdict.resource)) else { return "-".to_owned() };
    let amount = |max: u64| figures::amount(verdict.resource, max);
    let peak = budget.peak_max.map(|max| format!("peak {}", amount(max)));
    let rest = budget.at_rest_max.map(|max| format!("at rest {}", amount(max)));
    let grow =
        (budget.grow_per_cycle > 0.0).then(|| format!("{}/cycle", figures::signed(budget.grow_per_cycle)));
    peak.into_iter().chain(rest).chain(grow).collect::<Vec<_>>().join(", ")
}

/// Which of three tones a judgement has.
pub(super) fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Clean | Outcome::Retained | Outcome::Saturating => "good",
        Outcome::Suspect | Outcome::Inconclusive | Outcome::Invalid => "unsure",
        Outcome::OverBudget | Outcome::Leak => "bad",
    }
}

/// What the lines of the pictures mean; phases have the signs of the cycle's own table.
fn legend(case: &CaseReport) -> Markup {
    html! {
        ul.legend aria-label="What the curves show" {
            li { (chart::swatch("curve")) " held at rest" }
            li { (chart::swatch("floor")) " floor of each of the judge’s five windows" }
            li { (chart::swatch("slope")) " slope, with the range that holds it in 95 %" }
            li { (chart::swatch("limit")) " budget" }
            li { (chart::swatch("peak")) " peak of the run" }
            li { (chart::swatch("warm-up")) " warm-up, not judged" }
            @for (number, phase) in case.plan.iter().flat_map(cycle::disturbing) { li { (cycle::swatch(number)) " " (clipped(&phase.name)) } }
        }
    }
}

fn notes(case: &CaseReport) -> Markup {
    let more = case.notes.len().saturating_sub(NOTES_MAX);
    html! {
        h3 { "Notes" }
        ul.notes {
            @for note in case.notes.iter().take(NOTES_MAX) { li { (clipped(note)) } }
            @if more > 0 { li { "and " (more) " more in the JSON report" } }
        }
    }
}
