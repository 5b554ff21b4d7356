//! The rules for Prometheus: valid, known names, and each alert tested both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::Test;
use super::metrics::{exported, unknown};
use super::program::{none_of, output, root, text};

const FOLDER: &str = "ci/observability";
const RULES: &str = "rules.yml";
const CASES: [&str; 2] = ["rules.test.yml", "rules.days.test.yml"];

pub const ALL: &[Test] = &[
    Test { name: "rules::are_valid", needs: &["promtool"], run: || promtool(&["check", "rules", RULES]) },
    Test { name: "rules::pass_their_tests", needs: &["promtool"], run: || unit_tests(CASES[0]) },
    Test { name: "rules::pass_their_tests_of_days", needs: &["promtool"], run: || unit_tests(CASES[1]) },
    Test { name: "rules::have_a_case_that_fires_and_one_that_does_not", needs: &[], run: both_ways },
    Test { name: "rules::use_known_metrics", needs: &[], run: known_metrics },
    Test { name: "rules::are_all_played_in_order_in_their_tests", needs: &[], run: every_group },
];

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
}

#[derive(Deserialize)]
struct Cases {
    group_eval_order: Vec<String>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<IgnoredAny>,
}

/// What expressions may name: the gateway's metrics, and what rules record.
pub fn names() -> Result<BTreeSet<String>, String> {
    let recorded = rules()?.into_iter().filter_map(|rule| rule.record);
    Ok(exported()?.into_iter().chain(recorded).collect())
}

fn rules() -> Result<Vec<Rule>, String> {
    let Rules { groups } = read(RULES)?;
    Ok(groups.into_iter().flat_map(|group| group.rules).collect())
}

fn read<T: DeserializeOwned>(file: &str) -> Result<T, String> {
    let path = format!("{FOLDER}/{file}");
    serde_saphyr::from_str(&text(&path)?).map_err(|error| format!("{path}: {error}"))
}

fn promtool(arguments: &[&str]) -> Result<(), String> {
    output(Command::new("promtool").args(arguments).current_dir(root().join(FOLDER))).map(drop)
}

fn unit_tests(file: &str) -> Result<(), String> {
    promtool(&["test", "rules", file])
}

fn both_ways() -> Result<(), String> {
    let mut seen: BTreeMap<String, [bool; 2]> =
        rules()?.into_iter().filter_map(|rule| Some((rule.alert?, [false; 2]))).collect();
    for file in CASES {
        let cases: Cases = read(file)?;
        for test in cases.tests.into_iter().flat_map(|case| case.alert_rule_test) {
            let fires = usize::from(!test.exp_alerts.is_empty());
            seen.get_mut(&test.alertname).ok_or(format!("{file}: no alert {}", test.alertname))?[fires] =
                true;
        }
    }
    let untested = seen.iter().filter(|(_, both)| **both != [true; 2]).map(|(name, _)| name.clone());
    none_of("tested one way at most", &untested.collect::<Vec<_>>())
}

fn known_metrics() -> Result<(), String> {
    let names = names()?;
    let strange = rules()?.into_iter().flat_map(|rule| unknown(&rule.expr, &names));
    none_of(RULES, &strange.collect::<Vec<_>>())
}

/// A group that is not named has no fixed place among the others: then a test may pass on one day and fail on the next.
fn every_group() -> Result<(), String> {
    let Rules { groups } = read(RULES)?;
    let expected: Vec<String> = groups.into_iter().map(|group| group.name).collect();
    for file in CASES {
        let found = read::<Cases>(file)?.group_eval_order;
        if found != expected {
            return Err(format!("{file}: `group_eval_order` must be {expected:?}, found {found:?}"));
        }
    }
    Ok(())
}
