//! Two commits, or two reports, side by side: what changed beyond noise, and whether for the worse.

use std::fmt::Write;

use serde::Serialize;

use super::{Entry, by_case, change, label};
use crate::exit::Exit;
use crate::report::figures;
use crate::report::terminal::{self, Look};
use crate::resource::Resource;
use crate::verdict::{Figure, Tolerance};

/// A sensitivity is worse where the smallest leak that would be seen is larger by more than this: a few cycles more or
/// fewer at rest move it by less.
const SENSITIVITY_FACTOR: f64 = 2.0;

/// Runs of a side from which on sampled sensitivities are compared.
const SAMPLED_RUNS_MIN: usize = 3;

/// One of the two.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// As the user named it.
    pub name: String,
    /// Its reports; of one case there may be several.
    pub entries: Vec<Entry>,
}

/// What a comparison says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The name of the first side.
    pub a: String,
    /// The name of the second.
    pub b: String,
    /// Cases that both have.
    pub cases: Vec<Case>,
    /// Cases that the first has alone.
    pub only_in_a: Vec<String>,
    /// Cases that the second has alone.
    pub only_in_b: Vec<String>,
}

/// A case that both sides have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// `engine::scenario::case`, with the target's defect and the options of the runs, if there are any.
    pub name: String,
    /// Its runs on the first side and on the second.
    pub runs: (usize, usize),
    /// Every figure.
    pub changes: Vec<Change>,
}

/// One figure on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// `outcome`, `tasks`, `heap bytes`, `tasks would have seen`.
    pub figure: String,
    /// On the first side, in words.
    pub a: String,
    /// On the second.
    pub b: String,
    /// By how much.
    pub by: String,
    /// What that is.
    pub kind: Kind,
}

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Within noise.
    Same,
    /// For the better.
    Better,
    /// Beyond noise, within what a baseline lets pass: 10 %, or a few units.
    Changed,
    /// For the worse.
    Worse,
}

impl Kind {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Better => "better",
            Self::Changed => "changed",
            Self::Worse => "worse",
        }
    }
}

/// Puts `b` beside `a`.
pub fn compare(a: &Side, b: &Side) -> Comparison {
    let (of_a, of_b) = (by_case(&a.entries), by_case(&b.entries));
    let mut comparison = Comparison {
        a: a.name.clone(),
        b: b.name.clone(),
        cases: vec![],
        only_in_a: vec![],
        only_in_b: vec![],
    };
    for (name, entries) in &of_a {
        match of_b.iter().find(|(other, _)| other == name) {
            Some((_, others)) => comparison.cases.push(case(name.clone(), entries, others)),
            None => comparison.only_in_a.push(name.clone()),
        }
    }
    let is_new = |name: &&String| of_a.iter().all(|(other, _)| other != *name);
    comparison.only_in_b = of_b.iter().map(|(name, _)| name).filter(is_new).cloned().collect();
    comparison
}

fn case(name: String, a: &[&Entry], b: &[&Entry]) -> Case {
    let mut changes = vec![outcome(a, b)];
    if let Some(unit) = a.last() {
        changes.extend(unit.at_rest().filter_map(|unit| at_rest(&unit, a, b)));
    }
    changes.extend(Resource::ALL.into_iter().filter_map(|resource| growth(resource, a, b)));
    changes.extend(Resource::ALL.into_iter().filter_map(|resource| sensitivity(resource, a, b)));
    Case { name, runs: (a.len(), b.len()), changes }
}

/// The worst outcome of each side: one leak in ten runs is one.
fn outcome(a: &[&Entry], b: &[&Entry]) -> Change {
    let worst = |entries: &[&Entry]| {
        let rank =
            |entry: &&&Entry| (Exit::Clean.worse(entry.report.exit) != Exit::Clean, entry.report.outcome);
        entries.iter().max_by_key(rank).map(|entry| (entry.report.exit, entry.report.outcome))
    };
    let said =
        |worst: Option<(Exit, _)>| worst.map_or("-", |(_, outcome)| figures::outcome(outcome)).to_owned();
    let (worst_a, worst_b) = (worst(a), worst(b));
    let kind = match (worst_a.map(|(exit, _)| exit), worst_b.map(|(exit, _)| exit)) {
        _ if worst_a == worst_b => Kind::Same,
        (Some(from), Some(to)) if from == to => Kind::Changed,
        (Some(from), Some(to)) if from.worse(to) == from => Kind::Better,
        _ => Kind::Worse,
    };
    Change { figure: "outcome".to_owned(), a: said(worst_a), b: said(worst_b), by: "-".to_owned(), kind }
}

