//! `run`: play, judge, report.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use watertight::engine::{Network, Plant};
use watertight::exit::Exit;
use watertight::report::terminal::Look;
use watertight::report::{CaseReport, seeds};
use watertight::runner::{
    Both, Engines, Job, Kept, Library, Limits, Observer, Options, Selection, ShardLines, Shelf, Stop,
    check_determinism, commit, play, play_seeds, select,
};
use watertight::scenario::IgnoreFile;
use watertight::scenario::model::EngineKind;
use watertight::seed::Seed;
use watertight::units::Time;

use crate::formats::Formats;
use crate::metrics::{Beside, RunMetrics};
use crate::progress::Progress;
use crate::rerun::{self, Sources};
use crate::sharing::Sharing;
use crate::{parse_set, screen};

const EXAMPLES: &str = "\
Examples:
  watertight run scenarios/gate
      The gate: every scenario in the first engine it names.
  watertight run scenarios/gate --engine process --filter reconnect-storm
      One scenario over real processes and real TCP.
  watertight run scenarios/defects --set target.defect=none --no-expect
      The healthy twin in the scenarios that find defects: must be clean.
  watertight run scenarios/gate/flapping-network.yaml --plant heap=1B --no-expect
      Would one byte a cycle be seen? Must end with 1.
  watertight run scenarios/soak --check-determinism
      Same seed, same timeline? Names the first event that differs.";

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Play in this engine; may be repeated [default: the first that the scenario names]
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<EngineArg>,
    /// Draw from this seed in the place of each scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play each case with every seed from 1 to N; only those that do not end well are told of one by one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    #[arg(conflicts_with_all = ["seed", "report", "html", "markdown", "sarif", "junit", "explain"])]
    seeds: Option<u64>,
    /// Count this many cycles in the place of each scenario's own (warm-up stays)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(5..=10_000_000))]
    cycles: Option<u64>,
    /// Play with this setting in the place of the file's, such as `target.defect=none`; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,

    /// Only cases whose `scenario::case` or `engine::scenario::case` holds TEXT, or matches it where it has a `*`; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Only scenarios with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Cases at once [default: one a core in sim, six a core on the wall clock, where they mostly wait]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// End a case that has not finished a cycle for this long; it counts as inconclusive
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: Time,

    /// Serve what goes on as metrics, on this address; any but loopback needs a token in WATERTIGHT_EXPORT_TOKEN
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["seeds", "check_determinism"])]
    metrics: Option<SocketAddr>,
    /// Ask a second witness: play each case twice again, shortened, under dhat, after N and 2N cycles; its JSON goes into the report's folder
    #[arg(long, value_name = "WITNESS", requires = "report")]
    explain: Option<WitnessArg>,
    /// Judge plainly: the exit code is the outcome's, whatever the scenarios expect
    #[arg(long)]
    no_expect: bool,
    /// Put up with the leaks that this file names, each with a reason, an owner and a day on which it expires
    #[arg(long, value_name = "FILE")]
    ignore: Option<PathBuf>,
    /// Leak on purpose, once a cycle, or `@N`: once, at counted cycle N (from 0): `heap=1B`, `task=1`, `fd=1@20`; or `%K`: in
    /// every Kth cycle; on behalf of a part of the target with `/NAME`: `heap=1kB/plc-7@20`; may be repeated
    #[arg(long, value_name = "LEAK")]
    plant: Vec<Plant>,
    /// The network of a run's programs: one of its own with nothing but loopback, or the machine's [default: its own for storms,
    /// where that is permitted]
    #[arg(long, value_name = "own|host", default_value_t = Network::Auto, hide_default_value = true)]
    network: Network,
    /// Play each clean case again with leaks of the size that it says it would have seen: it is invalid if one is missed
    #[arg(long, conflicts_with = "plant")]
    control: bool,
    /// Play each case twice with one seed, and compare what the two runs tell, line by line
    #[arg(long, conflicts_with_all = ["json", "report", "html", "markdown", "sarif", "junit", "explain", "seeds", "control"])]
    check_determinism: bool,
    /// Play again whenever one of the files changes, or the program of a `command`; Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["metrics", "ndjson"])]
    watch: bool,
    /// Keep each report in this file, for `watertight history` and `compare`; several runs may share it
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    #[command(flatten)]
    sharing: Sharing,

    #[command(flatten)]
    formats: Formats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineArg {
    /// One process, paused clock, in-memory streams: exact and fast
    Sim,
    /// Real processes, real TCP through the chaos proxy, wall clock
    Process,
    /// As `process`, with the target in a container: whatever plays in processes
    Container,
    /// Every engine that the scenario names
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WitnessArg {
    /// The heap profiler dhat
    Dhat,
}

/// Plays what was asked for, once or again with every change; the worst exit of all cases.
pub fn run(args: &Args, library: &dyn Library) -> Exit {
    match Stop::on_signals() {
        Err(error) => fail(Exit::Harness, &error),
        Ok(stop) if args.watch => {
            rerun::rerun(&args.sources(), library, &stop, &|round| play_once(args, library, round))
        }
        Ok(stop) => play_once(args, library, &stop),
    }
}

/// Plays what was asked for; the worst exit of all cases.
fn play_once(args: &Args, library: &dyn Library, stop: &Stop) -> Exit {
    let jobs = match select(library, &args.selection()) {
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
    let options = Options { ignore, baselines, ..args.options() };
    if let Err(error) = args.formats.outputs().prepare() {
        return fail(Exit::Harness, &error);
    }
    if args.check_determinism {
        return compare_all(&args.sharing.share(&jobs), &options, stop);
    }
    let keepers = match Keepers::begin(args, &jobs, &options) {
        Ok(keepers) => keepers,
        Err(exit) => return exit,
    };
    match args.seeds {
        Some(seeds) => with_seeds(&jobs, args, seeds, keepers, stop),
        None => played(&args.sharing.share(&jobs), args, &options, keepers, stop),
    }
}

/// What is written while a run goes on.
struct Keepers {
    lines: Option<ShardLines>,
    kept: Option<Kept>,
}

impl Keepers {
    fn begin(args: &Args, jobs: &[Job], options: &Options) -> Result<Self, Exit> {
        let lines = args.sharing.begin(jobs, options, args.seeds);
        let lines = lines.map_err(|error| fail(Exit::Harness, &error))?;
        let open = |path: &PathBuf| Kept::open(path, options, commit(args.sharing.commit.as_deref()));
        let kept = args.store.as_ref().map(open).transpose();
        Ok(Self { lines, kept: kept.map_err(|error| fail(Exit::Usage, &error))? })
    }

    fn end(self, wall_time: Duration, stop: &Stop) -> Exit {
        let lines = self.lines.map_or(Ok(()), |lines| lines.end(wall_time, stop.is_requested()));
        let lines = lines.map_or_else(|error| fail(Exit::Harness, &error), |()| Exit::Clean);
        let kept = self.kept.map_or(Ok(()), Kept::end);
        lines.worse(kept.map_or_else(|error| fail(Exit::Harness, &error), |()| Exit::Clean))
    }
}

impl Observer for Keepers {
    fn finished(&self, job: usize, report: &CaseReport) {
        if let Some(lines) = &self.lines {
            lines.finished(job, report);
        }
        if let Some(kept) = &self.kept {
            kept.finished(job, report);
        }
    }
}

/// Plays every job with one seed.
fn played(jobs: &[Job], args: &Args, options: &Options, keepers: Keepers, stop: &Stop) -> Exit {
    let metrics = RunMetrics::new(jobs);
    if let Err(error) = metrics.serve(args.metrics) {
        return fail(Exit::Usage, &error);
    }
    let progress = Progress::new(jobs);
    let seen = Beside(&progress as &dyn Observer, &metrics);
    let played = play(jobs, options, stop, &Both(&seen, &keepers));
    drop(progress);
    match played {
        Ok(report) => args.formats.tell(&report).worse(keepers.end(report.wall_time, stop)),
        Err(error) => fail(Exit::Harness, &error),
    }
}

/// Plays every job with every seed; the table says how many ended clean.
fn with_seeds(jobs: &[Job], args: &Args, seeds: u64, keepers: Keepers, stop: &Stop) -> Exit {
    let shard = args.sharing.shard();
    let progress = Progress::with_seeds(jobs, seeds);
    let played = play_seeds(jobs, &args.options(), seeds, shard, stop, &Both(&progress, &keepers));
    drop(progress);
    match played {
        Ok(report) => tell_seeds(&report, &args.formats).worse(keepers.end(report.wall_time, stop)),
        Err(error) => fail(Exit::Harness, &error),
    }
}

fn tell_seeds(report: &seeds::SeedsReport, formats: &Formats) -> Exit {
    let text = seeds::text(report, Look { width: screen::width(), color: true, stacks: false });
    if formats.json.is_none() {
        return report.exit.worse(screen::out(&text));
    }
    let written = formats.outputs().write_seeds(report);
    screen::err(&text);
    report.exit.worse(written.map_or_else(|error| fail(Exit::Harness, &error), |()| Exit::Clean))
}

fn compare_all(jobs: &[Job], options: &Options, stop: &Stop) -> Exit {
    let mut exit = Exit::Clean;
    let progress = Progress::new(jobs);
    for (index, job) in jobs.iter().enumerate() {
        progress.started(index);
        let compared =
            check_determinism(job, options, stop, |record, planned| progress.cycle(index, record, planned));
        let (this, said) = match compared {
            Ok(comparison) => (comparison.exit(), comparison.to_string()),
            Err(error) => (Exit::Harness, error.to_string()),
        };
        let seed = options.seed.unwrap_or(job.case.seed);
        progress.suspended(|| {
            exit =
                exit.worse(this).worse(screen::out(&format!("{} (seed {seed}): {said}", job.short_name())));
        });
    }
    exit
}

pub(crate) fn fail(exit: Exit, error: &dyn std::error::Error) -> Exit {
    let text = error.to_string();
    // Snippets of source stand below the word, not beside it.
    let gap = if text.starts_with(char::is_whitespace) { '\n' } else { ' ' };
    screen::err(&format!("error:{gap}{text}"));
    exit
}

/// The cases of `paths` in the engines asked for.
pub(crate) fn selection(paths: &[PathBuf], engine: &[EngineArg], filters: &[String]) -> Selection {
    let engines = if engine.is_empty() {
        Engines::First
    } else if engine.contains(&EngineArg::All) {
        Engines::All
    } else {
        Engines::Only(engine.iter().filter_map(|engine| engine.kind()).collect())
    };
    Selection { paths: paths.to_vec(), engines, filters: filters.to_vec(), ..Selection::default() }
}

impl Args {
    /// What the run is made of.
    fn sources(&self) -> Sources<'_> {
        Sources { paths: &self.paths, overrides: &self.set, ignore: self.ignore.as_deref() }
    }

    fn selection(&self) -> Selection {
        Selection {
            overrides: self.set.clone(),
            tags: self.tag.clone(),
            ..selection(&self.paths, &self.engine, &self.filter)
        }
    }

    fn options(&self) -> Options {
        let default = Options::default();
        Options {
            overrides: self.set.clone(),
            seed: self.seed.map(Seed),
            cycles: self.cycles.and_then(|cycles| usize::try_from(cycles).ok()),
            plain: self.no_expect,
            plants: self.plant.clone(),
            control: self.control,
            network: self.network,
            mutation: default.mutation,
            dhat: self.explain.and(self.formats.report.clone()),
            jobs: self.jobs.map_or(default.jobs, usize::from),
            wall_clock_jobs: self.jobs.map_or(default.wall_clock_jobs, usize::from),
            limits: Limits { silence: self.timeout.0.max(Duration::from_millis(1)), ..Limits::default() },
            ..default
        }
    }
}

/// The engines that are asked for.
pub(crate) fn engines(asked: &[EngineArg]) -> Engines {
    if asked.is_empty() {
        Engines::First
    } else if asked.contains(&EngineArg::All) {
        Engines::All
    } else {
        Engines::Only(asked.iter().filter_map(|engine| engine.kind()).collect())
    }
}

impl EngineArg {
    fn kind(self) -> Option<EngineKind> {
        match self {
            Self::Sim => Some(EngineKind::Sim),
            Self::Process => Some(EngineKind::Process),
            Self::Container => Some(EngineKind::Container),
            Self::All => None,
        }
    }
}
