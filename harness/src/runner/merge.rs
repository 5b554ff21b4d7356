//! Joins what shards left behind into the report of one run, in its order, with one exit code.
//!
//! Pure: it looks at what was read. What is not there is told of, and makes the run inconclusive: never clean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exit::Exit;
use crate::report::seeds::{SeedsReport, SeedsRow};
use crate::report::{CaseReport, RunReport};
use crate::runner::play::stale_entries;
use crate::runner::shard_file::{Planned, ShardFile, Whole};
use crate::runner::{Deal, Shard};
use crate::scenario::model::EngineKind;

/// The report of one run, as if one machine had played it.
#[derive(Debug, Clone, PartialEq)]
pub enum Merged {
    /// Each job with one seed.
    Run(RunReport),
    /// Each job with many seeds.
    Seeds {
        /// What all seeds say.
        seeds: SeedsReport,
        /// For each job its worst run: what other formats show.
        worst: RunReport,
    },
}

/// Why files cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// Not one of the files says which run it is of.
    #[error("{}: every file is empty: no shard got as far as its first line", names(.0))]
    Empty(Vec<PathBuf>),
    /// They are of different runs.
    #[error(
        "{first} and {other} are of different runs: {what} is `{expected}` in one and `{found}` in the other",
        first = first.display(),
        other = other.display()
    )]
    Different {
        /// One file.
        first: PathBuf,
        /// Another.
        other: PathBuf,
        /// In what they differ.
        what: &'static str,
        /// What the first says.
        expected: String,
        /// What the other says.
        found: String,
    },
    /// One shard twice.
    #[error("shard {shard} comes twice: {first} and {other}; leave one of them out", first = first.display(), other = other.display())]
    Twice {
        /// The shard.
        shard: Shard,
        /// One file.
        first: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// The run was shared by another number of machines.
    #[error("expected {expected} shards, found files of a run that {found} share")]
    Count {
        /// How many were expected.
        expected: u32,
        /// How many there are.
        found: u32,
    },
}

impl MergeError {
    /// The code that a pipeline sees: nothing is known where nothing was written, all else is wrong usage.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Empty(_) => Exit::Inconclusive,
            Self::Different { .. } | Self::Twice { .. } | Self::Count { .. } => Exit::Usage,
        }
    }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Joins `files`; those at `empty` were there, without a first line. `expected` is how many shards there must be.
///
/// # Errors
/// Files that are of different runs, or that hold one shard twice.
pub fn merge(
    mut files: Vec<ShardFile>,
    empty: &[PathBuf],
    expected: Option<u32>,
) -> Result<Merged, MergeError> {
    files.sort_by_key(|file| file.begin.shard);
    let Some(first) = files.first() else { return Err(MergeError::Empty(empty.to_vec())) };
    for other in &files[1..] {
        same_run(first, other)?;
    }
    let twice = files.windows(2).find(|pair| pair[0].begin.shard == pair[1].begin.shard);
    if let Some([first, other]) = twice {
        let (first, other, shard) = (first.path.clone(), other.path.clone(), first.begin.shard);
        return Err(MergeError::Twice { shard, first, other });
    }
    let of = first.begin.shard.of();
    if let Some(expected) = expected.filter(|expected| *expected != of) {
        return Err(MergeError::Count { expected, found: of });
    }
    let mut joining = Joining::of(first.begin.whole.clone());
    empty.iter().for_each(|path| {
        joining.problem(format!("{}: empty: a shard ended before it began", path.display()))
    });
    let ends: Vec<Ended> = files.iter().map(Ended::of).collect();
    files.into_iter().for_each(|file| joining.take(file));
    joining.ask_for_missing(&ends, of);
    Ok(joining.conclude(ends.iter().map(|end| end.wall_time).max().unwrap_or_default()))
}

