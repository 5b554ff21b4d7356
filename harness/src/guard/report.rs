//! What a test says that leaves something behind: to be pasted as it is.

use std::fmt::Write;
use std::time::Duration;

use super::look::Left;
use super::plan::Plan;
use crate::explain::Finding;
use crate::figures;
use crate::resource::Resource;
use crate::verdict::{Outcome, ResourceVerdict};

/// What stayed behind, and all that is known of it.
pub(super) struct Report {
    /// Counted cycles; `None`: played once.
    pub(super) plays: Option<usize>,
    pub(super) rows: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

/// One resource that is not clean.
pub(super) struct Row {
    pub(super) resource: Resource,
    /// How much of it, in words.
    pub(super) said: String,
}

/// The whole report.
pub(super) fn text(plan: &Plan, report: &Report) -> String {
    let what: Vec<&str> = culprits(report).map(|row| row.resource.name()).collect();
    let how = report.plays.map_or("played once".to_owned(), |cycles| format!("{cycles} counted cycles"));
    let mut out = format!("watertight: leak of {} in {}, {how}\n", what.join(", "), test(plan));
    out.push('\n');
    out += &rows(report);
    for note in &report.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    if let Some(first) = report.findings.iter().find(|finding| finding.ignored.is_none()) {
        let site = &first.site;
        let _ =
            writeln!(out, "  allow it: ignore(site = {site:?}, reason = \"..\") in #[watertight::test(..)]");
    }
    out + &limits(report.plays.is_some())
}

/// The resources of which something is there that nothing else explains; all of them where everything is explained.
fn culprits(report: &Report) -> impl Iterator<Item = &Row> {
    let is_explained = |row: &&Row| {
        let mut of_it = report.findings.iter().filter(|finding| finding.resource == row.resource).peekable();
        of_it.peek().is_some() && of_it.all(|finding| finding.victim_of.is_some())
    };
    let all_are = report.rows.iter().all(|row| is_explained(&row));
    report.rows.iter().filter(move |row| all_are || !is_explained(row))
}

/// The rows with what was found of each.
pub(super) fn rows(report: &Report) -> String {
    let mut out = String::new();
    for row in &report.rows {
        let _ = writeln!(out, "  {:<8} {}", row.resource.name(), row.said);
        let found: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.resource == row.resource).collect();
        for finding in found.iter().take(FINDINGS_MAX) {
            let _ = writeln!(out, "           {}", line(finding));
        }
        if found.len() > FINDINGS_MAX {
            let _ = writeln!(out, "           and {} more places", found.len() - FINDINGS_MAX);
        }
    }
    out
}

/// `src/a.rs:7  krate::run  3 tasks`.
fn line(finding: &Finding) -> String {
    let mut text = finding.site.clone();
    if let Some(function) = &finding.function {
        text += &format!("  {}", once(function));
    }
    text += &format!("  {}", figures::survivors(finding));
    if let Some(culprit) = &finding.victim_of {
        text += &format!("  (held by what {culprit} made)");
    }
    match &finding.ignored {
        Some(entry) => text + &format!("  ignored: {entry}"),
        None => text,
    }
}

