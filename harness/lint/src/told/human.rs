//! For people: the line, what is wrong with it, why, and what to do.

use std::fmt::Write as _;
use std::fs;

use crate::conclude::{Finding, Note};
use crate::run::Report;

/// Characters of a line that are shown.
const LINE_MAX: usize = 160;

/// All of `report`.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut shown = Shown::default();
    for found in &report.findings {
        text += &finding(found, &mut shown);
    }
    for problem in &report.problems {
        let _ = writeln!(text, "not analysed: {problem}");
    }
    text + &summary(report)
}

fn summary(report: &Report) -> String {
    let (found, problems) = (report.findings.len(), report.problems.len());
    let said = match (found, problems) {
        (0, 0) => "nothing found".to_owned(),
        (0, _) => "inconclusive: nothing found in what could be read".to_owned(),
        (1, _) => "1 finding".to_owned(),
        _ => format!("{found} findings"),
    };
    let left_out = if problems == 0 { String::new() } else { format!("; {problems} not analysed") };
    let unchanged =
        if report.unchanged == 0 { String::new() } else { format!(" ({} unchanged)", report.unchanged) };
    format!("{said} in {} files{unchanged}, {} lines{left_out}\n", report.files, report.lines)
}

fn finding(found: &Finding, shown: &mut Shown) -> String {
    let mut text = format!("{}[{}]: {}\n", found.confidence.name(), found.rule, found.message);
    let place = format!("{}:{}:{}", found.file.display(), found.at.line, found.at.column);
    let width = found.at.line.to_string().len();
    let _ = writeln!(text, "{:width$}--> {place}", "");
    let _ = writeln!(text, "{:width$} |", "");
    text += &shown.line(found, found.at.line, found.at.column, underline(found));
    for Note { at, text: said } in &found.notes {
        let _ = writeln!(text, "{:width$} = line {}: {said}", "", at.line);
    }
    let _ = writeln!(text, "{:width$} = why: {}", "", found.why);
    let _ = writeln!(text, "{:width$} = do: {}", "", found.hint);
    let _ = writeln!(text, "{:width$} = more: `watertight explain {}`", "", found.rule);
    let _ =
        writeln!(text, "{:width$} = played by: `watertight new NAME --template {}`\n", "", found.scenario);
    text
}

/// How many characters are marked: those of the first line.
fn underline(found: &Finding) -> usize {
    let is_one_line = found.at.line == found.at.end_line;
    let width = if is_one_line { found.at.end_column.saturating_sub(found.at.column) } else { u32::MAX };
    usize::try_from(width.max(1)).unwrap_or(1)
}

/// The file that was last shown: findings of a file follow each other.
#[derive(Default)]
struct Shown {
    file: std::path::PathBuf,
    text: String,
}

impl Shown {
    fn line(&mut self, found: &Finding, number: u32, column: u32, width: usize) -> String {
        if self.file != found.file {
            self.text = fs::read_to_string(&found.file).unwrap_or_default();
            self.file.clone_from(&found.file);
        }
        let at = |n: u32| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(line) = self.text.lines().nth(at(number)) else { return String::new() };
        let line: String =
            line.chars().take(LINE_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let margin = number.to_string().len();
        let skipped = at(column).min(line.chars().count());
        let marks = "^".repeat(width.min(line.chars().count() - skipped).max(1));
        format!("{number} | {line}\n{:margin$} | {:skipped$}{marks}\n", "", "")
    }
}
