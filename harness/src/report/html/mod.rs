//! One HTML file that needs nothing else: no script, no request, a picture per resource, made to be pasted into a bug report.
//!
//! `page` is the document, `case` a case in it, `chart` the picture of one resource from the pure figures of `curve`,
//! `cycle` the picture of one cycle, `evidence` what stayed behind and the controls, `soak` what a soak captured.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{CaseReport, RunReport, figures, terminal};
use crate::exit::Exit;

mod case;
mod chart;
mod curve;
mod cycle;
mod evidence;
mod scale;
mod soak;

/// The largest file. What a run says beyond it stands in the JSON report, and the page says so.
pub const BYTES_MAX: usize = 300 * 1024;

/// Room for what stands around style, head, table, cases and environment.
const FRAME_BYTES: usize = 8 * 1024;

/// Rows of the table of cases.
const ROWS_MAX: usize = 150;

/// Problems of a run that are told.
const PROBLEMS_MAX: usize = 50;

/// Characters of a name or a sentence that come from outside.
const TEXT_CHARS_MAX: usize = 600;

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded, nothing runs: only the style in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub fn text(report: &RunReport) -> String {
    let title = clipped(&format!("{} – Watertight", heading(report)));
    let (head, environment) = (head(report), environment(report));
    let taken = FRAME_BYTES + STYLE.len() + head.0.len() + environment.0.len();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("Watertight ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (cycle::patterns())
                header { (head) }
                main { (body(report, BYTES_MAX.saturating_sub(taken))) }
                footer { (environment) }
            }
        }
    };
    page.into_string()
}

