//! `sensitivity`: is it true what clean runs say that they would have seen?

use std::fmt::Write;
use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::report::{CaseReport, figures};
use watertight::runner::{Library, Options, SensitivityRow, Stop, select, sensitivity};

use crate::progress::Progress;
use crate::run::{self, EngineArg};
use crate::screen;

/// The arguments of `sensitivity`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Play in this engine; may be repeated [default: the first that the scenario names]
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<EngineArg>,
    /// Only cases whose name holds TEXT; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Play each case with every seed from 1 to N
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Cases at once [default: one a core in sim, six a core on the wall clock]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
}

/// Plays each case with each seed, and again with what each run says that it would have seen; tells how often it was.
pub fn run(args: &Args, library: &dyn Library) -> Exit {
    let selection = run::selection(&args.paths, &args.engine, &args.filter);
    let jobs = match select(library, &selection) {
        Ok(jobs) => jobs,
        Err(error) => return run::fail(Exit::Usage, &error),
    };
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return run::fail(Exit::Harness, &error),
    };
    let default = Options::default();
    let options = Options {
        jobs: args.jobs.map_or(default.jobs, usize::from),
        wall_clock_jobs: args.jobs.map_or(default.wall_clock_jobs, usize::from),
        ..default
    };
    let progress = Progress::with_seeds(&jobs, args.seeds);
    let played = sensitivity(&jobs, &options, args.seeds, &stop, &progress);
    drop(progress);
    match played {
        Ok((rows, unclean)) => {
            let exit = exit(&rows, &unclean, &stop);
            exit.worse(screen::out(&text(&rows, &unclean)))
        }
        Err(error) => run::fail(Exit::Harness, &error),
    }
}

/// A statement that is not true is the harness's own failure.
fn exit(rows: &[SensitivityRow], unclean: &[CaseReport], stop: &Stop) -> Exit {
    let is_true = rows.iter().all(|row| row.found == row.planted);
    match (is_true, unclean.is_empty() && !stop.is_requested()) {
        (false, _) => Exit::Harness,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Clean,
    }
}

/// A line a case and resource; then the runs that have nothing to say.
fn text(rows: &[SensitivityRow], unclean: &[CaseReport]) -> String {
    let mut out = String::new();
    let widest = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    for row in rows {
        let resource = row.resource.name();
        let (found, planted, stated) = (row.found, row.planted, row.stated.join(", "));
        let _ = writeln!(out, "{:<widest$}  {resource:<5}  {found:>3} of {planted:<3}  {stated}", row.name);
        for missed in &row.missed {
            let _ = writeln!(out, "  missed by: {missed}");
        }
    }
    for report in unclean {
        let outcome = figures::outcome(report.outcome);
        let _ = writeln!(out, "{} seed {}: {outcome}: {}", report.test_name(), report.seed, report.headline);
        let _ = writeln!(out, "  replay: {}", report.replay);
    }
    out.trim_end().to_owned()
}
