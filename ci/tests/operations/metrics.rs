//! The metrics that the gateway promises, and the words that expressions use.

use std::collections::BTreeSet;

use super::Test;
use super::program::{none_of, text};

/// One line a metric: name, type, labels.
const LIST: &str = "ci/observability/metrics.txt";
/// All else that an expression may say; what is neither here nor a metric is taken for a metric misspelt.
const WORDS: &str = "up ALERTS alertname alertstate instance job resource station \
    and or unless on by bool offset \
    absent avg_over_time changes count deriv increase max max_over_time min_over_time rate sum time vector";

pub const ALL: &[Test] =
    &[Test { name: "metrics::are_listed_once_with_a_type_that_fits_the_name", needs: &[], run: listed_well }];

/// The names of the metrics that the gateway exports.
pub fn exported() -> Result<BTreeSet<String>, String> {
    Ok(lines()?.into_iter().map(|[name, ..]| name).collect())
}

/// The words of an expression that nobody knows.
pub fn unknown(expr: &str, metrics: &BTreeSet<String>) -> Vec<String> {
    // Every other part lies between quotes; none of our strings has a quote in it.
    let code = expr.split('"').step_by(2).flat_map(|code| code.split(|letter| !is_of_word(letter)));
    code.filter(|word| word.starts_with(|first: char| !first.is_ascii_digit()))
        .filter(|word| !metrics.contains(*word) && !WORDS.split_whitespace().any(|known| known == *word))
        .map(str::to_owned)
        .collect()
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

fn lines() -> Result<Vec<[String; 3]>, String> {
    text(LIST)?.lines().filter(|line| !line.starts_with('#')).map(columns).collect()
}

fn columns(line: &str) -> Result<[String; 3], String> {
    let columns: Vec<String> = line.split(' ').map(str::to_owned).collect();
    columns.try_into().map_err(|_| format!("{LIST}: expected name, type and labels, found `{line}`"))
}

fn listed_well() -> Result<(), String> {
    let lines = lines()?;
    let mut wrong: Vec<String> = lines
        .iter()
        .filter(|line| !fits(line))
        .map(|[name, kind, _]| format!("{name} as a {kind}"))
        .collect();
    if lines.len() != exported()?.len() {
        wrong.push("a name twice".to_owned());
    }
    none_of(LIST, &wrong)
}

fn fits([name, kind, labels]: &[String; 3]) -> bool {
    let is_of_station = name.starts_with("s7_gateway_station_");
    name.starts_with("s7_gateway_")
        && (kind == "counter") == name.ends_with("_total")
        && ["counter", "gauge"].contains(&kind.as_str())
        && labels == if is_of_station { "station" } else { "-" }
}
