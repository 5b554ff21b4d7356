//! The final text of a run: one row a case, and a block for each that needs a person.
//!
//! Made for two in the morning: the outcome comes first, the command that repeats it last, and nothing between is
//! there for completeness.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{CaseReport, Expected, RunReport, figures};
use crate::exit::Exit;
use crate::explain::{Finding, is_own};
use crate::verdict::{Outcome, ResourceVerdict};

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; longer lines are cut, with an ellipsis, except those to be copied.
    pub width: usize,
    /// Whether escape codes for colour are written.
    pub color: bool,
    /// Whether whole call stacks are shown, or the first frames of the user's own code.
    pub stacks: bool,
}

impl Look {
    /// Without colour.
    pub const fn plain(width: usize) -> Self {
        Self { width, color: false, stacks: false }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// `line` in the width there is.
    fn fit(self, line: &str) -> String {
        if line.chars().count() <= self.width.max(NARROWEST) {
            return line.to_owned();
        }
        let kept: String = line.chars().take(self.width.max(NARROWEST) - 1).collect();
        kept + "…"
    }
}

/// Below this nothing is cut any further: a table has to have room for its figures.
const NARROWEST: usize = 60;
/// Findings and notes shown in a block; the JSON report has them all.
const FINDINGS_MAX: usize = 5;
const FRAMES_MAX: usize = 4;

/// The final text of a whole run: blocks, then the table, then one line that sums up.
pub fn text(report: &RunReport, look: Look) -> String {
    let mut out = String::new();
    for case in report.cases.iter().filter(|case| !case.is_plain()) {
        out += &block(case, look);
        out.push('\n');
    }
    if report.cases.len() > 1 || report.cases.iter().any(CaseReport::is_plain) {
        out += &table(&report.cases, look);
        out.push('\n');
    }
    for case in report.cases.iter().filter(|case| case.is_plain()) {
        for note in case.notes.iter().cloned().chain(case.soak.iter().flat_map(|soak| soak.lines())) {
            let _ = writeln!(out, "note: {}: {note}", case.test_name());
        }
    }
    for problem in &report.problems {
        let _ = writeln!(out, "{} {problem}", look.paint(warning(), "problem:"));
    }
    out + &summary(report, look) + "\n"
}

/// One row a case.
pub fn table(cases: &[CaseReport], look: Look) -> String {
    let head = ["scenario", "engine", "cycles", "outcome", "would have seen", "time"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(cases.iter().map(row));
    let styles = cases.iter().map(|case| style(case.exit)).collect::<Vec<_>>();
    lay_out(&rows, &[2, 5], look, |row, column| match (row, column) {
        (0, _) => faint(),
        (row, 3) => styles[row - 1],
        _ => Style::new(),
    })
}

fn row(case: &CaseReport) -> Vec<String> {
    let name = match case.case.as_str() {
        "" => case.scenario.clone(),
        matrix => format!("{} {matrix}", case.scenario),
    };
    let time = figures::time(case.wall_time);
    let cycles = figures::grouped(case.counted_cycles() as u64);
    vec![name, case.engine.name().to_owned(), cycles, ending(case), seen(case), time]
}

/// The outcome, and what was expected where that matters.
pub(super) fn ending(case: &CaseReport) -> String {
    let outcome = figures::outcome(case.outcome);
    let is_good = Exit::from(case.outcome) == Exit::Clean;
    match &case.expected {
        Some(expected) if expected.met && (!is_good || is_declared(case.outcome, expected)) => {
            format!("{outcome}, as expected")
        }
        Some(expected) if !expected.met && is_good => format!("{outcome}, unexpected"),
        _ => outcome.to_owned(),
    }
}

/// Whether the scenario declares this outcome: one that is no failure, and not what every scenario hopes for.
fn is_declared(outcome: Outcome, expected: &Expected) -> bool {
    outcome != Outcome::Clean && expected.what == figures::outcome(outcome)
}

/// The sensitivities that fit a table: tasks, fds and heap blocks.
pub(super) fn seen(case: &CaseReport) -> String {
    let seen = figures::sensitivities(&case.resources);
    if seen.is_empty() { "-".to_owned() } else { seen }
}

/// Everything a person needs to know about one case: what, where, why and how to see it again; then the rest.
pub fn block(case: &CaseReport, look: Look) -> String {
    let mut out = head(case, look);
    out.push('\n');
    out += &indent(&resources(&case.resources, look));
    out += &other_findings(&case.findings, look);
    let failed = case.audit.iter().filter(|audit| !audit.holds()).map(figures::failed_audit);
    for audit in failed.filter(|audit| *audit != case.headline) {
        let _ = writeln!(out, "  {} {audit}", look.paint(warning(), "control failed:"));
    }
    for note in case.notes.iter().filter(|note| !is_said(case, note)) {
        let _ = writeln!(out, "  note: {}", note.replace('\n', "\n    "));
    }
    for line in case.soak.iter().flat_map(|soak| soak.lines()) {
        let _ = writeln!(out, "  {}", look.fit(&line));
    }
    let length = format!("{} of {}", figures::time(case.scenario_time), case.target);
    let played = format!("played {length} in {}", figures::time(case.wall_time));
    let _ = writeln!(out, "  {}", look.paint(faint(), &played));
    out
}

/// The outcome, what it is, where, why it is believed, and the command that shows it again.
pub fn head(case: &CaseReport, look: Look) -> String {
    let word = look.paint(style(case.exit).bold(), &ending(case).to_uppercase());
    let mut out = format!("{word}  {}\n", case.test_name());
    let culprit = case.findings.first();
    let left =
        culprit.map_or_else(String::new, |first| format!("; {} left behind", figures::survivors(first)));
    out += &indent(&format!("{}{left}", case.headline));
    if let Some(first) = culprit {
        let site = look.paint(Style::new().bold(), &first.site);
        let _ = writeln!(out, "  at      {site}{}{}", function(first, look), figures::tenancy(first));
        out += &stack(first, look);
    }
    if let Some(reason) = reason(case) {
        let _ = writeln!(out, "  why     {reason}");
    }
    if let Some(first) = culprit {
        let _ = writeln!(out, "  id      {}", first.fingerprint());
    }
    if let Some(wanted) = wanted(case) {
        let _ = writeln!(out, "  wanted  {wanted}");
    }
    let _ = writeln!(out, "  replay  {}", look.paint(Style::new().bold(), &case.replay));
    out
}

/// What the scenario expects, where that did not come true.
pub(super) fn wanted(case: &CaseReport) -> Option<&str> {
    case.expected.as_ref().filter(|expected| !expected.met).map(|expected| expected.what.as_str())
}

/// ` in module::function`, where there is room for it beside the site.
fn function(finding: &Finding, look: Look) -> String {
    let named = finding.function.as_ref().map(|function| format!(" in {function}")).unwrap_or_default();
    let length = LABEL_WIDTH + finding.site.chars().count() + named.chars().count();
    if length <= look.width { named } else { String::new() }
}

/// Columns before what stands beside a label.
const LABEL_WIDTH: usize = 10;

/// Why the outcome is believed, where the headline does not say it: the figures, and what was checked about the run.
pub(super) fn reason(case: &CaseReport) -> Option<String> {
    let judged = case.resources.iter().filter(|verdict| verdict.measured());
    let worst = judged.min_by_key(|verdict| std::cmp::Reverse(verdict.outcome))?;
    let is_said = case.outcome == Outcome::Clean || case.headline.ends_with(&worst.why);
    if worst.outcome != case.outcome || is_said {
        return None;
    }
    let mut said = vec![worst.why.clone()];
    said.extend(rest(case));
    said.extend(controls(case));
    Some(said.join("; "))
}

fn rest(case: &CaseReport) -> Option<String> {
    let counted = case.timeline.cycles.get(case.timeline.warm_up..)?;
    let all_settled = counted.iter().all(|record| record.settled_after.is_some());
    all_settled.then(|| format!("at rest in all {} cycles", figures::grouped(counted.len() as u64)))
}

fn controls(case: &CaseReport) -> Option<String> {
    let all_hold = case.audit.iter().all(|audit| audit.holds());
    let count = case.audit.len();
    (all_hold && count > 0).then(|| format!("{count} of {count} controls passed"))
}

/// Failed controls have lines of their own, and the table says why of each resource.
fn is_said(case: &CaseReport, note: &str) -> bool {
    case.audit.iter().any(|audit| !audit.holds() && figures::failed_audit(audit) == note)
        || case.resources.iter().any(|verdict| note == format!("{}: {}", verdict.resource, verdict.why))
}

/// A row for each resource that was measured, and one line for those that were not.
fn resources(verdicts: &[ResourceVerdict], look: Look) -> String {
    let measured: Vec<&ResourceVerdict> = verdicts.iter().filter(|verdict| verdict.measured()).collect();
    if measured.is_empty() {
        return format!("{}\n", look.paint(faint(), "nothing was measured"));
    }
    let mut rows =
        vec![["", "at rest", "peak", "growth/cycle", "outcome", "why"].map(str::to_owned).to_vec()];
    rows.extend(measured.iter().map(|verdict| resource_row(verdict)));
    let narrow = Look { width: look.width.max(NARROWEST) - INDENT.len(), ..look };
    let mut out = lay_out(&rows, &[1, 2, 3], narrow, |row, column| match (row, column) {
        (0, _) => faint(),
        (row, 4) => style(Exit::from(measured[row - 1].outcome)),
        _ => Style::new(),
    });
    let missing: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| !verdict.measured())
        .map(|verdict| verdict.resource.name())
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "{}", look.paint(faint(), &format!("not measured: {}", missing.join(", "))));
    }
    out
}

