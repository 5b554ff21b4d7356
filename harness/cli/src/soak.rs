//! `soak`: play for a time, keep everything, judge it when the time is over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use watertight::engine::Plant;
use watertight::exit::Exit;
use watertight::runner::soak::{Listener, OnLeak, SoakOptions, soak};
use watertight::runner::{Job, Library, Limits, Options, Outputs, Selection, Shelf, Stop, select};
use watertight::scenario::IgnoreFile;
use watertight::seed::Seed;
use watertight::store::DEFAULT_PATH;
use watertight::units::{Size, Time};

use crate::live;
use crate::metrics::{Beside, RunMetrics};
use crate::parse_set;
use crate::run::{EngineArg, fail, selection, tell};
use crate::soak_progress::SoakProgress;

const EXAMPLES: &str = "\
Examples:
  watertight soak scenarios/gate/flapping-network.yaml --engine process --for 8h
      Overnight, over real processes; what is measured is kept in watertight.db.
  watertight soak scenarios/gate/flapping-network.yaml --engine process --for 8h --resume
      Goes on where it was cut off; one report over all of it.
  watertight soak scenarios/gate --for 30d
      A month of simulated time, in the first engine that each scenario names.
  watertight soak scenarios/defects/heartbeat-outlives-connection.yaml --for 1h --on-leak stop
      Ends as soon as the leak was captured twice.";

/// The arguments of `soak`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files, or folders of them; each case of them is soaked, all at once
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// For how long, in the engine's own time: on the wall clock, or simulated
    #[arg(long = "for", value_name = "TIME")]
    lasts: Time,
    /// Keep what is measured in this file; several soaks may share it
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    store: PathBuf,
    /// Let the store take no more than this of the disk: a soak that would is ended, and what it measured judged
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    store_max: Size,
    /// Go on with the latest soak of each case, which was cut off
    #[arg(long)]
    resume: bool,
    /// What becomes of a soak that shows a leak
    #[arg(long, value_name = "WHAT", default_value = "go-on")]
    on_leak: OnLeakArg,

    /// Play in this engine; may be repeated [default: the first that the scenario names]
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<EngineArg>,
    /// Draw from this seed in the place of each scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play with this setting in the place of the file's, such as `target.defect=none`; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
    /// Only cases whose `scenario::case` or `engine::scenario::case` holds TEXT, or matches it where it has a `*`; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// End a case that has not finished a cycle for this long; it counts as inconclusive
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: Time,
    /// Leak on purpose, as for `run`; `@N` counts the cycles of a segment; may be repeated
    #[arg(long, value_name = "LEAK")]
    plant: Vec<Plant>,

    /// Believe a clean soak: leaks of the size that it says it would have seen are not planted in a short run after it
    #[arg(long)]
    no_control: bool,
    /// Write report.json, junit.xml, report.txt and a timeline of each case into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the whole report as JSON; `-` is standard output, the table then goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show whole call stacks, not only the frames of your own code
    #[arg(long)]
    stacks: bool,
    /// Judge plainly: the exit code is the outcome's, whatever the scenarios expect
    #[arg(long)]
    no_expect: bool,
    /// Put up with the leaks that this file names
    #[arg(long, value_name = "FILE")]
    ignore: Option<PathBuf>,
    /// Serve what goes on as metrics, on this address; any but loopback needs a token in WATERTIGHT_EXPORT_TOKEN
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// No live view, also on a terminal
    #[arg(long)]
    plain: bool,
    /// The commit that was built, for comparisons over commits [default: what `git` says of this folder]
    #[arg(long, value_name = "ID", env = "WATERTIGHT_COMMIT")]
    commit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnLeakArg {
    /// It goes on to its end
    GoOn,
    /// It ends as soon as the leak was captured twice
    Stop,
}

/// Soaks what was asked for; the worst exit of all cases.
pub fn run(args: &Args, library: &dyn Library) -> Exit {
    let selection =
        Selection { overrides: args.set.clone(), ..selection(&args.paths, &args.engine, &args.filter) };
    let jobs = match select(library, &selection) {
        Ok(jobs) => jobs,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let ignore = match args.ignore.as_deref().map(IgnoreFile::read).transpose() {
        Ok(file) => args.ignore.clone().zip(file),
        Err(errors) => return fail(Exit::Usage, &errors),
    };
    let baselines = match Shelf::of(&jobs) {
        Ok(baselines) => baselines,
        Err(errors) => return fail(Exit::Usage, &errors),
    };
    let options = args.options(Options { ignore, baselines, ..Options::default() });
    let outputs = Outputs { json: args.json.clone(), folder: args.out.clone() };
    if let Err(error) = outputs.prepare() {
        return fail(Exit::Harness, &error);
    }
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return fail(Exit::Harness, &error),
    };
    let metrics = RunMetrics::new(&jobs);
    if let Err(error) = metrics.serve(args.metrics) {
        return fail(Exit::Usage, &error);
    }
    let shown = match args.shown(&jobs, &stop) {
        Ok(shown) => shown,
        Err(error) => return fail(Exit::Harness, &error),
    };
    let soaked = soak(&jobs, &options, &stop, &Beside(&*shown, &metrics));
    // The terminal is as it was before the report is printed.
    drop(shown);
    match soaked {
        Ok(report) => tell(&report, &outputs, args.stacks),
        Err(error) => fail(error.exit(), &error),
    }
}

impl Args {
    fn shown(&self, jobs: &[Job], stop: &Stop) -> std::io::Result<Box<dyn Listener>> {
        match live::has_terminal() && !self.plain {
            true => Ok(Box::new(live::Soaking::show(jobs, stop)?)),
            false => Ok(Box::new(SoakProgress::new(jobs))),
        }
    }

    fn options(&self, run: Options) -> SoakOptions {
        let run = Options {
            overrides: self.set.clone(),
            seed: self.seed.map(Seed),
            plain: self.no_expect,
            plants: self.plant.clone(),
            limits: Limits { silence: self.timeout.0.max(Duration::from_millis(1)), ..Limits::default() },
            ..run
        };
        SoakOptions {
            run,
            lasts: self.lasts.0,
            store: self.store.clone(),
            store_bytes_max: self.store_max.0,
            control: !self.no_control && self.plant.is_empty(),
            resume: self.resume,
            on_leak: match self.on_leak {
                OnLeakArg::GoOn => OnLeak::GoOn,
                OnLeakArg::Stop => OnLeak::Stop,
            },
            commit: self.commit.clone().or_else(commit),
        }
    }
}

/// What `git` says is checked out here; `None`: this is no checkout, or there is no `git`.
fn commit() -> Option<String> {
    let asked = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    let said = String::from_utf8(asked.stdout).ok()?;
    asked.status.success().then(|| said.trim().to_owned()).filter(|id| !id.is_empty())
}
