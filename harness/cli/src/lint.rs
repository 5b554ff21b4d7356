//! `lint`: reads Rust source for what leaks, before anything runs.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use watertight::exit::Exit;
use watertight_lint::told::{github, human, json, sarif};
use watertight_lint::{Asked, Confidence, Report, Sources, workspace_root};

use crate::run::fail;
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  watertight lint
      The Cargo workspace that this folder is in; nothing is built.
  watertight lint src --rule detached-spawn --rule unbounded-channel
      Two rules, one folder.
  watertight lint --min-confidence medium --sarif lint.sarif --github
      For a pipeline.

A finding is answered in the source: `// watertight: allow(rule): reason`.

Exit codes: 0 nothing found, 1 findings, 2 bad usage, 3 nothing found, but not everything could be read.";

/// The arguments of `lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files and folders of Rust; without any, the workspace
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Every package of the Cargo workspace that this folder is in
    #[arg(long, conflicts_with = "paths")]
    workspace: bool,
    /// Only this rule; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule_name)]
    rule: Vec<String>,
    /// Only findings that are at least so sure
    #[arg(long, value_name = "LEVEL", default_value = "low")]
    min_confidence: Sure,
    /// Test code too: `#[cfg(test)]`, `tests/`, `benches/`, `examples/`
    #[arg(long)]
    tests: bool,
    /// Read every file, and keep nothing for the next run
    #[arg(long)]
    no_cache: bool,
    /// Write everything as JSON; `-`, here and below, is standard output, the findings then go to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Print annotations of GitHub
    #[arg(long)]
    github: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sure {
    /// Every second is right
    Low,
    /// More often right than not
    Medium,
    /// Wrong only where something unusual is going on
    High,
}

impl From<Sure> for Confidence {
    fn from(sure: Sure) -> Self {
        match sure {
            Sure::Low => Self::Low,
            Sure::Medium => Self::Medium,
            Sure::High => Self::High,
        }
    }
}

/// What cannot be linted.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no Cargo.toml here or above: name files or folders to lint, or go into a workspace")]
    NoWorkspace,
    #[error("{path}: there is no such file or folder", path = .0.display())]
    NoSuchPath(PathBuf),
    #[error("no `.rs` file in what was named: nothing was linted")]
    Nothing,
    #[error("cannot lint: {0}")]
    System(std::io::Error),
    #[error("cannot write {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

fn rule_name(text: &str) -> Result<String, String> {
    let names: Vec<&str> = watertight_lint::rules().iter().map(|rule| rule.name).collect();
    match watertight_lint::rule(text) {
        Some(rule) => Ok(rule.name.to_owned()),
        None => Err(format!("no rule is called `{text}`; there are: {}", names.join(", "))),
    }
}

/// Lints what is named, tells what was found.
pub fn lint(args: &Args) -> Exit {
    let report = match find(args).and_then(|(sources, cache)| play(args, sources, cache)) {
        Ok(report) => report,
        Err(error @ Error::System(_)) => return fail(Exit::Harness, &error),
        Err(error) => return fail(Exit::Usage, &error),
    };
    tell(args, &report).worse(exit(&report))
}

/// What has not been read may hold anything: such a run is never clean.
fn exit(report: &Report) -> Exit {
    match (report.findings.is_empty(), report.problems.is_empty()) {
        (false, _) => Exit::Leak,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Clean,
    }
}

fn find(args: &Args) -> Result<(Sources, Option<PathBuf>), Error> {
    if let Some(missing) = args.paths.iter().find(|path| !path.exists()) {
        return Err(Error::NoSuchPath(missing.clone()));
    }
    let here = std::env::current_dir().map_err(Error::System)?;
    let root = workspace_root(args.paths.first().unwrap_or(&here));
    let cache = root.as_ref().filter(|_| !args.no_cache).map(|root| cache_of(root));
    let sources = match (args.paths.is_empty(), root) {
        (false, _) => Sources::of_paths(&args.paths, args.tests),
        (true, None) => return Err(Error::NoWorkspace),
        (true, Some(root)) => Sources::of_workspace(&root, args.tests).below(&here),
    };
    match sources.is_empty() && sources.problems.is_empty() {
        true => Err(Error::Nothing),
        false => Ok((sources, cache)),
    }
}

fn cache_of(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("watertight-lint/cache.json")
}

fn play(args: &Args, sources: Sources, cache: Option<PathBuf>) -> Result<Report, Error> {
    let asked =
        Asked { rules: args.rule.clone(), min_confidence: args.min_confidence.into(), tests: args.tests };
    watertight_lint::run(sources, &asked, cache.as_deref()).map_err(Error::System)
}

fn tell(args: &Args, report: &Report) -> Exit {
    let files = [(&args.json, json::text(report)), (&args.sarif, sarif::text(report))];
    let mut text = human::text(report);
    if args.github {
        text += &github::text(report);
    }
    let takes_stdout = files.iter().any(|(path, _)| path.as_deref() == Some(Path::new("-")));
    let mut exit = Exit::Clean;
    match takes_stdout {
        true => screen::err(text.trim_end()),
        false => exit = screen::out(text.trim_end()),
    }
    for (path, text) in files {
        let Some(path) = path else { continue };
        exit = exit.worse(write(path, text.map_err(std::io::Error::other)));
    }
    exit
}

fn write(path: &Path, text: std::io::Result<String>) -> Exit {
    let written = match (text, path == Path::new("-")) {
        (Ok(text), true) => return screen::out(text.trim_end()),
        (Ok(text), false) => fs::write(path, text),
        (Err(error), _) => Err(error),
    };
    match written {
        Ok(()) => Exit::Clean,
        Err(source) => fail(Exit::Harness, &Error::Write { path: path.to_owned(), source }),
    }
}
