//! SARIF 2.1.0: what leaks as results in the source, for code scanning and for editors.
//!
//! A result is what a person must look at: leaks that a scenario declares, or that `ignore:` covers, are none. Rules are
//! outcomes by resource: `leak/tasks`.

use serde_json::{Value, json};

use super::place::Place;
use super::{CaseReport, RunReport, figures, terminal};
use crate::exit::Exit;
use crate::explain::Finding;
use crate::resource::Resource;
use crate::verdict::Outcome;

/// Results of one run; code scanning takes 25,000 and shows 5,000.
const RESULTS_MAX: usize = 1_000;

/// Frames of a stack.
const FRAMES_MAX: usize = 100;

/// Sites that a result explains.
const RELATED_MAX: usize = 20;

/// The folder that files are named from: the root of the repository.
const ROOT: &str = "SRCROOT";

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The report as a SARIF log of one run.
///
/// # Errors
/// Those of the serializer: none is known.
pub fn text(report: &RunReport) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&log(report)).map(|text| text + "\n")
}

fn log(report: &RunReport) -> Value {
    let mut rules: Vec<Rule> = Vec::new();
    let failed = report.cases.iter().filter(|case| case.exit != Exit::Clean);
    let results: Vec<Value> = failed.flat_map(|case| results(case, &mut rules)).take(RESULTS_MAX).collect();
    let driver = json!({
        "name": "Watertight",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules.iter().map(Rule::describe).collect::<Vec<_>>(),
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": without_empty(driver) },
            "invocations": [invocation(report)],
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

/// An empty text is no URI.
fn without_empty(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| value.as_str() != Some(""));
    }
    value
}

/// Whether the run did what it was asked for, and what kept it from it. A leak that is found is a success of the tool.
fn invocation(report: &RunReport) -> Value {
    let was_played = !report.cases.is_empty() && !matches!(report.exit, Exit::Usage | Exit::Harness);
    let mut said: Vec<String> = report.problems.clone();
    if report.cases.is_empty() {
        said.push("no case was played".to_owned());
    }
    let level = if was_played { "warning" } else { "error" };
    let notes: Vec<Value> =
        said.iter().map(|text| json!({ "level": level, "message": { "text": text } })).collect();
    json!({
        "executionSuccessful": was_played,
        "exitCode": report.exit as u8,
        "toolExecutionNotifications": notes,
    })
}

/// One judgement about one resource, or about a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    outcome: Outcome,
    resource: Option<Resource>,
    harness: bool,
}

impl Rule {
    fn id(&self) -> String {
        let outcome = if self.harness { "harness" } else { figures::outcome(self.outcome) }.replace(' ', "-");
        self.resource.map_or(outcome.clone(), |resource| format!("{outcome}/{resource}"))
    }

    fn level(&self) -> &'static str {
        match self.outcome {
            _ if self.harness => "error",
            Outcome::Leak | Outcome::OverBudget => "error",
            Outcome::Suspect | Outcome::Inconclusive | Outcome::Invalid => "warning",
            // They are results only where the scenario wanted another outcome.
            Outcome::Clean | Outcome::Retained | Outcome::Saturating => "warning",
        }
    }

    fn describe(&self) -> Value {
        let what = self.resource.map_or("the run", Resource::name);
        let short = match self.outcome {
            _ if self.harness => "The harness failed: nothing is known".to_owned(),
            Outcome::Leak => format!("{what}: grows without bound"),
            Outcome::OverBudget => format!("{what}: above the budget"),
            Outcome::Suspect => format!("{what}: may grow"),
            outcome => format!("{what}: {}", figures::outcome(outcome)),
        };
        json!({
            "id": self.id(),
            "shortDescription": { "text": short },
            "defaultConfiguration": { "level": self.level() },
            "properties": { "tags": ["leak", what] },
        })
    }

    /// Its index among `rules`; it is added if it is not there.
    fn index(self, rules: &mut Vec<Self>) -> usize {
        let found = rules.iter().position(|rule| *rule == self);
        found.unwrap_or_else(|| {
            rules.push(self);
            rules.len() - 1
        })
    }
}

/// One result a culprit; a case without one has a result at its scenario.
fn results(case: &CaseReport, rules: &mut Vec<Rule>) -> Vec<Value> {
    let culprits = case.findings.iter().filter(|found| found.victim_of.is_none() && found.ignored.is_none());
    let results: Vec<Value> = culprits.map(|found| of_finding(case, found, rules)).collect();
    if results.is_empty() { vec![of_case(case, rules)] } else { results }
}

