//! Writes the matrix and the reports into the pages beside the scenarios, between marks that say so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Defect, Matrix};
use crate::report::{figures, gallery};

/// Where the matrix stands in a page.
const BEGIN: &str = "<!-- written by `watertight gallery --docs`: begin -->";
/// Where it ends.
const END: &str = "<!-- written by `watertight gallery --docs`: end -->";

/// The block of a defect's page that holds its report.
const REPORT_BEGIN: &str = "```text\n";
const REPORT_END: &str = "```\n";

/// Why the docs could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocsError {
    /// A page is not there, or cannot be read or written.
    #[error("{}: {source}: the gallery's docs are a README.md and a page for each defect beside its scenario", path.display())]
    Page {
        /// The page.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A page has no place for what is to be written.
    #[error("{}: expected {what}, found none: put them where the {subject} is to stand", path.display())]
    NoPlace {
        /// The page.
        path: PathBuf,
        /// The marks that were looked for.
        what: &'static str,
        /// What would stand between them.
        subject: &'static str,
    },
}

/// Writes the matrix into `folder/README.md`, and the head of each defect's report into its page, `folder/SCENARIO.md`.
///
/// The report is that of the first engine played: in sim the same in every run.
pub fn write(matrix: &Matrix, folder: &Path) -> Result<(), DocsError> {
    let readme = folder.join("README.md");
    let text = between(&read(&readme)?, BEGIN, END, &format!("\n\n{}\n", table(matrix)));
    let text = text.ok_or(DocsError::NoPlace {
        path: readme.clone(),
        what: "the two marks `written by`",
        subject: "matrix",
    })?;
    save(&readme, &text)?;
    let first = matrix.engines().first().copied();
    for defect in matrix.defects.iter().filter(|defect| Some(defect.engine) == first) {
        write_page(&folder.join(format!("{}.md", defect.scenario)), defect)?;
    }
    Ok(())
}

fn write_page(path: &Path, defect: &Defect) -> Result<(), DocsError> {
    let text = between(&read(path)?, REPORT_BEGIN, REPORT_END, &repeatable(&defect.head));
    let text =
        text.ok_or(DocsError::NoPlace { path: path.to_owned(), what: "a block ```text", subject: "report" })?;
    save(path, &text)
}

/// The report without what another run has elsewhere: files of its own.
fn repeatable(head: &str) -> String {
    head.lines()
        .filter(|line| !line.trim_start().starts_with("file /"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// `text` with `new` in the place of what stands between the first `begin` and the `end` after it.
fn between(text: &str, begin: &str, end: &str, new: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{new}{end}{after}"))
}

fn read(path: &Path) -> Result<String, DocsError> {
    fs::read_to_string(path).map_err(|source| DocsError::Page { path: path.to_owned(), source })
}

fn save(path: &Path, text: &str) -> Result<(), DocsError> {
    fs::write(path, text).map_err(|source| DocsError::Page { path: path.to_owned(), source })
}

/// A row per defect, a column per engine, and what each engine came to.
fn table(matrix: &Matrix) -> String {
    let engines = matrix.engines();
    let mut by_scenario: BTreeMap<&str, BTreeMap<&str, &Defect>> = BTreeMap::new();
    for defect in &matrix.defects {
        by_scenario.entry(&defect.scenario).or_default().insert(defect.engine.name(), defect);
    }
    let mut out = "| defect | declared |".to_owned();
    out.extend(engines.iter().map(|engine| format!(" {}: found after |", engine.name())));
    out += "\n| --- | --- |";
    out += &" --- |".repeat(engines.len());
    for (scenario, rows) in by_scenario {
        let declared = rows.values().next().map_or("", |defect| &defect.declared);
        // Writing to a String cannot fail.
        let _ = write!(out, "\n| [{scenario}]({scenario}.md) | {declared} |");
        for engine in &engines {
            let _ = write!(
                out,
                " {} |",
                rows.get(engine.name()).map_or_else(|| "not played".to_owned(), |row| cell(row))
            );
        }
    }
    out += "\n";
    for engine in engines {
        let _ = write!(out, "\n- {}", gallery::summary(matrix, engine));
    }
    out
}

fn cell(defect: &Defect) -> String {
    match (defect.is_as_declared(), defect.cycles, defect.after) {
        (true, Some(cycles), Some(after)) => format!("{cycles} cycles, {}", figures::time(after)),
        (true, ..) => figures::outcome(defect.outcome).to_owned(),
        (false, ..) if defect.found => {
            let wrong = if defect.resource { "line" } else { "resource" };
            format!("**another {wrong}**")
        }
        _ => format!("**missed**: {}", figures::outcome(defect.outcome)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nrest\n");
        let again = between(&page, BEGIN, END, "\nnew\n").expect("it has the marks");
        assert_eq!(again, format!("# Title\n{BEGIN}\nnew\n{END}\nrest\n"));
        assert_eq!(between("no marks", BEGIN, END, "new"), None);
    }

    #[test]
    fn a_page_does_not_name_files_that_another_run_has_elsewhere() {
        let head =
            "LEAK\n  at      dump.rs:54\n          file /tmp/x/guardian.part (deleted)\n  why     floors\n";
        assert_eq!(repeatable(head), "LEAK\n  at      dump.rs:54\n  why     floors\n");
    }
}
