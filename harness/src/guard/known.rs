//! Leaks that are known and put up with: of one test, and of a whole package in `watertight-ignore.toml`.
//!
//! ```toml
//! [[ignore]]
//! site = "src/pool.rs"          # part of a file, a function or a line of the call stack
//! reason = "goes with the new pool"
//! until = "2027-01-31"          # the last day; may be left out
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::report::{self, Report};
use super::ruling::Ruling;
use crate::explain::{Finding, rank};
use crate::units::Day;

/// One leak that is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) site: String,
    pub(super) reason: String,
    pub(super) until: Option<Until>,
}

/// The last day on which it is ignored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Until {
    Day(Day),
    /// What is written there is no day: it ignores nothing.
    Unreadable(String),
}

impl Known {
    pub(super) fn new(site: &str, reason: &str, until: Option<&str>) -> Self {
        let day = |text: &str| text.parse().map_or_else(|_| Until::Unreadable(text.to_owned()), Until::Day);
        Self { site: site.to_owned(), reason: reason.to_owned(), until: until.map(day) }
    }

    /// Whether it still ignores on the day `today`.
    pub(super) fn holds_on(&self, today: Day) -> bool {
        match &self.until {
            None => true,
            Some(Until::Day(last)) => today <= *last,
            Some(Until::Unreadable(_)) => false,
        }
    }

    /// Whether it names `finding`.
    pub(super) fn names(&self, finding: &Finding) -> bool {
        finding.names(&self.site)
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.site, self.reason)?;
        match &self.until {
            None => Ok(()),
            Some(Until::Day(day)) => write!(f, ", until {day}"),
            Some(Until::Unreadable(text)) => write!(f, ", until `{text}`, which is no day"),
        }
    }
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: expected {expected}, found `{found}`", path.display())]
pub(super) struct ListError {
    path: PathBuf,
    line: usize,
    expected: &'static str,
    found: String,
}

/// Rules on what stayed behind: a resource is put up with if all that was found of it is.
pub(super) fn excuse(plan: &Plan, mut report: Report) -> Ruling {
    report.findings = rank(std::mem::take(&mut report.findings));
    let entries = match of_package() {
        Ok(listed) => plan.known.iter().cloned().chain(listed).collect(),
        Err(error) => {
            report.notes.push(error.to_string());
            plan.known.clone()
        }
    };
    let notes = mark(&mut report.findings, &entries, Day::today());
    report.notes.extend(notes);
    let is_excused = |row: &report::Row| {
        let mut of_it = report.findings.iter().filter(|finding| finding.resource == row.resource).peekable();
        of_it.peek().is_some() && of_it.all(|finding| finding.ignored.is_some())
    };
    if report.rows.iter().all(is_excused) {
        Ruling::Excused
    } else {
        Ruling::Leaks(report::text(plan, &report))
    }
}

/// Marks what `entries` name, and what it explains; says which entries would have, were they not over.
pub(super) fn mark(findings: &mut [Finding], entries: &[Known], today: Day) -> Vec<String> {
    let mut notes = Vec::new();
    for entry in entries {
        let named = findings.iter_mut().filter(|finding| entry.names(finding));
        if entry.holds_on(today) {
            named.for_each(|finding| finding.ignored = Some(entry.to_string()));
        } else if named.count() > 0 {
            notes.push(format!("no longer ignored: {entry}"));
        }
    }
    let excused: Vec<String> = findings
        .iter()
        .filter(|finding| finding.ignored.is_some())
        .map(|finding| finding.site.clone())
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.ignored.is_none()) {
        finding.ignored = finding.victim_of.clone().filter(|culprit| excused.contains(culprit));
    }
    notes
}

/// The entries of the package whose tests run; none where there is no list.
pub(super) fn of_package() -> Result<Vec<Known>, ListError> {
    let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return Ok(Vec::new()) };
    let path = Path::new(&folder).join("watertight-ignore.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(_) => Ok(Vec::new()),
    }
}