fn of_finding(case: &CaseReport, found: &Finding, rules: &mut Vec<Rule>) -> Value {
    let verdict = case.resources.iter().find(|verdict| verdict.resource == found.resource);
    let outcome = verdict.map_or(case.outcome, |verdict| verdict.outcome);
    let rule = Rule { outcome, resource: Some(found.resource), harness: false };
    let why = verdict.map_or(String::new(), |verdict| format!("\n{}", verdict.why));
    let left =
        format!("{} left behind at {}{}", figures::survivors(found), found.site, figures::tenancy(found));
    let text = format!("{left}\n{}: {}{why}\nreplay: {}", case.test_name(), case.headline, case.replay);
    let fingerprint = found.fingerprint();
    let mut result = result(case, rule, rules, &text);
    result["locations"] = json!([location(&found.site).unwrap_or_else(|| scenario(case))]);
    result["partialFingerprints"] = json!({ "watertight/v1": fingerprint });
    let frames: Vec<Value> = found.stack.iter().rev().filter_map(|frame| location(frame)).collect();
    let innermost = frames.len().saturating_sub(FRAMES_MAX);
    if !frames.is_empty() {
        let steps: Vec<Value> = frames[innermost..].iter().map(|at| json!({ "location": at })).collect();
        result["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
    }
    let victims = case.findings.iter().filter(|other| other.victim_of.as_ref() == Some(&found.site));
    let related: Vec<Value> = victims.take(RELATED_MAX).enumerate().filter_map(victim).collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

/// What a culprit explains, at its own line.
fn victim((i, found): (usize, &Finding)) -> Option<Value> {
    let mut at = location(&found.site)?;
    at["id"] = (i + 1).into();
    at["message"] = json!({ "text": format!("{} left behind in consequence", figures::survivors(found)) });
    Some(at)
}

fn of_case(case: &CaseReport, rules: &mut Vec<Rule>) -> Value {
    let worst = case.resources.iter().find(|verdict| verdict.measured() && verdict.outcome == case.outcome);
    let is_of_resource = case.outcome >= Outcome::OverBudget;
    let resource = worst.map(|verdict| verdict.resource).filter(|_| is_of_resource);
    let harness = matches!(case.exit, Exit::Harness | Exit::Usage);
    let rule = Rule { outcome: case.outcome, resource, harness };
    let ending = terminal::ending(case);
    let wanted = terminal::wanted(case).map_or(String::new(), |wanted| format!("\nwanted: {wanted}"));
    let text = format!("{}: {ending}: {}{wanted}\nreplay: {}", case.test_name(), case.headline, case.replay);
    let mut result = result(case, rule, rules, &text);
    result["locations"] = json!([scenario(case)]);
    result["partialFingerprints"] = json!({ "watertight/v1": format!("{}/{}", rule.id(), case.test_name()) });
    result
}

fn result(case: &CaseReport, rule: Rule, rules: &mut Vec<Rule>, text: &str) -> Value {
    json!({
        "ruleId": rule.id(),
        "ruleIndex": rule.index(rules),
        "level": rule.level(),
        "message": { "text": text },
        "properties": { "case": case.test_name(), "target": case.target, "replay": case.replay },
    })
}

fn scenario(case: &CaseReport) -> Value {
    physical(&case.file.to_string_lossy(), 1, None, true)
}

/// Where a site or a frame is; `None`: it names no file.
fn location(text: &str) -> Option<Value> {
    let place = Place::of(text)?;
    let mut at = physical(place.file, place.line, place.column, place.own);
    if let Some((function, _)) = text.rsplit_once(" at ") {
        at["message"] = json!({ "text": function });
    }
    Some(at)
}

fn physical(file: &str, line: u64, column: Option<u64>, own: bool) -> Value {
    let mut file_at = json!({ "uri": uri(file) });
    if own && !file.starts_with('/') {
        file_at["uriBaseId"] = ROOT.into();
    }
    let mut region = json!({ "startLine": line });
    if let Some(column) = column {
        region["startColumn"] = column.into();
    }
    json!({ "physicalLocation": { "artifactLocation": file_at, "region": region } })
}

/// A path as a URI: `a b.rs` is `a%20b.rs`, an absolute one has its scheme.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte);
    let mut text = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match is_plain(byte) {
            true => text.push(char::from(byte)),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, run};

    #[test]
    fn leaks_are_results_at_their_lines() {
        let cases = vec![fixtures::clean("flapping-network"), fixtures::task_leak(), fixtures::over_budget()];
        insta::assert_snapshot!(text(&run(cases)).expect("JSON"));
    }

    #[test]
    fn every_log_is_valid_by_the_standard_s_own_schema() {
        // As OASIS published it (oasis-tcs/sarif-spec, Schemata/sarif-schema-2.1.0.json). One of its patterns has a
        // bracket too many, which not every engine takes; the errata have it as it is here.
        let schema = include_str!("../../testdata/sarif-2.1.0.schema.json")
            .replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
        let schema: Value = serde_json::from_str(&schema).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for report in fixtures::all() {
            let errors: Vec<String> =
                validator.iter_errors(&log(&report)).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0]);
        }
        let mut broken = log(&run(vec![fixtures::task_leak()]));
        broken["runs"][0]["results"][0]["level"] = "terrible".into();
        assert!(!validator.is_valid(&broken));
    }

    #[test]
    fn what_is_expected_or_ignored_is_no_result_and_an_empty_run_is_no_success() {
        let results = |report: &RunReport| log(report)["runs"][0]["results"].as_array().map(Vec::len);
        let expected = fixtures::expecting(fixtures::task_leak(), "leak of tasks", true);
        assert_eq!(results(&run(vec![expected, fixtures::clean("a")])), Some(0));
        let mut ignored = fixtures::tenants_leak();
        ignored.findings[0].ignored = Some("at a.rs (alice: pool)".to_owned());
        assert_eq!(results(&run(vec![ignored])), Some(1));
        let empty = log(&fixtures::empty());
        assert_eq!(empty["runs"][0]["invocations"][0]["executionSuccessful"], false);
        assert_eq!(empty["runs"][0]["invocations"][0]["exitCode"], 3);
    }

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("src/a b#1.rs"), "src/a%20b%231.rs");
        assert_eq!(uri("/tmp/a.yaml"), "file:///tmp/a.yaml");
    }
}
