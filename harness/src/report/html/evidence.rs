//! What stayed behind, with its stacks; the controls of the run; figures for those who read no pictures.

use maud::{Markup, html};

use super::clipped;
use super::curve::Curve;
use crate::explain::{Finding, is_own};
use crate::report::{CaseReport, figures};
use crate::resource::Resource;
use crate::verdict::ResourceVerdict;

/// Sites that are told.
const FINDINGS_MAX: usize = 12;

/// Frames of a stack; the first site has more room.
const FRAMES_MAX: usize = 48;

/// Parts of the target that a site is told for.
const TENANTS_MAX: usize = 8;

/// Controls that are listed.
const CONTROLS_MAX: usize = 60;

/// Cycles in the table of figures.
const CYCLES_MAX: usize = 12;

/// The sites, culprits first.
pub(super) fn findings(case: &CaseReport) -> Markup {
    let more = case.findings.len().saturating_sub(FINDINGS_MAX);
    html! {
        h3 { "What stayed behind" }
        ol.findings {
            @for (i, found) in case.findings.iter().take(FINDINGS_MAX).enumerate() { li { (finding(found, i == 0)) } }
        }
        @if more > 0 { p.thinned { "and " (more) " more sites in the JSON report" } }
    }
}

fn finding(found: &Finding, is_first: bool) -> Markup {
    html! {
        details open[is_first] {
            summary {
                strong { (figures::survivors(found)) } " at " code { (clipped(&found.site)) }
                (clipped(&figures::tenancy(found)))
                @if let Some(culprit) = &found.victim_of { span.aside { ", explained by " code { (short(culprit)) } } }
                @if found.ignored.is_some() { span.aside { ", ignored" } }
            }
            dl.facts {
                @if let Some(function) = &found.function { dt { "function" } dd { code { (clipped(function)) } } }
                @if let Some(task) = &found.task { dt { "in tasks of" } dd { code { (clipped(task)) } } }
                dt { "id" } dd { code { (found.fingerprint()) } }
                @if let Some(entry) = &found.ignored { dt { "ignored" } dd { (clipped(entry)) } }
                @if !found.tenants.is_empty() { dt { "belongs to" } dd { (tenants(found)) } }
            }
            @if !found.stack.is_empty() { (stack(found)) }
        }
    }
}

/// The file and line without its folders.
fn short(site: &str) -> &str {
    site.rsplit('/').next().unwrap_or(site)
}

