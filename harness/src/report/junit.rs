//! JUnit XML: a test per case, in the words that pipelines show.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, RunReport, figures, terminal};
use crate::exit::Exit;

/// Columns of the text block inside a failure: a pipeline scrolls, so nothing is cut.
const WIDTH: usize = usize::MAX;

/// The report as JUnit XML: a leak or broken budget is a failure, a run that says nothing is an error.
///
/// One suite per scenario file, in the order of the run; a case's figures are properties of its test. What is true of the
/// whole run, or that nothing was played, is a test of its own.
pub fn xml(report: &RunReport) -> Result<String, SerializeError> {
    let mut junit = Report::new("watertight");
    junit.set_time(report.wall_time);
    let mut suites: Vec<TestSuite> = Vec::new();
    for case in &report.cases {
        let name = case.scenario.as_str();
        if suites.last().is_none_or(|suite| suite.name.as_str() != name) {
            suites.push(TestSuite::new(name));
        }
        if let Some(suite) = suites.last_mut() {
            suite.add_test_case(test(case));
        }
    }
    suites.extend(of_run(report));
    junit.add_test_suites(suites);
    junit.to_string()
}

/// The problems of the run, as a test: an error where they cost it its result.
fn of_run(report: &RunReport) -> Option<TestSuite> {
    let mut said = report.problems.clone();
    if report.cases.is_empty() {
        said.push("no case was played".to_owned());
    }
    let first = said.first()?.clone();
    let is_fatal = report.cases.is_empty() || report.exit == Exit::Inconclusive;
    let mut status = TestCaseStatus::success();
    if is_fatal {
        status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(first).set_type("incomplete run").set_description(said.join("\n"));
    }
    let mut test = TestCase::new("the whole run", status);
    test.set_classname("watertight");
    if !is_fatal {
        test.set_system_out(said.join("\n"));
    }
    let mut suite = TestSuite::new("watertight");
    suite.add_test_case(test);
    Some(suite)
}

fn test(case: &CaseReport) -> TestCase {
    let mut test = TestCase::new(case.test_name(), status(case));
    test.set_classname(case.file.display().to_string()).set_time(case.wall_time);
    // Not of the standard, and what pipelines link to.
    test.extra.insert("file".into(), case.file.display().to_string().into());
    test.add_properties(properties(case));
    test
}

fn status(case: &CaseReport) -> TestCaseStatus {
    let kind = match case.exit {
        Exit::Clean => return TestCaseStatus::success(),
        Exit::Leak => NonSuccessKind::Failure,
        Exit::Usage | Exit::Inconclusive | Exit::Harness => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(format!("{}: {}", figures::outcome(case.outcome), case.headline))
        .set_type(figures::outcome(case.outcome))
        .set_description(terminal::block(case, terminal::Look::plain(WIDTH)));
    status
}

fn properties(case: &CaseReport) -> Vec<Property> {
    let mut all = vec![
        Property::new("outcome", figures::outcome(case.outcome)),
        Property::new("target", case.target.clone()),
        Property::new("seed", case.seed.to_string()),
        Property::new("cycles", case.counted_cycles().to_string()),
        Property::new("replay", case.replay.clone()),
    ];
    all.extend(case.findings.first().map(|first| Property::new("id", first.fingerprint())));
    for verdict in case.resources.iter().filter(|verdict| verdict.measured()) {
        let name = verdict.resource.name();
        all.push(Property::new(format!("{name}.growth"), figures::growth(verdict)));
        all.extend(
            figures::sensitivity(verdict).map(|text| Property::new(format!("{name}.sensitivity"), text)),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn cases_are_tests_with_figures() {
        let cases =
            vec![fixtures::clean("flapping-network"), fixtures::heap_leak(), fixtures::inconclusive()];
        insta::assert_snapshot!(xml(&fixtures::run(cases)).expect("the report is XML"));
    }

    #[test]
    fn an_empty_run_is_an_error_and_a_harness_that_failed_too() {
        let failed = fixtures::run(vec![fixtures::interrupted(), fixtures::harness_failure()]);
        let text = |report| xml(report).expect("the report is XML");
        insta::assert_snapshot!(text(&fixtures::empty()) + "\n" + &text(&failed));
    }
}
