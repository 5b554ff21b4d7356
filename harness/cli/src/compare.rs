//! `compare`: two commits, runs or report files side by side.

use std::fs;
use std::path::{Path, PathBuf};

use watertight::exit::Exit;
use watertight::history::{Entry, Side, compare};
use watertight::report::RunReport;
use watertight::report::terminal::Look;
use watertight::runner::named_commit;
use watertight::store::{DEFAULT_PATH, StoreError};

use crate::history::{entries, show};
use crate::run::fail;
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  watertight compare main HEAD
      What the store has of two commits, as git names them.
  watertight compare before/report.json after/report.json
      Two report files.
  watertight compare 12 17
      Two runs of the store, by their numbers.

Exit codes:
  0  nothing became worse
  1  something became worse: an outcome, a figure at rest by more than 10 % and a few units, a sensitivity to less than half
  2  no such commit, run or file
  3  cases of A are missing in B, or nothing is there to compare";

/// The arguments of `compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A report file, the number of a run, or a commit: its beginning, or a name that git knows
    a: String,
    /// Another one
    b: String,
    /// Read runs and commits from this file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    store: PathBuf,
    /// Show every figure, not only those that changed
    #[arg(long)]
    all: bool,
    /// Write the comparison as JSON; `-` is standard output, the table then goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Why a name stands for no reports.
#[derive(Debug, thiserror::Error)]
enum NameError {
    #[error("{path}: expected a report as `watertight run --json` writes it: {why}", path = path.display())]
    NoReport { path: PathBuf, why: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{name}`: no such file, and {store} has no such run or commit; it has {there}", store = store.display())]
    Unknown { name: String, store: PathBuf, there: String },
    #[error("`{name}` may be any of the commits {commits}: write more of it")]
    Ambiguous { name: String, commits: String },
}

/// Shows what differs.
pub fn run(args: &Args) -> Exit {
    let sides = side(&args.a, &args.store).and_then(|a| Ok((a, side(&args.b, &args.store)?)));
    let (a, b) = match sides {
        Ok(sides) => sides,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let comparison = compare(&a, &b);
    let text = comparison.text(args.all, Look { width: screen::width(), color: true, stacks: false });
    comparison.exit().worse(show(&text, &comparison, args.json.as_ref()))
}

/// What `name` stands for: a file where there is one, else a run, else a commit.
fn side(name: &str, store: &Path) -> Result<Side, NameError> {
    let path = Path::new(name);
    let entries = if path.is_file() { of_file(path)? } else { of_store(name, store)? };
    Ok(Side { name: name.to_owned(), entries })
}

fn of_file(path: &Path) -> Result<Vec<Entry>, NameError> {
    let wrong = |why: String| NameError::NoReport { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let report: RunReport = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(report.cases.into_iter().map(Entry::of).collect())
}

fn of_store(name: &str, store: &Path) -> Result<Vec<Entry>, NameError> {
    let all = entries(store)?;
    if let Ok(run) = name.parse::<i64>()
        && let Some(entry) = all.iter().find(|entry| entry.run == Some(run))
    {
        return Ok(vec![entry.clone()]);
    }
    let commit = of_commit(name, &all)?.or_else(|| named_commit(name));
    let its: Vec<Entry> =
        all.iter().filter(|entry| commit.is_some() && entry.commit == commit).cloned().collect();
    if its.is_empty() {
        let (name, store) = (name.to_owned(), store.to_owned());
        return Err(NameError::Unknown { name, store, there: there(&all) });
    }
    Ok(its)
}

/// The fewest characters of a commit that stand for it.
const COMMIT_CHARS_MIN: usize = 4;

/// The one commit that begins with `name`.
fn of_commit(name: &str, all: &[Entry]) -> Result<Option<String>, NameError> {
    let commits = commits(all);
    let its: Vec<&String> =
        commits.iter().filter(|commit| name.len() >= COMMIT_CHARS_MIN && commit.starts_with(name)).collect();
    match its[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        [..] => {
            let commits = its.iter().map(|commit| commit.as_str()).collect::<Vec<_>>().join(", ");
            Err(NameError::Ambiguous { name: name.to_owned(), commits })
        }
    }
}

/// The commits that were played, in the order in which they first were.
fn commits(all: &[Entry]) -> Vec<String> {
    let mut commits: Vec<String> = Vec::new();
    for commit in all.iter().filter_map(|entry| entry.commit.as_ref()) {
        if !commits.contains(commit) {
            commits.push(commit.clone());
        }
    }
    commits
}

/// Commits that an error names: the latest.
const COMMITS_TOLD: usize = 5;

fn there(all: &[Entry]) -> String {
    let commits = commits(all);
    let latest = &commits[commits.len().saturating_sub(COMMITS_TOLD)..];
    match latest {
        [] => format!("{} reports of no known commit", all.len()),
        latest => format!("{} reports, the latest of the commits {}", all.len(), latest.join(", ")),
    }
}
