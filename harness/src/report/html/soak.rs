//! What a soak has to say: its segments, and what was captured when evidence of a leak came up.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::clipped;
use crate::report::figures;
use crate::report::soak::{Capture, Soak};

/// Captures that are told.
const CAPTURES_MAX: usize = 6;

/// Rows of one list in a capture: the most numerous.
const ROWS_MAX: usize = 12;

/// Events before a capture.
const EVENTS_MAX: usize = 12;

/// The lines that the terminal prints, and each capture folded.
pub(super) fn section(soak: &Soak) -> Markup {
    let more = soak.captures.len().saturating_sub(CAPTURES_MAX);
    html! {
        h3 { "The soak" }
        ul { @for line in soak.lines() { li { (clipped(&line)) } } }
        @for capture in soak.captures.iter().take(CAPTURES_MAX) { (captured(capture)) }
        @if more > 0 { p.thinned { "and " (more) " more captures in the JSON report" } }
    }
}

fn captured(capture: &Capture) -> Markup {
    let tcp = listed(capture.tcp_states.iter().map(|(state, count)| (state.as_str(), *count)));
    html! {
        details {
            summary { (clipped(&capture.line())) }
            dl.facts {
                @if !capture.findings.is_empty() {
                    dt { "grown since warm-up" }
                    dd { @for found in capture.findings.iter().take(ROWS_MAX) {
                        (figures::survivors(found)) " at " code { (clipped(&found.site)) } br;
                    } }
                }
                @if !capture.tasks.is_empty() { dt { "tasks" } dd { (most(&capture.tasks)) } }
                @if !capture.fds.is_empty() { dt { "descriptors" } dd { (most(&capture.fds)) } }
                @if !capture.tcp_states.is_empty() { dt { "TCP" } dd { (tcp) } }
                @if !capture.awaits.is_empty() { dt { "waiting at" } dd { (awaits(&capture.awaits)) } }
                @if !capture.events.is_empty() {
                    dt { "before it" }
                    dd { @for event in last(&capture.events) { (clipped(event)) br; } }
                }
            }
        }
    }
}

fn most(counts: &[(String, u64)]) -> Markup {
    html! { @for (what, count) in counts.iter().take(ROWS_MAX) { (figures::grouped(*count)) " " code { (clipped(what)) } br; } }
}

/// The innermost frame of each.
fn awaits(awaits: &BTreeMap<String, Vec<String>>) -> Markup {
    html! { @for (spawned, stack) in awaits.iter().take(ROWS_MAX) {
        code { (clipped(spawned)) } @if let Some(frame) = stack.first() { ": " (clipped(frame)) } br;
    } }
}

fn last(events: &[String]) -> &[String] {
    &events[events.len().saturating_sub(EVENTS_MAX)..]
}

fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    counts.map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::fixtures;
    use crate::report::soak::CaptureReason;

    #[test]
    fn a_capture_is_told_with_what_grew_and_what_was_held_and_is_bounded() {
        let capture = Capture {
            segment: 0,
            why: CaptureReason::Evidence,
            cycle: 12,
            at: Duration::from_secs(90),
            findings: fixtures::tenants_leak().findings,
            growing: vec![],
            tasks: (0..100).map(|n| (format!("line-{n}.rs"), 3)).collect(),
            awaits: BTreeMap::new(),
            fds: vec![("tcp <plc>:102 ESTAB".to_owned(), 2)],
            tcp_states: [("CLOSE-WAIT".to_owned(), 7)].into(),
            events: (0..100).map(|n| format!("event {n}.")).collect(),
        };
        let (asked, lasted) = (Duration::from_secs(3_600), Duration::from_secs(120));
        let soak = Soak {
            asked,
            lasted,
            cycles: 16,
            cycles_per_entry: 1,
            told: 0,
            segments: vec![],
            captures: vec![capture; 20],
            clock_jumps: vec![],
        };
        let page = section(&soak).0;
        for said in [
            "captured at",
            "7 CLOSE-WAIT",
            "&lt;plc&gt;:102",
            "line-11.rs",
            "event 99.",
            "and 14 more captures",
        ] {
            assert!(page.contains(said), "no `{said}` in {page}");
        }
        for beyond in ["line-12.rs", "event 87."] {
            assert!(!page.contains(beyond), "`{beyond}` is beyond the bound");
        }
    }
}
