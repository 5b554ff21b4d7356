//! What is healthy has no finding that is not answered.

use watertight_lint::told::human;
use watertight_lint::{Asked, Finding, Sources, run};

use crate::root;

/// The leaks of the examples, each by the rule that sees it.
const SEEDED: [(&str, &str); 3] = [
    ("harness/examples/src/leak.rs", "detached-spawn"),
    ("harness/examples/plain/server.rs", "detached-spawn"),
    ("harness/examples/plain/server.rs", "map-grows-per-connection"),
];

#[test]
fn nothing_in_this_workspace_is_found_but_the_gallery() {
    let sources = Sources::of_workspace(&root(), false).below(&root());
    assert!(sources.problems.is_empty(), "{:?}", sources.problems);
    let absolute = Sources::of_workspace(&root(), false);
    let mut report = run(absolute, &Asked::default(), None).expect("threads");
    report.findings.retain(|found| !found.file.components().any(|part| part.as_os_str() == "defects"));
    // What the examples leak on purpose is seen, too, and nothing else of them.
    let seeded =
        |found: &Finding| SEEDED.iter().any(|(file, rule)| found.file.ends_with(file) && found.rule == *rule);
    let (examples, rest) = report.findings.into_iter().partition::<Vec<_>, _>(seeded);
    assert_eq!(examples.len(), SEEDED.len(), "{examples:?}");
    report.findings = rest;
    assert!(report.findings.is_empty() && report.problems.is_empty(), "{}", human::text(&report));
    assert!(report.files > 500, "{} files", report.files);
}
