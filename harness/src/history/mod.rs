//! What many runs say together: how figures went from commit to commit, and what differs between two of them.
//!
//! Pure: entries come from a store or from report files, and what is made of them are values and text.

mod compare;
mod trend;

pub use compare::{Case, Change, Comparison, Kind, Side, compare};
pub use trend::{Choice, Point, Series, spark, text, trends};

use std::collections::BTreeMap;

use crate::report::CaseReport;
use crate::resource::Resource;
use crate::verdict::{Figure, Resting};

/// One report of one case: of which commit, when, and what it held.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number in the store, if it comes from one.
    pub run: Option<i64>,
    /// The commit that was played, if that is known.
    pub commit: Option<String>,
    /// When, in RFC 3339; empty if that is not known.
    pub at: String,
    /// The options that change what is measured: `--cycles 12 --plant heap=1B`; empty for a run as it is written.
    pub options: String,
    /// What it held at rest.
    pub resting: Resting,
    /// What it said.
    pub report: CaseReport,
}

impl Entry {
    /// A report that comes from a file, which holds its measurements.
    pub fn of(report: CaseReport) -> Self {
        let resting = Resting::of(&report.timeline);
        Self { run: None, commit: None, at: String::new(), options: String::new(), resting, report }
    }

    /// What entries that are comparable have in common: `sim::flapping-network, --plant heap=1B`.
    ///
    /// The case, the target's defect, and with which options it was played.
    fn key(&self) -> String {
        let target = Some(self.report.target.as_str()).filter(|target| target.ends_with(')'));
        let options = Some(self.options.as_str()).filter(|options| !options.is_empty());
        let name = self.report.test_name();
        [Some(name.as_str()), target, options].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What it held at rest of each kind; RSS is no part of [`Resting`] and stays out: allocators decide it.
    fn at_rest(&self) -> impl Iterator<Item = Figure> {
        self.resting.figures().into_iter().filter(|figure| !figure.is_peak)
    }

    /// The smallest leak of a resource that it would have seen, in units a cycle.
    fn sensitivity(&self, resource: Resource) -> Option<f64> {
        self.report.resources.iter().find(|verdict| verdict.resource == resource)?.sensitivity_per_cycle
    }
}

#[cfg(feature = "store")]
impl From<crate::store::StoredReport> for Entry {
    fn from(stored: crate::store::StoredReport) -> Self {
        let what = stored.run.what;
        let options = match (what.kind, what.options) {
            (crate::store::RunKind::Run, serde_json::Value::String(words)) => words,
            (crate::store::RunKind::Run, other) => other.to_string(),
            (crate::store::RunKind::Soak, other) => format!("soak {other}"),
        };
        let (resting, report) = (stored.resting, stored.report);
        Self { run: Some(stored.run.id), commit: what.commit, at: stored.at, options, resting, report }
    }
}

/// How a figure is called in tables: heap has two.
fn label(figure: &Figure) -> &'static str {
    match (figure.resource, figure.is_bytes) {
        (Resource::Heap, true) => "heap bytes",
        (Resource::Heap, false) => "heap blocks",
        (resource, _) => resource.name(),
    }
}

/// Entries by case, in the order in which cases first come.
fn by_case(entries: &[Entry]) -> Vec<(String, Vec<&Entry>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases: Vec<(String, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        let place = *places.entry(entry.key()).or_insert(cases.len());
        if place == cases.len() {
            cases.push((entry.key(), Vec::new()));
        }
        cases[place].1.push(entry);
    }
    cases
}

/// `+12.5 %`, `-3`, `none`: by how much, in the way that says more.
fn change(figure: &Figure, from: u64, to: u64) -> String {
    let percent = (to as f64 / from.max(1) as f64 - 1.0) * 100.0;
    let sign = if to < from { '-' } else { '+' };
    match (from, to) {
        (from, to) if from == to => "none".to_owned(),
        (0, _) => format!("+{}", figure.amount(to)),
        _ if percent.abs() < PERCENT_SHOWN_MIN => format!("{sign}{}", figure.amount(from.abs_diff(to))),
        _ => format!("{percent:+.1} %"),
    }
}

/// Below this a percentage with one decimal would show as none.
const PERCENT_SHOWN_MIN: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_percent_where_that_says_something() {
        let bytes =
            Resting::default().figures().into_iter().find(|figure| figure.key == "bytes").expect("it is one");
        let said = |from, to| change(&bytes, from, to);
        assert_eq!(
            [said(5, 5), said(0, 7), said(200, 250), said(200, 100)],
            ["none", "+7 B", "+25.0 %", "-50.0 %"]
        );
        assert_eq!([said(1_000_000, 1_000_016), said(1_000_000, 999_984)], ["+16 B", "-16 B"]);
    }
}