/// What is held at rest. Of several runs of a side the least: what is above it is chance.
fn at_rest(unit: &Figure, a: &[&Entry], b: &[&Entry]) -> Option<Change> {
    let of = |entries: &[&Entry]| -> Vec<u64> {
        let own = |entry: &&Entry| entry.at_rest().find(|figure| figure.key == unit.key)?.value;
        entries.iter().filter_map(own).collect()
    };
    let (of_a, of_b) = (of(a), of(b));
    let (from, to) = (*of_a.iter().min()?, *of_b.iter().min()?);
    let spread =
        |figures: &[u64]| figures.iter().max().map_or(0, |most| most - figures.iter().min().unwrap_or(most));
    let is_exact = a.iter().chain(b).all(|entry| entry.report.timeline.exact);
    let chance = if is_exact { 0 } else { unit.slack() };
    let noise = chance.max(spread(&of_a)).max(spread(&of_b));
    let kind = match (from, to) {
        _ if from.abs_diff(to) <= noise => Kind::Same,
        (from, to) if to > from.saturating_add(unit.room(from, Tolerance::default())) => Kind::Worse,
        (from, to) if to < from => Kind::Better,
        _ => Kind::Changed,
    };
    let figure = label(unit).to_owned();
    Some(Change { figure, a: unit.amount(from), b: unit.amount(to), by: change(unit, from, to), kind })
}

/// Growth a cycle, where a side's verdict says that there is any.
fn growth(resource: Resource, a: &[&Entry], b: &[&Entry]) -> Option<Change> {
    let of = |entries: &[&Entry]| {
        let verdicts = entries.iter().flat_map(|entry| &entry.report.resources);
        verdicts
            .filter(|verdict| verdict.resource == resource && verdict.measured())
            .max_by_key(|verdict| verdict.outcome)
            .cloned()
    };
    let (from, to) = (of(a)?, of(b)?);
    let kind = match (Exit::from(from.outcome), Exit::from(to.outcome)) {
        (Exit::Clean, Exit::Clean) => return None,
        _ if from.outcome == to.outcome => Kind::Same,
        (before, after) if before == after => Kind::Changed,
        (before, after) if before.worse(after) == before => Kind::Better,
        _ => Kind::Worse,
    };
    let said = |verdict| format!("{} ({})", figures::growth(verdict), figures::outcome(verdict.outcome));
    let figure = format!("{resource} growth");
    Some(Change { figure, a: said(&from), b: said(&to), by: "-".to_owned(), kind })
}

/// The smallest leak that would have been seen; of several runs of a side the largest.
///
/// Where figures are sampled, one run would have seen five times as much as the next one of the same commit (measured), so
/// that few runs say nothing, and many only where none of one side is within reach of the other's.
fn sensitivity(resource: Resource, a: &[&Entry], b: &[&Entry]) -> Option<Change> {
    let of = |entries: &[&Entry]| -> Vec<f64> {
        entries.iter().filter_map(|entry| entry.sensitivity(resource)).collect()
    };
    let (of_a, of_b) = (of(a), of(b));
    let most = |all: &[f64]| all.iter().copied().reduce(f64::max);
    let least = |all: &[f64]| all.iter().copied().reduce(f64::min);
    let (from, to) = (most(&of_a)?, most(&of_b)?);
    let is_exact = a.iter().chain(b).all(|entry| entry.report.timeline.exact);
    let is_enough = is_exact || of_a.len().min(of_b.len()) >= SAMPLED_RUNS_MIN;
    let kind = match (least(&of_b)? / from, to / least(&of_a)?) {
        _ if !is_enough => Kind::Same,
        (times, _) if times > SENSITIVITY_FACTOR => Kind::Worse,
        (_, times) if times < 1.0 / SENSITIVITY_FACTOR => Kind::Better,
        _ => Kind::Same,
    };
    let said = |least| figures::rate(resource, least);
    let by = format!("{:.1} times", to / from);
    let figure = format!("{resource} would have seen");
    Some(Change { figure, a: said(from), b: said(to), by, kind })
}

