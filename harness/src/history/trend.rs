//! How what a case holds at rest, and what it would have seen, went from commit to commit.

use serde::Serialize;

use super::{Entry, by_case, change, label};
use crate::report::figures;
use crate::report::terminal::{self, Look};
use crate::resource::Resource;
use crate::verdict::{Figure, Outcome};

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Parts of names, of which one must be in `engine::scenario::case`; none: every case.
    pub scenarios: Vec<String>,
    /// Resources; none: every one.
    pub resources: Vec<Resource>,
    /// The latest commits, so many of them.
    pub commits: usize,
}

/// One figure of one case over commits, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// `engine::scenario::case`, with the target's defect and the options of the runs, if there are any.
    pub name: String,
    /// What the figure belongs to.
    pub resource: Resource,
    /// The figure: `tasks`, `heap bytes`.
    pub figure: &'static str,
    /// One a commit.
    pub points: Vec<Point>,
    #[serde(skip)]
    unit: Figure,
}

/// What a commit's latest run says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The commit; of a run whose commit nobody knows its number.
    pub commit: String,
    /// When it was played.
    pub at: String,
    /// How many runs the commit has.
    pub runs: usize,
    /// What was held at rest.
    pub at_rest: u64,
    /// The smallest leak that would have been seen, in units a cycle.
    pub sensitivity_per_cycle: Option<f64>,
    /// How the case ended.
    pub outcome: Outcome,
}

/// The figures of `entries`, which are in the order of time, over their commits.
pub fn trends(entries: &[Entry], choice: &Choice) -> Vec<Series> {
    let is_chosen =
        |name: &str| choice.scenarios.is_empty() || choice.scenarios.iter().any(|part| name.contains(part));
    let chosen = by_case(entries).into_iter().filter(|(name, _)| is_chosen(name));
    chosen.flat_map(|(name, entries)| of_case(&name, &entries, choice)).collect()
}

fn of_case(name: &str, entries: &[&Entry], choice: &Choice) -> Vec<Series> {
    let commits = by_commit(entries);
    let latest = &commits[commits.len().saturating_sub(choice.commits.max(1))..];
    let Some(newest) = entries.last() else { return Vec::new() };
    let wanted = |figure: &Figure| choice.resources.is_empty() || choice.resources.contains(&figure.resource);
    let series = |unit: Figure| {
        let points: Vec<Point> =
            latest.iter().filter_map(|(commit, runs)| point(commit, runs, &unit)).collect();
        let name = name.to_owned();
        (!points.is_empty()).then(|| Series {
            name,
            resource: unit.resource,
            figure: label(&unit),
            points,
            unit,
        })
    };
    newest.at_rest().filter(wanted).filter_map(series).collect()
}

/// Runs by commit, in the order in which commits were first played.
fn by_commit<'a>(entries: &[&'a Entry]) -> Vec<(String, Vec<&'a Entry>)> {
    let mut commits: Vec<(String, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        let unknown = || entry.run.map_or_else(|| "unknown".to_owned(), |run| format!("run {run}"));
        let commit = entry.commit.clone().unwrap_or_else(unknown);
        match commits.iter_mut().find(|(there, _)| *there == commit) {
            Some((_, runs)) => runs.push(entry),
            None => commits.push((commit, vec![entry])),
        }
    }
    commits
}

