//! Markdown: for the comment under a merge request, the summary of a job, a bug report.

use std::fmt::Write;

use super::terminal::{self, Look};
use super::{CaseReport, RunReport, figures};
use crate::exit::Exit;
use crate::verdict::ResourceVerdict;

/// Characters that a comment may have on GitHub are 65,536; what is said last must fit as well.
const CHARS_MAX: usize = 60_000;

/// Rows of the table of cases.
const ROWS_MAX: usize = 100;

/// Columns of a head: nothing is cut, a code block scrolls.
const WIDTH: usize = usize::MAX;

/// The whole run: one line that sums up, the table, and a fold for each case that needs a person, the worst first.
pub fn text(report: &RunReport) -> String {
    let mut out = format!("## Watertight: {}\n\n", summary(report));
    for problem in &report.problems {
        let _ = writeln!(out, "> **Problem:** {}\n", inline(problem));
    }
    out += &table(&report.cases);
    let mut worst: Vec<&CaseReport> = report.cases.iter().filter(|case| !case.is_plain()).collect();
    worst.sort_by_key(|case| std::cmp::Reverse((case.exit != Exit::Clean, case.outcome)));
    for (told, case) in worst.iter().enumerate() {
        let block = block(case);
        if out.chars().count() + block.chars().count() > CHARS_MAX {
            let _ = writeln!(out, "\nand {} more in the JSON report", worst.len() - told);
            break;
        }
        out += &block;
    }
    out + &environment(report)
}

/// The run in one line: `1 passed, 1 failed in 1.87 s (exit 1)`.
pub(super) fn summary(report: &RunReport) -> String {
    terminal::summary(report, Look::plain(WIDTH))
}

fn table(cases: &[CaseReport]) -> String {
    if cases.is_empty() {
        return "No case was played.\n".to_owned();
    }
    let mut out = "| | case | cycles | outcome | would have seen | time |\n".to_owned();
    out += "| --- | --- | ---: | --- | --- | ---: |\n";
    for case in cases.iter().take(ROWS_MAX) {
        let cells = [
            mark(case.exit).to_owned(),
            format!("`{}`", cell(&case.test_name())),
            figures::grouped(case.counted_cycles() as u64),
            cell(&terminal::ending(case)),
            cell(&terminal::seen(case)),
            figures::time(case.wall_time),
        ];
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if cases.len() > ROWS_MAX {
        let _ = writeln!(out, "\nand {} more cases in the JSON report", cases.len() - ROWS_MAX);
    }
    out
}

/// A sign that is seen from afar; the outcome stands beside it in words.
fn mark(exit: Exit) -> &'static str {
    match exit {
        Exit::Clean => "✅",
        Exit::Leak => "❌",
        Exit::Inconclusive => "⚠️",
        Exit::Usage | Exit::Harness => "💥",
    }
}

/// Folded: the head as the terminal prints it, the figures, the notes. Open where the run failed.
fn block(case: &CaseReport) -> String {
    let open = if case.exit == Exit::Clean { "" } else { " open" };
    let (name, ending) = (html(&case.test_name()), html(&terminal::ending(case)));
    let mut out =
        format!("\n<details{open}><summary>{} <b>{name}</b>: {ending}</summary>\n\n", mark(case.exit));
    let head = terminal::head(case, Look::plain(WIDTH));
    let fence = "`".repeat(longest_run_of_backticks(&head).max(2) + 1);
    let _ = writeln!(out, "{fence}text\n{head}{fence}\n");
    out += &resources(&case.resources);
    let soaked = case.soak.iter().flat_map(|soak| soak.lines());
    for note in soaked.chain(case.notes.iter().take(NOTES_MAX).cloned()) {
        let _ = writeln!(out, "- {}", inline(&note));
    }
    out.trim_end().to_owned() + "\n\n</details>\n"
}

/// Notes of a case that are told.
const NOTES_MAX: usize = 10;

fn resources(verdicts: &[ResourceVerdict]) -> String {
    let measured: Vec<&ResourceVerdict> = verdicts.iter().filter(|verdict| verdict.measured()).collect();
    if measured.is_empty() {
        return "Nothing was measured.\n\n".to_owned();
    }
    let mut out = "| resource | at rest | peak | growth/cycle | outcome | why |\n".to_owned();
    out += "| --- | ---: | ---: | ---: | --- | --- |\n";
    for verdict in measured {
        let row = terminal::resource_row(verdict).iter().map(|text| cell(text)).collect::<Vec<_>>();
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out + "\n"
}

fn environment(report: &RunReport) -> String {
    let Some(here) = &report.environment else { return String::new() };
    let memory = figures::bytes(here.memory_bytes);
    format!(
        "\n<sub>Watertight {} ({}), {}, kernel {}, {} cores, {memory}, {}</sub>\n",
        html(&here.watertight),
        html(&here.build),
        html(&here.os),
        html(&here.kernel),
        here.cores,
        html(&here.reported_at)
    )
}

/// Text in a table: on one line, its bars escaped.
fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// Text that means nothing to Markdown, on one line.
fn inline(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '<' => "&lt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '*' | '[' | ']' | '\\' => format!("\\{c}"),
            '\n' | '\r' => " ".to_owned(),
            c => c.to_string(),
        })
        .collect();
    escaped
}

/// Text inside of HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, run};

    #[test]
    fn a_run_with_two_leaks_reads_well() {
        let cases = vec![
            fixtures::clean("flapping-network"),
            fixtures::inconclusive(),
            fixtures::task_leak(),
            fixtures::heap_leak(),
        ];
        insta::assert_snapshot!(text(&run(cases)));
    }

    #[test]
    fn an_empty_run_and_a_harness_that_failed_say_so() {
        insta::assert_snapshot!(text(&fixtures::empty()) + &text(&run(vec![fixtures::harness_failure()])));
    }

    #[test]
    fn a_comment_has_room_for_it_however_much_leaks() {
        let long = text(&run(vec![fixtures::tenants_leak(); 500]));
        assert!(long.chars().count() < 65_536, "{}", long.chars().count());
        assert!(long.contains("and 400 more cases in the JSON report"), "{long}");
        assert!(long.contains(" more in the JSON report\n\n<sub>"), "{long}");
    }

    #[test]
    fn what_a_target_says_is_text() {
        assert_eq!(cell("a|b\n*c* <d>"), "a\\|b \\*c\\* &lt;d>");
        assert_eq!(longest_run_of_backticks("a ```` b `"), 4);
    }
}