impl Comparison {
    /// 0: nothing became worse; 1: something did; 3: cases are missing on the second side, or nothing is there to compare.
    pub fn exit(&self) -> Exit {
        let is_worse = self.changes().any(|(_, change)| change.kind == Kind::Worse);
        match (is_worse, self.cases.is_empty() || !self.only_in_a.is_empty()) {
            (true, _) => Exit::Leak,
            (false, true) => Exit::Inconclusive,
            (false, false) => Exit::Clean,
        }
    }

    fn changes(&self) -> impl Iterator<Item = (&Case, &Change)> {
        self.cases.iter().flat_map(|case| case.changes.iter().map(move |change| (case, change)))
    }

    /// What changed, worst first, or with `all` every figure; then the cases that only one side has; then one line.
    pub fn text(&self, all: bool, look: Look) -> String {
        let mut shown: Vec<(&Case, &Change)> =
            self.changes().filter(|(_, change)| all || change.kind != Kind::Same).collect();
        if !all {
            shown.sort_by_key(|(_, change)| std::cmp::Reverse(change.kind));
        }
        let mut out = table(self, &shown, look);
        for (side, names) in [(&self.a, &self.only_in_a), (&self.b, &self.only_in_b)] {
            for name in names {
                let _ = writeln!(out, "only in {side}: {name}");
            }
        }
        out + &self.summary() + "\n"
    }

    fn summary(&self) -> String {
        let with = |kind| {
            let has = |case: &&Case| case.changes.iter().map(|change| change.kind).max() == Some(kind);
            self.cases.iter().filter(has).count()
        };
        let (worse, changed) = (with(Kind::Worse), with(Kind::Changed));
        let (better, same) = (with(Kind::Better), with(Kind::Same));
        let count = self.cases.len();
        let plural = if count == 1 { "" } else { "s" };
        format!(
            "{count} case{plural} in both: {same} the same, {worse} worse, {better} better, {changed} changed within tolerance (exit {})",
            self.exit() as u8
        )
    }
}