fn point(commit: &str, runs: &[&Entry], unit: &Figure) -> Option<Point> {
    let last = runs.last()?;
    let at_rest = last.at_rest().find(|figure| figure.key == unit.key)?.value?;
    Some(Point {
        commit: commit.to_owned(),
        at: last.at.clone(),
        runs: runs.len(),
        at_rest,
        sensitivity_per_cycle: last.sensitivity(unit.resource),
        outcome: last.report.outcome,
    })
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A curve of one line, from the least of `figures` to the most; one that is flat lies at the bottom.
pub fn spark(figures: &[u64]) -> String {
    let least = figures.iter().min().copied().unwrap_or_default();
    let span = figures.iter().max().map_or(0, |most| most - least);
    let bar = |figure: &u64| {
        let height = if span == 0 { 0.0 } else { (figure - least) as f64 / span as f64 };
        BARS[(height * (BARS.len() - 1) as f64).round() as usize]
    };
    figures.iter().map(bar).collect()
}

/// One row a series: the curve, its ends, and what would have been seen.
pub fn text(all: &[Series], look: Look) -> String {
    let head = ["case", "at rest", "commits", "trend", "first", "last", "change", "would have seen", "ended"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(row));
    terminal::lay_out(&rows, &[2, 4, 5, 6], look, |row, _| match row {
        0 => terminal::faint(),
        _ => anstyle::Style::new(),
    })
}

fn row(series: &Series) -> Vec<String> {
    let figures: Vec<u64> = series.points.iter().map(|point| point.at_rest).collect();
    let (first, last) =
        (figures.first().copied().unwrap_or_default(), figures.last().copied().unwrap_or_default());
    let ended = series.points.last().map_or("-", |point| figures::outcome(point.outcome));
    vec![
        series.name.clone(),
        series.figure.to_owned(),
        series.points.len().to_string(),
        spark(&figures),
        series.unit.amount(first),
        series.unit.amount(last),
        change(&series.unit, first, last),
        seen(series),
        ended.to_owned(),
    ]
}

/// The last sensitivity, and the first where it was another. Bytes are judged by their blocks.
fn seen(series: &Series) -> String {
    let said = |point: &Point| point.sensitivity_per_cycle.map(|least| figures::rate(series.resource, least));
    let all: Vec<String> = series.points.iter().filter_map(said).collect();
    match (all.first(), all.last()) {
        _ if series.unit.is_bytes => "-".to_owned(),
        (Some(first), Some(last)) if first != last => format!("{last} (was {first})"),
        (_, Some(last)) => last.clone(),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::verdict::Resting;

    /// A run of a commit that holds so many tasks and bytes.
    pub fn entry(commit: &str, tasks: u64, bytes: u64) -> Entry {
        let resting = Resting { tasks: Some(tasks), bytes: Some(bytes), ..Resting::default() };
        let report = fixtures::clean("flapping-network");
        Entry {
            run: Some(1),
            commit: Some(commit.to_owned()),
            at: "2026-11-21T17:05:00Z".to_owned(),
            options: String::new(),
            resting,
            report,
        }
    }

    fn choice(commits: usize) -> Choice {
        Choice { commits, ..Choice::default() }
    }

    #[test]
    fn a_commit_is_a_point_and_its_latest_run_counts() {
        let entries =
            [entry("a", 14, 300_000), entry("b", 14, 310_000), entry("a", 20, 1), entry("c", 16, 600_000)];
        let all = trends(&entries, &choice(10));
        let tasks = &all[0];
        let points: Vec<_> =
            tasks.points.iter().map(|point| (point.commit.as_str(), point.at_rest, point.runs)).collect();
        assert_eq!((tasks.figure, points), ("tasks", vec![("a", 20, 2), ("b", 14, 1), ("c", 16, 1)]));
        assert_eq!(all.iter().map(|series| series.figure).collect::<Vec<_>>(), ["tasks", "heap bytes"]);
        let latest = trends(&entries, &choice(2));
        assert_eq!(latest[0].points.len(), 2);
    }

    #[test]
    fn scenarios_and_resources_are_chosen() {
        let entries = [entry("a", 14, 300_000)];
        let heap = Choice { resources: vec![Resource::Heap], ..choice(10) };
        assert_eq!(trends(&entries, &heap).len(), 1);
        let other = Choice { scenarios: vec!["no-such".to_owned()], ..choice(10) };
        assert_eq!(trends(&entries, &other), []);
    }

    #[test]
    fn runs_with_other_options_are_another_series() {
        let planted = Entry { options: "--plant heap=1B".to_owned(), ..entry("a", 900, 1) };
        let all =
            trends(&[entry("a", 14, 1), planted], &Choice { resources: vec![Resource::Tasks], ..choice(10) });
        let names: Vec<_> = all.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["sim::flapping-network", "sim::flapping-network, --plant heap=1B"]);
    }

    #[test]
    fn a_run_without_a_commit_is_a_point_of_its_own() {
        let unknown = |run| Entry { run: Some(run), commit: None, ..entry("", 14, 1) };
        let all = trends(&[unknown(7), unknown(9)], &choice(10));
        let commits: Vec<_> = all[0].points.iter().map(|point| point.commit.as_str()).collect();
        assert_eq!(commits, ["run 7", "run 9"]);
    }

    #[test]
    fn a_spark_reaches_from_the_least_to_the_most() {
        assert_eq!(spark(&[0, 50, 100]), "▁▅█");
        assert_eq!(spark(&[7, 7, 7]), "▁▁▁");
        assert_eq!(spark(&[]), "");
        assert_eq!(spark(&[u64::MAX, 0]), "█▁");
    }

    #[test]
    fn a_table_has_the_curve_and_its_ends() {
        let all = trends(&[entry("a", 14, 300_000), entry("b", 14, 450_000)], &choice(10));
        let text = text(&all, Look::plain(200));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].contains("tasks") && lines[1].contains("none") && lines[1].contains("per 19 cycles"),
            "{text}"
        );
        assert!(lines[2].contains("▁█") && lines[2].contains("+50.0 %"), "{text}");
    }
}