pub(super) fn resource_row(verdict: &ResourceVerdict) -> Vec<String> {
    let resource = verdict.resource;
    let at_rest = match (verdict.at_rest_bytes, verdict.at_rest) {
        (Some(bytes), _) => figures::bytes(bytes),
        (None, count) => figures::grouped(count.unwrap_or_default()),
    };
    let peak = verdict.peak.map_or_else(|| "-".to_owned(), |peak| figures::amount(resource, peak));
    let outcome = figures::outcome(verdict.outcome).to_owned();
    vec![
        resource.name().to_owned(),
        at_rest,
        peak,
        figures::growth_in_short(verdict),
        outcome,
        verdict.why.clone(),
    ]
}

/// What else stayed behind: victims in one line each. The first finding heads the block.
fn other_findings(all: &[Finding], look: Look) -> String {
    let mut out = String::new();
    for finding in all.iter().take(FINDINGS_MAX).skip(1) {
        let held =
            format!("{} at {}{}", figures::survivors(finding), finding.site, figures::tenancy(finding));
        match &finding.victim_of {
            Some(culprit) => {
                let culprit = culprit.rsplit('/').next().unwrap_or(culprit);
                let line = format!("  + {held}, explained by {culprit}");
                let _ = writeln!(out, "{}", look.paint(faint(), &look.fit(&line)));
            }
            None => {
                let said = if finding.ignored.is_some() { "ignored:" } else { "also left behind:" };
                let _ = writeln!(out, "  {} {held}", look.paint(warning(), said));
                out += &stack(finding, look);
            }
        }
    }
    if all.len() > FINDINGS_MAX {
        let _ = writeln!(out, "  and {} more sites in the JSON report", all.len() - FINDINGS_MAX);
    }
    out
}

