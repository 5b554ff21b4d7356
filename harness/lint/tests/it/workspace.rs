//! What is healthy has no finding that is not answered.

use watertight_lint::told::human;
use watertight_lint::{Asked, Sources, run};

use crate::root;

#[test]
fn nothing_in_this_workspace_is_found_but_the_gallery() {
    let sources = Sources::of_workspace(&root(), false).below(&root());
    assert!(sources.problems.is_empty(), "{:?}", sources.problems);
    let absolute = Sources::of_workspace(&root(), false);
    let mut report = run(absolute, &Asked::default(), None).expect("threads");
    report.findings.retain(|found| !found.file.components().any(|part| part.as_os_str() == "defects"));
    assert!(report.findings.is_empty() && report.problems.is_empty(), "{}", human::text(&report));
    assert!(report.files > 500, "{} files", report.files);
}