/// Reads a list: tables `[[ignore]]` of texts, and comments. That much of TOML, and no more.
fn parse(path: &Path, text: &str) -> Result<Vec<Known>, ListError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let wrong = |expected| ListError {
            path: path.to_owned(),
            line: at + 1,
            expected,
            found: line.trim().to_owned(),
        };
        match line.trim() {
            "" => {}
            comment if comment.starts_with('#') => {}
            "[[ignore]]" if entries.len() < ENTRIES_MAX => {
                entries.push(Entry { line: at + 1, ..Entry::default() })
            }
            "[[ignore]]" => return Err(wrong("at most a thousand entries")),
            pair => {
                let entry = entries.last_mut().ok_or_else(|| wrong("`[[ignore]]` before its keys"))?;
                let (key, value) = text_of(pair).ok_or_else(|| wrong("`key = \"text\"`"))?;
                *entry.part(key).ok_or_else(|| wrong("`site`, `reason` or `until`"))? = value.to_owned();
            }
        }
    }
    entries.into_iter().map(|entry| entry.known(path)).collect()
}

/// `key = "text"`, and perhaps a comment.
fn text_of(pair: &str) -> Option<(&str, &str)> {
    let (key, rest) = pair.split_once('=')?;
    let (value, after) = rest.trim().strip_prefix('"')?.split_once('"')?;
    let after = after.trim();
    (after.is_empty() || after.starts_with('#')).then_some((key.trim(), value))
}

/// An entry while it is read; a text that is empty was not given.
#[derive(Default)]
struct Entry {
    line: usize,
    site: String,
    reason: String,
    until: String,
}

impl Entry {
    fn part(&mut self, key: &str) -> Option<&mut String> {
        match key {
            "site" => Some(&mut self.site),
            "reason" => Some(&mut self.reason),
            "until" => Some(&mut self.until),
            _ => None,
        }
    }

    fn known(self, path: &Path) -> Result<Known, ListError> {
        let wrong = |expected, found: &str| {
            Err(ListError { path: path.to_owned(), line: self.line, expected, found: found.to_owned() })
        };
        if self.site.is_empty() || self.reason.is_empty() {
            return wrong("a `site` and a `reason`", "[[ignore]]");
        }
        let known =
            Known::new(&self.site, &self.reason, Some(&*self.until).filter(|until| !until.is_empty()));
        match &known.until {
            Some(Until::Unreadable(text)) => wrong("a day such as `2027-01-31`", text),
            _ => Ok(known),
        }
    }
}

/// Who needs more has stopped looking.
const ENTRIES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Known>, String> {
        parse(Path::new("list.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_has_a_site_a_reason_and_perhaps_a_last_day() {
        let text = "# known\n[[ignore]]\nsite = \"src/pool.rs\" # all of it\nreason = \"old\"\nuntil = \"2027-01-31\"\n\n[[ignore]]\nsite = \"a\"\nreason = \"b\"\n";
        let read = read(text).unwrap();
        assert_eq!(read, [Known::new("src/pool.rs", "old", Some("2027-01-31")), Known::new("a", "b", None)]);
        assert!(read[0].holds_on("2027-01-31".parse().unwrap()), "its last day included");
        assert!(!read[0].holds_on("2027-02-01".parse().unwrap()));
        assert_eq!(read[0].to_string(), "src/pool.rs (old), until 2027-01-31");
    }

    #[test]
    fn a_list_that_is_wrong_says_where_and_what_it_should_be() {
        for (text, error) in [
            ("site = \"a\"", "list.toml:1: expected `[[ignore]]` before its keys, found `site = \"a\"`"),
            ("[[ignore]]\nsite = a", "list.toml:2: expected `key = \"text\"`, found `site = a`"),
            (
                "[[ignore]]\nwhy = \"a\"",
                "list.toml:2: expected `site`, `reason` or `until`, found `why = \"a\"`",
            ),
            (
                "\n[[ignore]]\nsite = \"a\"",
                "list.toml:2: expected a `site` and a `reason`, found `[[ignore]]`",
            ),
            (
                "[[ignore]]\nsite = \"a\"\nreason = \"b\"\nuntil = \"2026-02-30\"",
                "list.toml:1: expected a day such as `2027-01-31`, found `2026-02-30`",
            ),
        ] {
            assert_eq!(read(text), Err(error.to_owned()), "{text}");
        }
    }
}
