//! JUnit XML: a test per case, in the words that pipelines show.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, RunReport, figures, terminal};
use crate::exit::Exit;

/// Columns of the text block inside a failure: a pipeline scrolls, so nothing is cut.
const WIDTH: usize = usize::MAX;

/// The report as JUnit XML: a leak or broken budget is a failure, a run that says nothing is an error.
///
/// One suite per scenario file, in the order of the run; a case's figures are properties of its test.
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
    junit.add_test_suites(suites);
    junit.to_string()
}

fn test(case: &CaseReport) -> TestCase {
    let mut test = TestCase::new(case.test_name(), status(case));
    test.set_classname(case.file.display().to_string()).set_time(case.wall_time);
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
        Property::new("seed", case.seed.to_string()),
        Property::new("cycles", case.counted_cycles().to_string()),
        Property::new("replay", case.replay.clone()),
    ];
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
}