fn tenants(found: &Finding) -> String {
    let share = |count: i64| figures::grouped(count.unsigned_abs());
    let named: Vec<String> = found
        .tenants
        .iter()
        .take(TENANTS_MAX)
        .map(|tenant| format!("{} ({})", clipped(&tenant.name), share(tenant.survivors)))
        .collect();
    let more = found.tenants_grown.saturating_sub(named.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// The frames of the target's own, and the whole stack folded away, in which they stand out, and not by colour alone.
fn stack(found: &Finding) -> Markup {
    let is_await = found.resource == Resource::Tasks;
    let what = if is_await { "Where such a task waits" } else { "Call stack, innermost first" };
    let frames = |count: usize| if count == 1 { "1 frame".to_owned() } else { format!("{count} frames") };
    let own: Vec<&String> = found.stack.iter().filter(|frame| is_own(frame)).take(OWN_FRAMES_MAX).collect();
    let more = found.stack.len().saturating_sub(FRAMES_MAX);
    html! {
        @if !own.is_empty() && !is_await {
            p.stack-name { "In code of its own" }
            ul.stack { @for frame in own { li.own { (clipped(frame)) } } }
        }
        details open[is_await] {
            summary.stack-name { (what) ", " (frames(found.stack.len())) }
            ol.stack {
                @for frame in found.stack.iter().take(FRAMES_MAX) {
                    li.own[is_own(frame)] { (clipped(frame)) }
                }
                @if more > 0 { li { "and " (more) " more in the JSON report" } }
            }
        }
    }
}

/// Frames of the target's own that are shown unasked.
const OWN_FRAMES_MAX: usize = 8;

/// The controls, open where one failed.
pub(super) fn controls(case: &CaseReport, id: &str) -> Markup {
    let failed = case.audit.iter().filter(|audit| !audit.holds()).count();
    let mut order: Vec<_> = case.audit.iter().collect();
    order.sort_by_key(|audit| audit.holds());
    let summary = match (case.audit.len(), failed) {
        (0, _) => "No control was read".to_owned(),
        (all, 0) => format!("{all} of {all} controls passed"),
        (all, failed) => format!("{failed} of {all} controls failed"),
    };
    html! {
        h3 { "Controls" }
        @if order.is_empty() { p { (summary) ": whether the load landed and the faults took effect is not known." } }
        @else {
            details open[failed > 0] {
                summary { (summary) }
                div.scroll role="region" aria-label={ "Controls of " (clipped(&case.test_name())) } tabindex="0" {
                    table id={ (id) "-controls" } {
                        caption { "Did the load land, did the disturbance disturb, was it counted at rest." }
                        thead { tr { @for head in ["control", "found", "needed", "passed"] { th scope="col" { (head) } } } }
                        tbody {
                            @for audit in order.iter().take(CONTROLS_MAX) {
                                tr {
                                    th scope="row" { (clipped(&audit.what)) }
                                    td.number { (figures::grouped(audit.found)) }
                                    td.number {
                                        "≥ " (figures::grouped(audit.at_least))
                                        @if let Some(most) = audit.at_most { ", ≤ " (figures::grouped(most)) }
                                    }
                                    td { @if audit.holds() { "yes" } @else { strong.bad { "no" } } }
                                }
                            }
                        }
                    }
                }
                @if order.len() > CONTROLS_MAX { p.thinned { "and " (order.len() - CONTROLS_MAX) " more in the JSON report" } }
            }
        }
    }
}

/// Every figure of some cycles, evenly chosen, the first and the last among them.
pub(super) fn figures_by_cycle(case: &CaseReport, curves: &[(Curve, &ResourceVerdict)], id: &str) -> Markup {
    let cycles = &case.timeline.cycles;
    let step = cycles.len().div_ceil(CYCLES_MAX).max(1);
    let last = cycles.len().saturating_sub(1);
    let chosen = cycles.iter().enumerate().filter(|(i, _)| i % step == 0 || *i == last);
    let measured: Vec<Resource> = curves.iter().map(|(curve, _)| curve.resource).collect();
    html! {
        details {
            summary { "The curves in figures" }
            div.scroll role="region" aria-label={ "Figures by cycle of " (clipped(&case.test_name())) } tabindex="0" {
                table id={ (id) "-by-cycle" } {
                    caption {
                        "Held at rest after "
                        @if step > 1 { "every " (figures::grouped(step as u64)) "th cycle" } @else { "each cycle" }
                        ", warm-up included; the JSON report has all."
                    }
                    thead { tr {
                        th scope="col" { "cycle" }
                        th scope="col" { "time" }
                        th scope="col" { "rest after" }
                        @for resource in &measured { th scope="col" { (resource.name()) @if *resource == Resource::Heap { " blocks" } } }
                    } }
                    tbody {
                        @for (i, record) in chosen {
                            tr {
                                th scope="row" { (i) @if i < case.timeline.warm_up { " (warm-up)" } }
                                td.number { (figures::time(record.at)) }
                                td.number { (record.settled_after.map_or_else(|| "never".to_owned(), figures::time)) }
                                @for resource in &measured {
                                    td.number { (held(record.census.count(*resource), *resource)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn held(count: Option<u64>, resource: Resource) -> String {
    count.map_or_else(
        || "-".to_owned(),
        |count| match resource {
            Resource::Rss => figures::bytes(count),
            _ => figures::grouped(count),
        },
    )
}
