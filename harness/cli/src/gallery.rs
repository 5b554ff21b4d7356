//! `gallery`: plays every defect, its healthy twin and what is harmless, and shows what is found and what is cried about.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use watertight::exit::Exit;
use watertight::gallery::{HEALTHY, Matrix, hang, write};
use watertight::report::RunReport;
use watertight::report::gallery;
use watertight::report::terminal::Look;
use watertight::runner::{Engines, Job, Library, Options, Selection, Stop, play, select};
use watertight::scenario::model::EngineKind;

use crate::progress::Progress;
use crate::{parse_set, screen};

const EXAMPLES: &str = "\
Examples:
  watertight gallery
      Every defect, every healthy twin, everything harmless, simulated.
  watertight gallery --engine process --json gallery.json
      The same over real processes and real TCP.
  watertight gallery --engine all --docs scenarios/defects
      Both, written into the pages beside the scenarios.";

/// The arguments of `gallery`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files, or folders of them; those tagged `defect` or `harmless` are played
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Play in this engine
    #[arg(long, value_name = "ENGINE", default_value = "sim")]
    engine: EngineArg,
    /// Only cases whose name holds TEXT; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Play with this setting in the place of the file's; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
    /// Cases at once [default: one a core in sim, six a core on the wall clock]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write the matrix as JSON; `-` is standard output, the table then goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the matrix into DIR/README.md, and each defect's report into its page there
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineArg {
    /// Simulated: exact and fast
    Sim,
    /// Real processes and TCP
    Process,
    /// Both
    All,
}

/// Plays the gallery.
pub fn gallery(args: &Args, library: &dyn Library) -> Exit {
    let jobs = match select(library, &args.selection()) {
        Ok(jobs) => jobs,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return fail(Exit::Harness, &error),
    };
    let (defects, harmless) = hang(jobs);
    if defects.is_empty() && harmless.is_empty() {
        screen::err(
            "error: nothing here is tagged `defect` or `harmless`: name other files, or tag your own",
        );
        return Exit::Usage;
    }
    match args.played(&defects, &harmless, &stop) {
        Ok((matrix, problems)) => args.tell(&matrix, &problems),
        Err(error) => fail(Exit::Harness, &error),
    }
}

impl Args {
    fn selection(&self) -> Selection {
        let engines = match self.engine {
            EngineArg::Sim => Engines::Only(vec![EngineKind::Sim]),
            EngineArg::Process => Engines::Only(vec![EngineKind::Process]),
            EngineArg::All => Engines::All,
        };
        Selection {
            paths: self.paths.clone(),
            overrides: self.set.clone(),
            engines,
            filters: self.filter.clone(),
            tags: Vec::new(),
        }
    }

    /// Plays defects, their healthy twins and what is harmless; what could not be played comes as problems.
    fn played(
        &self,
        defects: &[Job],
        harmless: &[Job],
        stop: &Stop,
    ) -> std::io::Result<(Matrix, Vec<String>)> {
        let as_written = self.options();
        let healthy = Options { overrides: self.healthy(), plain: true, ..as_written.clone() };
        let with_leaks = played(defects, &as_written, stop)?;
        let twins = played(defects, &healthy, stop)?;
        let harmless = played(harmless, &as_written, stop)?;
        let parts = [&with_leaks, &twins, &harmless];
        let wall_time: Duration = parts.iter().map(|part| part.wall_time).sum();
        let problems = parts.iter().flat_map(|part| part.problems.clone()).collect();
        Ok((Matrix::of(&with_leaks.cases, &twins.cases, &harmless.cases, wall_time), problems))
    }

    fn healthy(&self) -> Vec<(String, String)> {
        let (path, value) = HEALTHY;
        self.set.iter().cloned().chain([(path.to_owned(), value.to_owned())]).collect()
    }

    fn options(&self) -> Options {
        let default = Options::default();
        Options {
            overrides: self.set.clone(),
            jobs: self.jobs.map_or(default.jobs, usize::from),
            wall_clock_jobs: self.jobs.map_or(default.wall_clock_jobs, usize::from),
            ..default
        }
    }

    fn tell(&self, matrix: &Matrix, problems: &[String]) -> Exit {
        let mut exit = matrix.exit();
        if !problems.is_empty() {
            exit = exit.worse(Exit::Inconclusive);
        }
        problems.iter().for_each(|problem| screen::err(&format!("problem: {problem}")));
        let text = gallery::text(matrix, Look { width: screen::width(), color: true, stacks: false });
        let to_stdout = self.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if to_stdout {
            screen::err(&text);
        } else {
            exit = exit.worse(screen::out(&text));
        }
        exit.worse(self.write_json(matrix)).worse(self.write_docs(matrix))
    }

    fn write_json(&self, matrix: &Matrix) -> Exit {
        let Some(path) = &self.json else { return Exit::Clean };
        let text = match serde_json::to_string_pretty(matrix) {
            Ok(text) => text + "\n",
            Err(error) => return fail(Exit::Harness, &error),
        };
        if path.as_os_str() == "-" {
            return screen::out(&text);
        }
        match fs::write(path, text) {
            Ok(()) => Exit::Clean,
            Err(error) => {
                screen::err(&format!(
                    "error: cannot write {}: {error}; the table above stands",
                    path.display()
                ));
                Exit::Harness
            }
        }
    }

    fn write_docs(&self, matrix: &Matrix) -> Exit {
        let Some(folder) = &self.docs else { return Exit::Clean };
        match write(matrix, folder) {
            Ok(()) => Exit::Clean,
            Err(error) => fail(Exit::Harness, &error),
        }
    }
}

fn played(jobs: &[Job], options: &Options, stop: &Stop) -> std::io::Result<RunReport> {
    let progress = Progress::new(jobs);
    play(jobs, options, stop, &progress)
}

fn fail(exit: Exit, error: &dyn std::error::Error) -> Exit {
    screen::err(&format!("error: {error}"));
    exit
}