/// What became of the run, in a few words.
fn heading(report: &RunReport) -> String {
    let failed = report.cases.iter().filter(|case| case.exit != Exit::Clean).count();
    match (report.cases.as_slice(), failed) {
        ([], _) => "No case was played".to_owned(),
        ([case], _) => format!("{}: {}", capital(&terminal::ending(case)), case.test_name()),
        (all, 0) => format!("All {} cases ended as they should", all.len()),
        (all, failed) => format!("{failed} of {} cases need a look", all.len()),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn head(report: &RunReport) -> Markup {
    let summary = terminal::summary(report, terminal::Look::plain(usize::MAX));
    html! {
        p.brand { "Watertight" }
        h1 { (mark(report.exit)) " " (clipped(&heading(report))) }
        p { (summary) }
        @if !report.problems.is_empty() || report.cases.is_empty() { (problems(report)) }
    }
}

fn problems(report: &RunReport) -> Markup {
    let more = report.problems.len().saturating_sub(PROBLEMS_MAX);
    html! {
        section.problems aria-labelledby="problems" {
            h2 id="problems" { "This run says less than was asked for" }
            ul {
                @if report.cases.is_empty() { li { "No case was played: nothing was measured, and nothing is known." } }
                @for problem in report.problems.iter().take(PROBLEMS_MAX) { li { (clipped(problem)) } }
                @if more > 0 { li { "and " (more) " more in the JSON report" } }
            }
        }
    }
}

/// The table, and every case that there is room for, in so many bytes: the worst first.
fn body(report: &RunReport, room: usize) -> Markup {
    let mut order: Vec<usize> = (0..report.cases.len()).collect();
    order.sort_by_key(|i| {
        let case = &report.cases[*i];
        std::cmp::Reverse((case.exit != Exit::Clean, case.outcome))
    });
    let everything: Vec<usize> = (0..report.cases.len()).collect();
    let room = room.saturating_sub(table(report, &everything).0.len());
    let mut told = String::new();
    let mut shown = Vec::new();
    let points = curve::points(report.cases.len());
    for i in order {
        let section = case::section(&report.cases[i], i, points).into_string();
        if told.len() + section.len() > room {
            continue;
        }
        told += &section;
        shown.push(i);
    }
    let left_out = report.cases.len() - shown.len();
    html! {
        @if report.cases.len() > 1 { (table(report, &shown)) }
        (PreEscaped(told))
        @if left_out > 0 {
            p.thinned {
                "For " (left_out) " of " (report.cases.len()) " cases there is no room here beside their row: the JSON report has them all."
            }
        }
    }
}

fn table(report: &RunReport, shown: &[usize]) -> Markup {
    let more = report.cases.len().saturating_sub(ROWS_MAX);
    html! {
        section aria-labelledby="cases" {
            h2 id="cases" { "Cases" }
            div.scroll role="region" aria-labelledby="cases" tabindex="0" {
                table {
                    caption { "Each case, in the order of the run; “would have seen” is the smallest leak that it would have shown." }
                    thead { tr {
                        @for name in ["case", "cycles", "outcome", "would have seen", "time"] { th scope="col" { (name) } }
                    } }
                    tbody { @for (i, case) in report.cases.iter().enumerate().take(ROWS_MAX) { (row(case, i, shown.contains(&i))) } }
                }
            }
            @if more > 0 { p.thinned { "and " (more) " more cases in the JSON report" } }
        }
    }
}

fn row(case: &CaseReport, i: usize, has_section: bool) -> Markup {
    html! {
        tr {
            th scope="row" {
                @if has_section { a href={ "#case-" (i) } { (clipped(&case.test_name())) } } @else { (clipped(&case.test_name())) }
            }
            td.number { (figures::grouped(case.counted_cycles() as u64)) }
            td { (mark(case.exit)) " " (terminal::ending(case)) }
            td { (terminal::seen(case)) }
            td.number { (figures::time(case.wall_time)) }
        }
    }
}

/// A sign beside the outcome's word; its colour says nothing that its form does not.
fn mark(exit: Exit) -> Markup {
    let (class, sign) = match exit {
        Exit::Clean => ("good", "✓"),
        Exit::Leak => ("bad", "✗"),
        Exit::Inconclusive => ("unsure", "?"),
        Exit::Usage | Exit::Harness => ("bad", "!"),
    };
    html! { span.mark.(class) aria-hidden="true" { (sign) } }
}

fn environment(report: &RunReport) -> Markup {
    let Some(here) = &report.environment else {
        return html! { p { "Where it was played was not noted." } };
    };
    let tokio = if here.tokio_unstable { "tokio_unstable" } else { "stable" };
    let facts: [(&str, String); 7] = [
        ("Watertight", format!("{}, {} build", here.watertight, here.build)),
        ("tokio", tokio.to_owned()),
        ("system", format!("{}, kernel {}, {}", here.os, here.kernel, here.arch)),
        ("processor", here.cpu.clone()),
        ("cores", here.cores.to_string()),
        ("memory", figures::bytes(here.memory_bytes)),
        ("reported", here.reported_at.clone()),
    ];
    html! {
        h2 { "Environment" }
        dl.facts { @for (name, value) in facts { dt { (name) } dd { (clipped(&value)) } } }
    }
}

/// What comes from outside has an end.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, run};

    /// What a browser would fetch: nothing of it may stand in the page.
    const LOADED: [&str; 9] =
        ["src=", "http:", "https:", "url(http", "@import", "<script", "<link", "<iframe", "javascript:"];

    #[test]
    fn every_page_is_whole_small_and_loads_nothing() {
        for report in fixtures::all() {
            let page = text(&report);
            assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
            assert!(page.len() <= BYTES_MAX, "{}", page.len());
            for loaded in LOADED {
                assert!(!page.contains(loaded), "{loaded}");
            }
            assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
            assert_eq!(page.matches("<h1>").count(), 1);
        }
    }

    #[test]
    fn a_run_of_any_size_fits_and_says_what_is_left_out() {
        let mut many = vec![fixtures::clean("flapping-network"); 600];
        many.push(fixtures::tenants_leak());
        let page = text(&run(many));
        assert!(page.len() <= BYTES_MAX, "{}", page.len());
        assert!(page.contains("slice_pins_block.rs:22"), "the worst comes first");
        assert!(page.contains("there is no room here beside their row"));
        assert!(page.contains("and 451 more cases in the JSON report"));

        let mut long = fixtures::task_leak();
        long.timeline.cycles = (0..20_000).map(|i| long.timeline.cycles[i % 45].clone()).collect();
        long.notes = vec!["x".repeat(1_000_000); 500];
        long.findings = vec![long.findings[0].clone(); 500];
        long.findings.iter_mut().for_each(|found| found.stack = vec![found.stack[0].clone(); 500]);
        let page = text(&RunReport { problems: vec!["y".repeat(100_000); 500], ..run(vec![long]) });
        assert!(page.len() <= BYTES_MAX, "{}", page.len());
        assert!(page.contains("<h3>Controls</h3>"), "the case itself is there");
    }

    #[test]
    fn what_a_target_says_is_text_and_no_markup() {
        let mut case = fixtures::harness_failure();
        case.headline = "<img src=x onerror=alert(1)>".to_owned();
        case.scenario = "\"><script>".to_owned();
        let page = text(&run(vec![case]));
        assert!(!page.contains("<img") && !page.contains("<script"));
        assert!(page.contains("&lt;img src=x"));
    }

    #[test]
    fn empty_interrupted_and_failed_runs_say_so() {
        let empty = text(&fixtures::empty());
        assert!(empty.contains("No case was played") && empty.contains("not played: interrupted"));
        let cut = text(&run(vec![fixtures::interrupted()]));
        assert!(cut.contains("interrupted") && cut.contains("22 of 45 cycles"), "{cut}");
        let failed = text(&run(vec![fixtures::harness_failure()]));
        assert!(failed.contains("ended by signal 9") && failed.contains("Nothing was measured"));
        let mut killed = fixtures::interrupted();
        (killed.resources, killed.plan) = (vec![], None);
        let killed = text(&run(vec![killed]));
        assert!(killed.contains("not judged") && killed.contains("<h3>Curves</h3>"), "{killed}");
    }
}