fn table(comparison: &Comparison, shown: &[(&Case, &Change)], look: Look) -> String {
    if shown.is_empty() {
        return String::new();
    }
    let head = ["case", "figure", &comparison.a, &comparison.b, "change", "that is"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(shown.iter().map(|(case, change)| {
        let Change { figure, a, b, by, kind } = change;
        vec![case.name.clone(), figure.clone(), a.clone(), b.clone(), by.clone(), kind.name().to_owned()]
    }));
    let style = |row: usize, column| match (row, column) {
        (0, _) => terminal::faint(),
        (row, 5) if shown[row - 1].1.kind == Kind::Worse => terminal::style(Exit::Leak),
        _ => anstyle::Style::new(),
    };
    terminal::lay_out(&rows, &[2, 3, 4], look, style) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{CaseReport, fixtures};
    use crate::verdict::Resting;

    fn entry(report: CaseReport) -> Entry {
        Entry::of(report)
    }

    fn side(name: &str, entries: Vec<Entry>) -> Side {
        Side { name: name.to_owned(), entries }
    }

    fn holding(bytes: u64) -> Entry {
        let clean = entry(fixtures::clean("flapping-network"));
        Entry { resting: Resting { bytes: Some(bytes), ..clean.resting }, ..clean }
    }

    fn kind(comparison: &Comparison, figure: &str) -> Kind {
        let found = comparison.changes().find(|(_, change)| change.figure == figure);
        found.unwrap_or_else(|| panic!("{figure} in {comparison:?}")).1.kind
    }

    fn against(a: Vec<Entry>, b: Vec<Entry>) -> Comparison {
        compare(&side("1234abc", a), &side("5678def", b))
    }

    #[test]
    fn two_equal_runs_are_the_same() {
        let comparison = against(vec![holding(300_000)], vec![holding(300_000)]);
        assert_eq!(comparison.exit(), Exit::Clean);
        let text = comparison.text(false, Look::plain(200));
        assert_eq!(
            text,
            "1 case in both: 1 the same, 0 worse, 0 better, 0 changed within tolerance (exit 0)\n"
        );
        assert!(comparison.text(true, Look::plain(200)).contains("heap bytes"));
    }

    #[test]
    fn more_at_rest_is_worse_beyond_what_a_baseline_lets_pass_alone() {
        let kind = |to| kind(&against(vec![holding(300_000)], vec![holding(to)]), "heap bytes");
        assert_eq!(kind(300_016), Kind::Changed, "in sim every byte is exact");
        assert_eq!(kind(331_000), Kind::Worse);
        assert_eq!(kind(299_000), Kind::Better);
        let comparison = against(vec![holding(300_000)], vec![holding(400_000)]);
        assert_eq!(comparison.exit(), Exit::Leak);
        let text = comparison.text(false, Look::plain(200));
        assert!(text.contains("+33.3 %  worse"), "{text}");
    }

    #[test]
    fn where_figures_are_sampled_or_runs_spread_little_is_noise() {
        let sampled = |bytes| {
            let mut entry = holding(bytes);
            entry.report.timeline.exact = false;
            entry
        };
        assert_eq!(kind(&against(vec![sampled(300_000)], vec![sampled(310_000)]), "heap bytes"), Kind::Same);
        assert_eq!(
            kind(&against(vec![sampled(300_000)], vec![sampled(320_000)]), "heap bytes"),
            Kind::Changed
        );
        let spread = vec![holding(300_000), holding(350_000)];
        assert_eq!(kind(&against(spread, vec![holding(345_000)]), "heap bytes"), Kind::Same);
    }

    #[test]
    fn a_leak_is_worse_and_its_end_better() {
        let clean = || {
            entry(CaseReport { scenario: "slice-pins-block".into(), ..fixtures::clean("slice-pins-block") })
        };
        let leak = || entry(fixtures::heap_leak());
        let worse = against(vec![clean()], vec![leak()]);
        assert_eq!((kind(&worse, "outcome"), kind(&worse, "heap growth")), (Kind::Worse, Kind::Worse));
        assert_eq!(worse.exit(), Exit::Leak);
        let better = against(vec![leak()], vec![clean()]);
        assert_eq!((kind(&better, "outcome"), better.exit()), (Kind::Better, Exit::Clean));
        let still = against(vec![leak()], vec![leak()]);
        assert_eq!((kind(&still, "heap growth"), still.exit()), (Kind::Same, Exit::Clean));
    }

    #[test]
    fn a_test_that_sees_less_is_worse() {
        let seeing = |times: f64, exact| {
            let mut entry = holding(300_000);
            entry.report.timeline.exact = exact;
            for verdict in &mut entry.report.resources {
                verdict.sensitivity_per_cycle = verdict.sensitivity_per_cycle.map(|least| least * times);
            }
            entry
        };
        let kind = |a: &[f64], b: &[f64], exact| {
            let side = |times: &[f64]| times.iter().map(|times| seeing(*times, exact)).collect();
            kind(&against(side(a), side(b)), "tasks would have seen")
        };
        assert_eq!([kind(&[1.0], &[3.0], true), kind(&[3.0], &[1.0], true)], [Kind::Worse, Kind::Better]);
        assert_eq!(kind(&[1.0], &[3.0], false), Kind::Same, "one sampled run says nothing");
        assert_eq!(kind(&[1.0, 2.0, 1.0], &[5.0, 5.0, 9.0], false), Kind::Worse);
        assert_eq!(kind(&[1.0, 4.0, 1.0], &[5.0, 5.0, 9.0], false), Kind::Same);
    }

    #[test]
    fn cases_that_one_side_lacks_are_named_and_what_is_gone_is_inconclusive() {
        let other = entry(fixtures::clean("other"));
        let comparison = against(vec![holding(1), other.clone()], vec![holding(1)]);
        assert_eq!(
            (comparison.only_in_a.as_slice(), comparison.exit()),
            (&["sim::other".to_owned()][..], Exit::Inconclusive)
        );
        assert!(comparison.text(false, Look::plain(200)).contains("only in 1234abc: sim::other"));
        let grown = against(vec![holding(1)], vec![holding(1), other.clone()]);
        assert_eq!((grown.only_in_b.len(), grown.exit()), (1, Exit::Clean));
        assert_eq!(against(vec![other], vec![holding(1)]).exit(), Exit::Inconclusive);
    }
}
