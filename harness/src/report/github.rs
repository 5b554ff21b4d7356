//! GitHub: annotations on the lines that leak, as workflow commands on standard output.
//!
//! The job summary is the Markdown report.

use super::place::Place;
use super::{CaseReport, RunReport, figures, terminal};
use crate::exit::Exit;

/// Annotations of each level that GitHub shows for one step; it drops what comes later.
const ANNOTATIONS_MAX: usize = 10;

/// How much an annotation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Annotation {
    level: Level,
    file: Option<String>,
    line: u64,
    title: String,
    message: String,
}

/// The annotations of a run, one a line, errors first and the worst of them before all others; empty for a good run.
pub fn annotations(report: &RunReport) -> String {
    let mut all: Vec<Annotation> = ranked(&report.cases).flat_map(of_case).collect();
    all.extend(of_run(report));
    let of_level = |level| all.iter().filter(move |found| found.level == level).take(ANNOTATIONS_MAX);
    of_level(Level::Error).chain(of_level(Level::Warning)).map(Annotation::command).collect()
}

/// Those that did not end well, the worst first.
fn ranked(cases: &[CaseReport]) -> impl Iterator<Item = &CaseReport> {
    let mut failed: Vec<&CaseReport> = cases.iter().filter(|case| case.exit != Exit::Clean).collect();
    failed.sort_by_key(|case| std::cmp::Reverse((level(case.exit) == Level::Error, case.outcome)));
    failed.into_iter()
}

/// What says nothing about the target is a warning: it is worth a retry, not a bisection.
fn level(exit: Exit) -> Level {
    match exit {
        Exit::Leak | Exit::Usage | Exit::Harness => Level::Error,
        Exit::Clean | Exit::Inconclusive => Level::Warning,
    }
}

/// One annotation a culprit, at its line; a case without one is annotated at its scenario.
fn of_case(case: &CaseReport) -> Vec<Annotation> {
    let title = format!("{}: {}", terminal::ending(case), case.test_name());
    let (level, wanted) = (level(case.exit), terminal::wanted(case));
    let wanted = wanted.map_or(String::new(), |wanted| format!("\nwanted: {wanted}"));
    let says = |what: &str| format!("{what}{wanted}\nreplay: {}", case.replay);
    let culprits = case.findings.iter().filter(|found| found.victim_of.is_none() && found.ignored.is_none());
    let at_lines: Vec<Annotation> = culprits
        .filter_map(|found| {
            let place = Place::of(&found.site).filter(|place| place.own)?;
            let left = format!("{} left behind{}", figures::survivors(found), figures::tenancy(found));
            let message = says(&format!("{}\n{left}\nid: {}", case.headline, found.fingerprint()));
            let file = Some(place.file.to_owned());
            Some(Annotation { level, file, line: place.line, title: title.clone(), message })
        })
        .collect();
    if !at_lines.is_empty() {
        return at_lines;
    }
    let file = Some(case.file.to_string_lossy().into_owned());
    vec![Annotation { level, file, line: 1, title, message: says(&case.headline) }]
}

/// What is true of the whole run.
fn of_run(report: &RunReport) -> Vec<Annotation> {
    let level = level(report.exit);
    let about = |title: &str, message: String| Annotation {
        level,
        file: None,
        line: 1,
        title: title.to_owned(),
        message,
    };
    if report.problems.is_empty() && report.cases.is_empty() {
        return vec![about("no result", "no case was played".to_owned())];
    }
    let problems = report.problems.iter();
    problems.map(|problem| about("this run says less than was asked for", problem.clone())).collect()
}

impl Annotation {
    /// `::error file=..,line=..,title=..::message`.
    fn command(&self) -> String {
        let word = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = self.file.as_ref().map(|file| format!("file={},line={},", property(file), self.line));
        let place = place.unwrap_or_default();
        format!("::{word} {place}title={}::{}\n", property(&self.title), data(&self.message))
    }
}

/// The message of a command: on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, run};

    #[test]
    fn the_worst_comes_first_and_what_ended_well_is_not_mentioned() {
        insta::assert_snapshot!(annotations(&run(fixtures::every_case())));
        assert_eq!(annotations(&run(vec![fixtures::clean("flapping-network")])), "");
    }

    #[test]
    fn an_empty_run_says_so() {
        let said = "::warning title=this run says less than was asked for::sim%3A%3Aflapping-network";
        assert!(annotations(&fixtures::empty()).starts_with(&said.replace("%3A", ":")));
        let silent = RunReport { problems: vec![], ..fixtures::empty() };
        assert_eq!(annotations(&silent), "::warning title=no result::no case was played\n");
    }

    #[test]
    fn ten_of_each_level_and_every_sign_that_means_something_is_escaped() {
        let mut case = fixtures::task_leak();
        case.headline = "100% sure\r\nof it: a, b".to_owned();
        case.case = "plcs=1,2".to_owned();
        let text = annotations(&run(vec![case; 12]));
        assert_eq!(text.lines().filter(|line| line.starts_with("::error ")).count(), 10);
        assert_eq!(text.lines().count(), 10);
        assert!(text.contains("100%25 sure%0D%0Aof it: a, b%0A"), "{text}");
        assert!(text.contains("%3A%3Aplcs=1%2C2::"), "{text}");
    }
}
