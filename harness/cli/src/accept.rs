//! `accept`: what scenarios hold at rest becomes what they may hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watertight::exit::Exit;
use watertight::report::CaseReport;
use watertight::runner::{Baselines, Job, Library, Options, Selection, Stop, path_beside, play, select};
use watertight::verdict::Outcome;

use crate::progress::Progress;
use crate::run::{EngineArg, engines, fail};
use crate::screen;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watertight accept scenarios/gate\n  watertight accept scenarios/gate/slow-consumer.yaml --engine all"
)]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Accept what they hold in this engine; may be repeated [default: the first that the scenario names]
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<EngineArg>,
    /// Only cases whose `scenario::case` or `engine::scenario::case` holds TEXT, or matches it where it has a `*`; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
}

/// Plays the scenarios, and writes what those hold that ended well.
pub fn accept(args: &Args, library: &dyn Library) -> Exit {
    let selection = Selection {
        paths: args.paths.clone(),
        engines: engines(&args.engine),
        filters: args.filter.clone(),
        ..Selection::default()
    };
    let jobs = match select(library, &selection) {
        Ok(jobs) => jobs,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let played = Stop::on_signals().and_then(|stop| {
        let progress = Progress::new(&jobs);
        play(&jobs, &Options::default(), &stop, &progress)
    });
    match played {
        Ok(report) => report.exit.worse(write_all(&jobs, &report.cases)),
        Err(error) => fail(Exit::Harness, &error),
    }
}

/// Writes the file of each folder.
fn write_all(jobs: &[Job], cases: &[CaseReport]) -> Exit {
    let mut files: BTreeMap<PathBuf, Vec<&CaseReport>> = BTreeMap::new();
    for job in jobs {
        files.entry(path_beside(&job.case.file)).or_default();
    }
    for case in cases {
        match why_not(case) {
            Some(why) => screen::err(&format!("not accepted: {}: {why}", case.test_name())),
            None => files.entry(path_beside(&case.file)).or_default().push(case),
        }
    }
    let write = |exit: Exit, (path, cases): (PathBuf, Vec<&CaseReport>)| exit.worse(write(&path, &cases));
    files.into_iter().filter(|(_, cases)| !cases.is_empty()).fold(Exit::Clean, write)
}

/// Why the figures of a case are none to go by.
fn why_not(case: &CaseReport) -> Option<String> {
    let rests = matches!(case.outcome, Outcome::Clean | Outcome::Retained | Outcome::Saturating);
    (!rests).then(|| case.headline.clone())
}

fn write(path: &Path, cases: &[&CaseReport]) -> Exit {
    let mut baselines = match Baselines::beside(path) {
        Ok(baselines) => baselines.unwrap_or_default(),
        Err(errors) => return fail(Exit::Usage, &errors),
    };
    let changes = baselines.accept(cases);
    baselines.forget_gone(path.parent().unwrap_or(Path::new(".")));
    if let Err(error) = baselines.write_beside(path) {
        let wrapped = std::io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()));
        return fail(Exit::Harness, &wrapped);
    }
    let told = format!("{}: {} of {} cases new or moved", path.display(), changes.len(), cases.len());
    screen::out(&[vec![told], changes].concat().join("\n  "))
}