/// The frames around the site: those of the user's own code, or the first ones if there are none.
fn stack(finding: &Finding, look: Look) -> String {
    let around = || finding.stack.iter().filter(|frame| look.stacks || !frame.contains(&finding.site));
    let own: Vec<&String> = around().filter(|frame| look.stacks || is_own(frame)).collect();
    let frames: Vec<&String> = if own.is_empty() { around().collect() } else { own };
    // Futures within futures show the same line again and again.
    let mut seen = BTreeSet::new();
    let frames = frames.into_iter().filter(|frame| look.stacks || seen.insert(*frame));
    let mut out = String::new();
    for frame in frames.take(if look.stacks { usize::MAX } else { FRAMES_MAX }) {
        let _ = writeln!(out, "{}", look.paint(faint(), &look.fit(&format!("          {frame}"))));
    }
    out
}

/// The whole run in one line: how many cases passed, how long it took, the exit code.
pub(super) fn summary(report: &RunReport, look: Look) -> String {
    let count = |exit| report.cases.iter().filter(|case| case.exit == exit).count();
    let of = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
    let failed = report.cases.len() - count(Exit::Clean);
    let parts: Vec<String> = [
        of(count(Exit::Clean), "passed"),
        of(count(Exit::Leak), "failed"),
        of(failed - count(Exit::Leak), "without a result"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let said = if parts.is_empty() { "no cases".to_owned() } else { parts.join(", ") };
    let time = figures::time(report.wall_time);
    format!("{} in {time} (exit {})", look.paint(style(report.exit).bold(), &said), report.exit as u8)
}

const INDENT: &str = "  ";

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("{INDENT}{line}\n")).collect()
}