fn same_run(first: &ShardFile, other: &ShardFile) -> Result<(), MergeError> {
    let (a, b) = (&first.begin, &other.begin);
    let jobs = |whole: &Whole| whole.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
    let commit = |whole: &Whole| whole.commit.clone().unwrap_or_else(|| "unknown".to_owned());
    let compared = [
        ("the commit", commit(&a.whole), commit(&b.whole)),
        ("the number of shards", a.shard.of().to_string(), b.shard.of().to_string()),
        ("the choice of options", a.whole.options.join(" "), b.whole.options.join(" ")),
        ("the number of seeds", format!("{:?}", a.whole.seeds), format!("{:?}", b.whole.seeds)),
        ("the list of cases", jobs(&a.whole), jobs(&b.whole)),
        ("the list of known leaks", format!("{:?}", a.whole.ignore), format!("{:?}", b.whole.ignore)),
        ("the list of files", format!("{:?}", a.whole.jobs), format!("{:?}", b.whole.jobs)),
    ];
    match compared.into_iter().find(|(_, expected, found)| expected != found) {
        None => Ok(()),
        Some((what, expected, found)) => Err(MergeError::Different {
            first: first.path.clone(),
            other: other.path.clone(),
            what,
            expected,
            found,
        }),
    }
}

/// How a shard's file ends.
struct Ended {
    shard: Shard,
    path: PathBuf,
    has_ended: bool,
    wall_time: Duration,
}

impl Ended {
    fn of(file: &ShardFile) -> Self {
        let end = file.end.as_ref();
        Self {
            shard: file.begin.shard,
            path: file.path.clone(),
            has_ended: end.is_some_and(|end| !end.interrupted),
            wall_time: end.map_or(Duration::ZERO, |end| end.wall_time),
        }
    }
}

/// A run: the place of its job, and of its seed, from 0.
type Place = (usize, u64);

struct Joining {
    whole: Whole,
    deal: Deal,
    jobs: BTreeMap<(EngineKind, PathBuf, String), usize>,
    reports: BTreeMap<Place, CaseReport>,
    problems: Vec<String>,
}

