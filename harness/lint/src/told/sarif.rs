//! As SARIF 2.1.0, for code scanning and for editors.

use std::path::Path;

use serde_json::{Value, json};

use crate::conclude::{Finding, Note};
use crate::finding::{At, Confidence};
use crate::problem::Problem;
use crate::rule::{Rule, rule};
use crate::run::Report;

/// The folder that files are named from: the root of the repository.
const ROOT: &str = "SRCROOT";

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Code scanning takes no more than 25,000.
const RESULTS_MAX: usize = 25_000;

/// All of `report` as a log of one run.
///
/// # Errors
/// Those of the serializer: none is known.
pub fn text(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&log(report)).map(|text| text + "\n")
}

fn log(report: &Report) -> Value {
    let mut rules: Vec<&'static Rule> = crate::rules().to_vec();
    rules.extend(["allow-without-reason", "unused-allow"].into_iter().filter_map(rule));
    let results: Vec<Value> =
        report.findings.iter().take(RESULTS_MAX).map(|found| result(found, &rules)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Watertight lint",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| describe(rule)).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": report.problems.is_empty(),
                "toolExecutionNotifications": report.problems.iter().map(notification).collect::<Vec<_>>(),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "error",
        Confidence::Medium => "warning",
        Confidence::Low => "note",
    }
}

fn describe(rule: &Rule) -> Value {
    json!({
        "id": rule.name,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.why },
        "help": { "text": rule.hint, "markdown": rule.page },
        "defaultConfiguration": { "level": level(rule.confidence) },
        "properties": { "tags": ["leak"], "precision": rule.confidence.name(), "scenario": rule.scenario },
    })
}

fn result(found: &Finding, rules: &[&'static Rule]) -> Value {
    let index = rules.iter().position(|rule| rule.name == found.rule);
    let mut result = json!({
        "ruleId": found.rule,
        "level": level(found.confidence),
        "message": { "text": format!("{}\n{}\n{}", found.message, found.why, found.hint) },
        "locations": [{ "physicalLocation": physical(&found.file, found.at) }],
        "properties": { "confidence": found.confidence.name(), "scenario": found.scenario },
    });
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    if !found.notes.is_empty() {
        result["relatedLocations"] = found.notes.iter().map(|note| related(&found.file, note)).collect();
    }
    result
}

fn related(file: &Path, note: &Note) -> Value {
    json!({ "physicalLocation": physical(file, note.at), "message": { "text": note.text } })
}

fn notification(problem: &Problem) -> Value {
    let (line, column) = (problem.line, problem.column);
    let at = At { line, column, end_line: line, end_column: column };
    json!({
        "level": "error",
        "message": { "text": format!("not analysed: {}", problem.what) },
        "locations": [{ "physicalLocation": physical(&problem.file, at) }],
    })
}

fn physical(file: &Path, at: At) -> Value {
    let path = file.to_string_lossy();
    let mut file_at = json!({ "uri": uri(&path) });
    if !path.starts_with('/') {
        file_at["uriBaseId"] = ROOT.into();
    }
    let region = json!({
        "startLine": at.line, "startColumn": at.column, "endLine": at.end_line, "endColumn": at.end_column,
    });
    json!({ "artifactLocation": file_at, "region": region })
}

/// A path as a URI: `a b.rs` is `a%20b.rs`, an absolute one has its scheme.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let bytes = path.strip_prefix("./").unwrap_or(path).bytes();
    let escaped =
        bytes.map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    scheme.to_owned() + &escaped.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conclude::Asked;
    use crate::run::lint_text;

    fn report(text: &str) -> Report {
        let findings = lint_text(Path::new("src/a b.rs"), text.to_owned(), &Asked::default()).expect("Rust");
        let problem = Problem::of_file(Path::new("/b.rs"), "is a folder".to_owned());
        Report { findings, problems: vec![problem], ..Report::default() }
    }

    #[test]
    fn every_log_is_valid_by_the_standard_s_own_schema() {
        // One of its patterns has a bracket too many, which not every engine takes; the errata have it as it is here.
        let schema = include_str!("../../../testdata/sarif-2.1.0.schema.json")
            .replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
        let schema: Value = serde_json::from_str(&schema).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let found = log(&report("fn f(a: A) { std::mem::forget(a) } // watertight: allow(none)"));
        assert_eq!(found["runs"][0]["results"].as_array().map(Vec::len), Some(2));
        for log in [&found, &log(&Report::default())] {
            let errors: Vec<String> = validator.iter_errors(log).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0]);
        }
        let mut broken = found;
        broken["runs"][0]["results"][0]["level"] = "terrible".into();
        assert!(!validator.is_valid(&broken));
    }
}
