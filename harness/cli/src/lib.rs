//! The command line of Watertight, for any world: a binary brings its world and calls [`main`].
//!
//! One file a subcommand. What is decided is decided in the library; here arguments are read and results shown.

mod accept;
mod check;
mod compare;
mod foreseen;
mod formats;
mod gallery;
mod history;
mod lint;
mod list;
mod live;
mod merge;
mod metrics;
mod plan;
mod progress;
mod proxy;
mod report;
mod run;
mod schema;
mod screen;
mod sensitivity;
mod serve;
mod sharing;
mod soak;
mod soak_progress;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use watertight::runner::{Library, Player, roles};

/// What a binary brings along.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Finds and reads the scenarios of its world.
    pub library: &'a dyn Library,
    /// Plays a case of its world in this process.
    pub player: &'a dyn Player,
    /// The other parts this binary can play.
    pub roles: &'a [roles::Role],
}

/// Finds leaks in async services: plays scenarios, counts what is held after every cycle, judges whether it is bounded.
#[derive(Debug, Parser)]
#[command(name = "watertight", version, max_term_width = 110, after_long_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything bounded, or everything as the scenarios expect
  1  a leak, or a broken budget
  2  bad usage, or a scenario file with errors
  3  inconclusive, invalid or interrupted: says nothing about the target; worth a retry
  4  the harness itself failed";

#[derive(Debug, Subcommand)]
enum Command {
    /// Play scenarios and judge them
    Run(Box<run::Args>),
    /// Tell a report that was saved as JSON, and write it in other formats
    Report(report::Args),
    /// Join what several machines played, each its part of one run, into one report with one exit code
    Merge(merge::Args),
    /// How what cases hold at rest, and what they would have seen, went from commit to commit
    History(history::Args),
    /// Two commits, runs or report files side by side: what changed beyond noise
    Compare(compare::Args),
    /// Play every defect, its healthy twin and what only looks like a leak: what is found, what is cried about
    Gallery(gallery::Args),
    /// Play scenarios and accept what they hold at rest into `baselines.yaml` beside them
    Accept(accept::Args),
    /// Read scenario files and name everything that is wrong with them, without playing
    Check(check::Args),
    /// Show the cases and the timeline of faults that a scenario compiles to, without playing
    Plan(plan::Args),
    /// Print the JSON Schema of the scenario language, for editors, or its reference, for people
    Schema(schema::Args),
    /// Play scenarios for a time and keep everything that is measured: overnight, and worth reading in the morning
    Soak(Box<soak::Args>),
    /// Run the chaos proxy by itself: TCP in front of any server, with faults that a control API adds and heals
    Proxy(proxy::Args),
    /// Is it true what clean runs say that they would have seen? Plants it, with many seeds, and counts how often it is
    Sensitivity(sensitivity::Args),
    /// Read Rust source for what leaks in async services, without building or running it
    Lint(lint::Args),
    /// List scenarios: names, engines, tags, cases
    List(list::Args),
    /// Watch a process that runs anyway, from outside or through its probe; as a side-car for Prometheus too
    Watch(watch::Args),
}

/// Plays the role this process was started for, or reads the command line and does as it says.
pub fn main(parts: Parts<'_>) -> ExitCode {
    roles::dispatch(parts.roles, parts.player).unwrap_or_else(|| from_args(std::env::args_os(), parts))
}

/// Does as `args` say; the first of them is the program's name. Ends the process on bad usage, with 2.
pub fn from_args(args: impl Iterator<Item = OsString>, parts: Parts<'_>) -> ExitCode {
    let exit = match Cli::parse_from(args).command {
        Command::Run(args) => run::run(&args, parts.library),
        Command::Report(args) => report::report(&args),
        Command::Merge(args) => merge::run(&args),
        Command::History(args) => history::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Gallery(args) => gallery::gallery(&args, parts.library),
        Command::Accept(args) => accept::accept(&args, parts.library),
        Command::Check(args) => check::check(&args, parts.library),
        Command::Plan(args) => plan::plan(&args, parts.library),
        Command::Schema(args) => schema::schema(&args, parts.library),
        Command::Soak(args) => soak::run(&args, parts.library),
        Command::Proxy(args) => proxy::proxy(&args),
        Command::Sensitivity(args) => sensitivity::run(&args, parts.library),
        Command::Lint(args) => lint::lint(&args),
        Command::List(args) => list::list(&args, parts.library),
        Command::Watch(args) => watch::watch(&args),
    };
    exit.into()
}

/// `path=value`, as `--set` takes it.
fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err(format!("expected `path=value`, such as `target.defect=none`, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_set_is_a_path_and_a_value_that_may_hold_anything() {
        assert_eq!(parse_set("target.defect=none"), Ok(("target.defect".to_owned(), "none".to_owned())));
        assert_eq!(parse_set("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(parse_set("=x").is_err());
        assert_eq!(
            parse_set("seed"),
            Err("expected `path=value`, such as `target.defect=none`, found `seed`".to_owned())
        );
    }
}
