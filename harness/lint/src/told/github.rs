//! As annotations of GitHub's workflow log, which it shows beside the lines.

use crate::conclude::Finding;
use crate::finding::Confidence;
use crate::problem::Problem;
use crate::run::Report;

/// All of `report`, one command a line.
pub fn text(report: &Report) -> String {
    let findings = report.findings.iter().map(finding);
    findings.chain(report.problems.iter().map(problem)).collect()
}

fn finding(found: &Finding) -> String {
    let level = match found.confidence {
        Confidence::High => "error",
        Confidence::Medium => "warning",
        Confidence::Low => "notice",
    };
    let (file, at) = (property(&found.file.to_string_lossy()), found.at);
    let said = data(&format!("{}\n{}\n{}", found.message, found.why, found.hint));
    format!(
        "::{level} file={file},line={},endLine={},col={},title={}::{said}\n",
        at.line, at.end_line, at.column, found.rule
    )
}

fn problem(problem: &Problem) -> String {
    let file = property(&problem.file.to_string_lossy());
    let said = data(&problem.what);
    format!("::error file={file},line={},col={},title=not analysed::{said}\n", problem.line, problem.column)
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_written_otherwise() {
        assert_eq!(data("100%\nsure"), "100%25%0Asure");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
    }
}