impl Joining {
    fn of(whole: Whole) -> Self {
        let engines: Vec<_> = whole.jobs.iter().map(|job| job.engine).collect();
        let key = |job: &Planned| (job.engine, job.file.clone(), job.case.clone());
        let jobs = whole.jobs.iter().enumerate().map(|(at, job)| (key(job), at)).collect();
        let deal = Deal::of(&engines, whole.seeds.unwrap_or(1));
        Self { whole, deal, jobs, reports: BTreeMap::new(), problems: Vec::new() }
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn take(&mut self, file: ShardFile) {
        self.problems.extend(file.broken);
        for report in file.cases {
            match self.place(&report) {
                Some(place) => self.put(&file.path, place, report),
                None => {
                    let (name, seed) = (report.test_name(), report.seed);
                    self.problem(format!(
                        "{}: {name} with seed {seed} is no part of the run",
                        file.path.display()
                    ));
                }
            }
        }
    }

    fn place(&self, report: &CaseReport) -> Option<Place> {
        let key = (report.engine, report.file.clone(), report.case.clone());
        let job = *self.jobs.get(&key)?;
        let seed = match self.whole.seeds {
            None => 0,
            Some(seeds) => report.seed.0.checked_sub(1).filter(|seed| *seed < seeds)?,
        };
        Some((job, seed))
    }

    /// Keeps a report; of two for one run the worse.
    fn put(&mut self, path: &Path, place: Place, report: CaseReport) {
        let Some(there) = self.reports.get(&place) else {
            self.reports.insert(place, report);
            return;
        };
        let is_worse = there.exit.worse(report.exit) != there.exit;
        self.problems.push(format!(
            "{}: {} comes twice; the worse of the two stands",
            path.display(),
            self.name(place)
        ));
        if is_worse {
            self.reports.insert(place, report);
        }
    }

    fn name(&self, (job, seed): Place) -> String {
        let name = &self.whole.jobs[job].name;
        if self.whole.seeds.is_some() { format!("{name} with seed {}", seed + 1) } else { name.clone() }
    }

    /// Runs that nobody reports, told shard by shard.
    fn ask_for_missing(&mut self, ends: &[Ended], of: u32) {
        let seeds = self.whole.seeds.unwrap_or(1);
        let all = (0..self.whole.jobs.len()).flat_map(|job| (0..seeds).map(move |seed| (job, seed)));
        let mut missing: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for (job, seed) in all.filter(|place| !self.reports.contains_key(place)) {
            missing.entry(self.deal.holder(job, seed, of)).or_default().push((job, seed));
        }
        for shard in (1..=of).filter_map(|number| Shard::new(number, of)) {
            let its = missing.remove(&shard.number()).unwrap_or_default();
            let problem = match ends.iter().find(|end| end.shard == shard) {
                None => Some(format!("shard {shard} is missing{}", self.without(&its))),
                Some(end) if !end.has_ended => Some(format!(
                    "shard {shard} did not come to its end ({}){}",
                    end.path.display(),
                    self.without(&its)
                )),
                Some(_) if its.is_empty() => None,
                Some(end) => {
                    Some(format!("shard {shard} is not whole ({}){}", end.path.display(), self.without(&its)))
                }
            };
            self.problems.extend(problem);
        }
    }

    /// `: 3 runs are in no file: sim::a, sim::b, sim::c`.
    fn without(&self, missing: &[Place]) -> String {
        let shown: Vec<String> = missing.iter().take(NAMED_MAX).map(|place| self.name(*place)).collect();
        let more = match missing.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match missing.len() {
            0 => ": none of its runs is missing".to_owned(),
            1 => format!(": this run is in no file: {}", shown[0]),
            count => format!(": {count} runs are in no file: {}{more}", shown.join(", ")),
        }
    }

    fn conclude(mut self, wall_time: Duration) -> Merged {
        let is_whole = self.problems.is_empty();
        let worst = self.reports.values().fold(Exit::Clean, |worst, case| worst.worse(case.exit));
        let exit = if is_whole { worst } else { worst.worse(Exit::Inconclusive) };
        let Some(seeds) = self.whole.seeds else {
            let cases: Vec<CaseReport> = self.reports.into_values().collect();
            if let Some((path, entries)) = self.whole.ignore.as_ref().filter(|_| is_whole) {
                self.problems.extend(stale_entries(path, entries, &cases));
            }
            return Merged::Run(merged(cases, exit, wall_time, self.problems));
        };
        let mut rows: Vec<SeedsRow> =
            self.whole.jobs.iter().map(|job| SeedsRow::of(&job.name, seeds)).collect();
        let mut cases: BTreeMap<usize, CaseReport> = BTreeMap::new();
        for ((job, _), report) in self.reports {
            let is_worse = cases.get(&job).is_none_or(|there| there.exit.worse(report.exit) != there.exit);
            if is_worse {
                cases.insert(job, report.clone());
            }
            rows[job].add(report);
        }
        let cases = cases.into_iter().map(|(job, case)| with_note(case, &rows[job])).collect();
        let worst = merged(cases, exit, wall_time, self.problems);
        Merged::Seeds { seeds: SeedsReport { rows, exit, wall_time }, worst }
    }
}

/// One report of what several machines played.
fn merged(cases: Vec<CaseReport>, exit: Exit, wall_time: Duration, problems: Vec<String>) -> RunReport {
    RunReport { exit, problems, environment: None, ..RunReport::of(cases, wall_time) }
}

/// Runs that are missing, by name: of more their number is enough.
const NAMED_MAX: usize = 5;

fn with_note(mut case: CaseReport, row: &SeedsRow) -> CaseReport {
    let failed = row.played - row.clean - row.as_expected;
    let of = format!("{} of {} seeds", row.played, row.seeds);
    case.notes.push(match failed {
        0 => format!("one of {of} that were played; all ended well"),
        failed => format!("the worst of {of} that were played; {failed} of them did not end well"),
    });
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::runner::shard_file::End;
    use crate::runner::shard_file::tests::{begin, end};
    use crate::seed::Seed;

    fn jobs() -> Vec<CaseReport> {
        ["a", "b", "c", "d", "e"].map(fixtures::clean).to_vec()
    }

    /// The files of a run with the cases in `played` on `of` shards, each where it is dealt to, in reverse order.
    fn files(played: &[CaseReport], of: u32) -> Vec<ShardFile> {
        let deal = Deal::of(&[EngineKind::Sim; 5], 1);
        let one = |number| {
            let shard = Shard::new(number, of).expect("a shard");
            let mine = played.iter().enumerate().filter(|(job, _)| deal.gives(shard, *job, 0));
            ShardFile {
                path: format!("{number}.ndjson").into(),
                begin: begin(&shard.to_string(), played, None),
                cases: mine.map(|(_, case)| case.clone()).rev().collect(),
                end: Some(end()),
                broken: vec![],
            }
        };
        (1..=of).rev().map(one).collect()
    }

    fn run(merged: Result<Merged, MergeError>) -> RunReport {
        match merged {
            Ok(Merged::Run(report)) => report,
            other => panic!("expected one run, found {other:?}"),
        }
    }

    #[test]
    fn shards_come_together_in_the_order_of_one_run() {
        let mut cases = jobs();
        cases[3] = CaseReport { scenario: "d".into(), file: cases[3].file.clone(), ..fixtures::heap_leak() };
        for of in [1, 2, 4, 7] {
            let report = run(merge(files(&cases, of), &[], Some(of)));
            assert_eq!(report.cases, cases, "{of} shards");
            assert_eq!(
                (report.exit, report.problems, report.wall_time),
                (Exit::Leak, vec![], end().wall_time)
            );
        }
    }

    #[test]
    fn what_a_missing_shard_would_have_played_is_told_and_nothing_is_clean() {
        let mut files = files(&jobs(), 2);
        files.pop();
        let report = run(merge(files, &[], None));
        assert_eq!((report.exit, report.cases.len()), (Exit::Inconclusive, 2));
        let told = "shard 1/2 is missing: 3 runs are in no file: sim::a, sim::c, sim::e";
        assert_eq!(report.problems, [told]);
    }

    #[test]
    fn a_leak_is_one_also_where_shards_are_missing() {
        let mut cases = jobs();
        cases[1] = CaseReport { scenario: "b".into(), file: cases[1].file.clone(), ..fixtures::heap_leak() };
        let mut files = files(&cases, 2);
        files.pop();
        assert_eq!(run(merge(files, &[], None)).exit, Exit::Leak);
    }

    #[test]
    fn a_shard_that_was_cut_short_is_told_with_what_it_did_not_play() {
        let mut cut = files(&jobs(), 2);
        (cut[0].cases, cut[0].end) = (cut[0].cases[..1].to_vec(), None);
        cut[0].broken = vec!["2.ndjson:3: ends in the middle of a case".to_owned()];
        let report = run(merge(cut, &[], None));
        let told = "shard 2/2 did not come to its end (2.ndjson): this run is in no file: sim::b";
        assert_eq!(report.problems, ["2.ndjson:3: ends in the middle of a case", told]);
        assert_eq!(report.exit, Exit::Inconclusive);
        let mut stopped = files(&jobs(), 2);
        stopped[0].end = Some(End { interrupted: true, ..end() });
        let report = run(merge(stopped, &[], None));
        let told = "shard 2/2 did not come to its end (2.ndjson): none of its runs is missing";
        assert_eq!((report.problems, report.exit), (vec![told.to_owned()], Exit::Inconclusive));
    }

    #[test]
    fn a_case_that_comes_twice_or_from_elsewhere_is_told_and_the_worse_stands() {
        let mut files = files(&jobs(), 1);
        let leak = CaseReport { file: files[0].cases[4].file.clone(), ..fixtures::heap_leak() };
        files[0].cases.push(leak);
        files[0].cases.push(fixtures::clean("foreign"));
        let report = run(merge(files, &[], None));
        assert_eq!((report.exit, report.cases.len()), (Exit::Leak, 5));
        let twice = "1.ndjson: sim::a comes twice; the worse of the two stands";
        let foreign = "1.ndjson: sim::foreign with seed 7 is no part of the run";
        assert_eq!(report.problems, [twice, foreign]);
    }

    #[test]
    fn an_empty_file_is_a_problem_and_empty_files_alone_are_inconclusive() {
        let empty = [PathBuf::from("2.ndjson")];
        let report = run(merge(files(&jobs(), 1), &empty, None));
        assert_eq!(report.problems, ["2.ndjson: empty: a shard ended before it began"]);
        assert_eq!(report.exit, Exit::Inconclusive);
        let error = merge(vec![], &empty, None).unwrap_err();
        assert_eq!(error.exit(), Exit::Inconclusive);
    }

    #[test]
    fn files_of_different_runs_are_not_joined() {
        type Change = fn(&mut ShardFile);
        let changes: [(Change, &str); 4] = [
            (
                |file| file.begin.whole.commit = None,
                "the commit is `1234abc` in one and `unknown` in the other",
            ),
            (
                |file| file.begin.whole.options = vec!["--control".into()],
                "the choice of options is `` in one and `--control`",
            ),
            (
                |file| file.begin.shard = Shard::new(2, 3).expect("a shard"),
                "the number of shards is `2` in one and `3`",
            ),
            (
                |file| {
                    file.begin.whole.jobs.pop();
                },
                "the list of cases is `sim::a, sim::b",
            ),
        ];
        for (change, expected) in changes {
            let mut files = files(&jobs(), 2);
            change(&mut files[0]);
            let error = merge(files, &[], None).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn one_shard_twice_and_a_wrong_number_of_shards_are_wrong_usage() {
        let mut twice = files(&jobs(), 2);
        twice.push(ShardFile { path: "again.ndjson".into(), ..twice[0].clone() });
        let error = merge(twice, &[], None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shard 2/2 comes twice: 2.ndjson and again.ndjson; leave one of them out"
        );
        let error = merge(files(&jobs(), 2), &[], Some(4)).unwrap_err();
        assert_eq!(error, MergeError::Count { expected: 4, found: 2 });
    }

    #[test]
    fn seeds_come_together_as_rows_and_each_job_shows_its_worst_run() {
        let with_seed = |case: CaseReport, seed| CaseReport { seed: Seed(seed), ..case };
        let job = fixtures::clean("a");
        let leak = CaseReport { file: job.file.clone(), ..fixtures::heap_leak() };
        let begin = |shard: &str| begin(shard, std::slice::from_ref(&job), Some(4));
        let file = |shard: &str, cases| {
            let path = PathBuf::from(shard.replace('/', "-"));
            ShardFile { path, begin: begin(shard), cases, end: Some(end()), broken: vec![] }
        };
        let first = file("1/2", vec![with_seed(job.clone(), 1), with_seed(leak.clone(), 3)]);
        let second = file("2/2", vec![with_seed(job.clone(), 2)]);
        let Ok(Merged::Seeds { seeds, worst }) = merge(vec![second, first], &[], None) else {
            panic!("seeds")
        };
        assert_eq!((seeds.exit, worst.exit), (Exit::Leak, Exit::Leak));
        assert_eq!((seeds.rows[0].seeds, seeds.rows[0].played, seeds.rows[0].clean), (4, 3, 2));
        assert_eq!(
            worst.problems,
            ["shard 2/2 is not whole (2-2): this run is in no file: sim::a with seed 4"]
        );
        assert_eq!((worst.cases.len(), worst.cases[0].seed), (1, Seed(3)));
        let note = "the worst of 3 of 4 seeds that were played; 1 of them did not end well";
        assert_eq!(worst.cases[0].notes.last().map(String::as_str), Some(note));
    }
}