/// `krate::a_test` of `krate::a_test::a_test`: the body stands in a function of its own, below the one that libtest calls.
fn once(function: &str) -> &str {
    let outer = function.rsplit_once("::").map(|(outer, name)| (outer, name, outer.rsplit("::").next()));
    match outer {
        Some((outer, name, Some(last))) if name == last => outer,
        _ => function,
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn test(plan: &Plan) -> String {
    format!("`{}` ({}:{})", plan.name_in_crate(), plan.file, plan.line)
}

/// What could not be seen, and what would make more visible.
fn limits(in_cycles: bool) -> String {
    let mut out = String::new();
    if !in_cycles {
        out += "  not judged: heap: what is made on first use stays; add `cycles = 20`\n";
    }
    if let Some(why) = watertight_probe::heap::why_not_sites() {
        let _ = writeln!(out, "  lines are not known: {why}");
    }
    if watertight_probe::heap::mode() == watertight_probe::heap::Mode::Absent {
        let _ = writeln!(out, "  {ADD_PROBE}");
    }
    if !cfg!(target_os = "linux") {
        out += "  not measured on this platform: fds, threads\n";
    }
    let tracked = cfg!(tokio_unstable);
    if !tracked {
        out += "  flags would add: `--cfg tokio_unstable`: a ledger of tasks, each with its line, also for heap\n";
    }
    out
}

/// How much stayed behind of a test that was played once.
pub(super) fn left_behind(resource: Resource, count: u64, settle: Duration) -> String {
    let state = match resource {
        Resource::Tasks => "alive",
        Resource::Threads => "at work",
        _ => "open",
    };
    format!("{count} {state}, {} after the body ended", figures::time(settle))
}

/// How much a resource grows.
pub(super) fn growth(row: &ResourceVerdict) -> String {
    match row.outcome {
        Outcome::Leak => format!("{}: {}", figures::growth(row), row.why),
        _ => format!("may leak, {}: {}; raise `cycles`", figures::growth(row), row.why),
    }
}

/// What would have been seen of a resource that is clean; `None`: it is not, or was not measured.
pub(super) fn sensitivity(row: &ResourceVerdict) -> Option<String> {
    (row.outcome == Outcome::Clean).then(|| figures::sensitivity(row))?
}

/// What seems to have stayed behind, in words.
pub(super) fn seen(left: &Left) -> String {
    let counts = [(left.tasks, "task"), (left.fds.len() as u64, "fd"), (left.all_threads(), "thread")];
    let seen: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| counted(count, unit))
        .collect();
    seen.join(", ")
}

/// A leak that was seen among other tests, and not when the test was played alone.
pub(super) fn seen_here_only(plan: &Plan, seen: &str) -> String {
    format!(
        "watertight: leak in {}: left {seen} behind\n\n  note: played once more, alone in a process, it left nothing behind: it leaks now and then, and its lines are not known\n",
        test(plan)
    )
}

/// A suspicion that could not be ruled on.
pub(super) fn undecided(plan: &Plan, seen: &str, why: &str) -> String {
    format!(
        "watertight: undecided in {}: seems to leave behind {seen}\n\n  note: {why}\n  a test is played once more in a process of its own, to tell what is its own from what is its neighbours': it has to pass there\n",
        test(plan)
    )
}

/// The body did not end.
pub(super) fn hung(plan: &Plan) -> String {
    let within = plan.timeout.map(figures::time).unwrap_or_default();
    format!("watertight: {} did not end within {within}", test(plan))
}

/// A body that failed after so many plays that passed.
pub(super) fn fails_again(plan: &Plan, passed: usize) -> String {
    let before = counted(passed as u64, "play");
    format!(
        "watertight: {} failed after {before} that passed: in cycles a test is played again and again in one process; what can be done only once there belongs in a `OnceLock` or `LazyLock`",
        test(plan)
    )
}

/// `cycles` without anything that counts the heap.
pub(super) fn no_probe(plan: &Plan) -> String {
    let why = watertight_probe::heap::why_not_sites().unwrap_or("the heap is not counted");
    let mend = match watertight_probe::heap::mode() {
        watertight_probe::heap::Mode::Absent => ADD_PROBE,
        _ => "leave WATERTIGHT_HEAP unset",
    };
    format!("watertight: cannot judge {}: {why}\n\n  {mend}\n", test(plan))
}

/// Places shown of each resource.
const FINDINGS_MAX: usize = 5;
/// Unit tests are a test crate, too: one that has the library's name.
const ADD_PROBE: &str = "add `watertight::probe!();` once to the test crate: to a file of `tests/`; for unit tests to `src/lib.rs`, below `#[cfg(test)]`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_not_named_twice() {
        assert_eq!(once("krate::tests::it_works::it_works"), "krate::tests::it_works");
        assert_eq!(once("krate::keep"), "krate::keep");
        assert_eq!(once("main"), "main");
    }
}