/// Columns as wide as their widest cell, two spaces apart; `right` lists those with figures. The last text column is
/// cut when the terminal is too narrow.
pub(crate) fn lay_out(
    rows: &[Vec<String>],
    right: &[usize],
    look: Look,
    style: impl Fn(usize, usize) -> Style,
) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(width).collect();
    // The widest column, which is text, pays for a narrow terminal.
    let too_much = (widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1))
        .saturating_sub(look.width.max(NARROWEST));
    if let Some(widest) = widths.iter_mut().max() {
        *widest = widest.saturating_sub(too_much).max(8);
    }
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<String> = (0..columns)
            .map(|column| {
                let cell = cut(&row[column], widths[column]);
                let room = " ".repeat(widths[column] - cell.chars().count());
                let painted = look.paint(style(i, column), &cell);
                match right.contains(&column) {
                    true => room + &painted,
                    false if column + 1 == columns => painted,
                    false => painted + &room,
                }
            })
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}

fn cut(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.to_owned(),
        false => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

pub(crate) fn style(exit: Exit) -> Style {
    let color = match exit {
        Exit::Clean => AnsiColor::Green,
        Exit::Inconclusive => AnsiColor::Yellow,
        Exit::Leak | Exit::Usage | Exit::Harness => AnsiColor::Red,
    };
    color.on_default()
}

fn warning() -> Style {
    AnsiColor::Yellow.on_default()
}

pub(crate) fn faint() -> Style {
    Style::new().dimmed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, run};

    fn plain(cases: Vec<CaseReport>) -> String {
        text(&run(cases), Look::plain(110))
    }

    #[test]
    fn all_clean() {
        insta::assert_snapshot!(plain(vec![
            fixtures::clean("flapping-network"),
            fixtures::clean_in("reconnect-storm", "plcs=1"),
            fixtures::clean_in("reconnect-storm", "plcs=50"),
            fixtures::stepped(),
        ]));
    }

    #[test]
    fn a_task_leak() {
        insta::assert_snapshot!(plain(vec![fixtures::clean("flapping-network"), fixtures::task_leak()]));
    }

    #[test]
    fn a_heap_leak() {
        insta::assert_snapshot!(plain(vec![fixtures::heap_leak()]));
    }

    #[test]
    fn a_leak_of_one_tenant() {
        insta::assert_snapshot!(plain(vec![fixtures::tenants_leak()]));
    }

    #[test]
    fn an_invalid_run() {
        insta::assert_snapshot!(plain(vec![fixtures::invalid()]));
    }

    #[test]
    fn an_inconclusive_run() {
        insta::assert_snapshot!(plain(vec![fixtures::inconclusive()]));
    }

    #[test]
    fn a_broken_budget() {
        insta::assert_snapshot!(plain(vec![fixtures::over_budget()]));
    }

    #[test]
    fn a_declared_leak_that_is_found() {
        let leak = "leak of tasks at heartbeat_outlives_connection.rs";
        insta::assert_snapshot!(plain(vec![fixtures::expecting(fixtures::task_leak(), leak, true)]));
    }

    #[test]
    fn a_declared_leak_that_is_not_found() {
        let leak = "leak of tasks at heartbeat_outlives_connection.rs";
        insta::assert_snapshot!(plain(vec![fixtures::expecting(fixtures::clean("heartbeat"), leak, false)]));
    }

    #[test]
    fn an_outcome_that_was_declared_is_said_to_be_expected_and_one_that_was_not_is_not() {
        let retained = |what: &str, met| {
            let mut case = fixtures::expecting(fixtures::clean("fragmented"), what, met);
            case.outcome = Outcome::Retained;
            ending(&case)
        };
        assert_eq!(retained("retained", true), "retained, as expected");
        assert_eq!(retained("clean", true), "retained");
        assert_eq!(retained("saturating", false), "retained, unexpected");
    }

    #[test]
    fn tables_fit_the_terminal_and_colour_changes_nothing_but_colour() {
        let report = run(vec![fixtures::task_leak(), fixtures::clean("flapping-network")]);
        let narrow = text(&report, Look::plain(80));
        let rows = narrow.lines().filter(|line| line.starts_with("  tasks") || line.contains("  sim  "));
        assert!(rows.clone().count() >= 3, "{narrow}");
        assert!(rows.clone().all(|line| line.chars().count() <= 80), "{narrow}");
        let colored = text(&report, Look { width: 80, color: true, stacks: false });
        assert!(colored.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), narrow);
    }
}
