//! Every scenario file, case and engine is a test with a name of its own: `engine::folder::scenario::case`.
//!
//! Each is played by the same runner as `watertight run`, in a child process of its own, which is this binary started
//! again. Scenarios tagged `soak` are cut short; those tagged `gate` are played once more under dhat, as `dhat::…`, which must count what the probe counts, call stack by call stack. What
//! this machine lacks a program for is ignored with the reason, unless `WATERTIGHT_REQUIRE=all` makes that a failure.
//!
//! Beside them stand [`controls`], `engine::planted::…` and `engine::healthy::…`; [`targets`], `process::target::…`;
//! [`patients`], `process::patient::…`; [`processes`], `process::fault::…`; and [`language`] and [`gallery`], which read files.

mod controls;
mod foreign;
mod gallery;
mod language;
mod mutants;
mod pages;
mod patients;
mod processes;
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use watertight::engine::WorldPlayer;
use watertight::exit::Exit;
use watertight::explain::ALIKE;
use watertight::gallery::DEFECT;
use watertight::report::CaseReport;
use watertight::report::terminal::{self, Look};
use watertight::runner::{
    Engines, Explain, Job, Options, RunRequest, Selection, Stop, WorldLibrary, play_one, roles, select,
};
use watertight::scenario::model::EngineKind;
use watertight_scenarios::S7World;
use watertight_scenarios::roles::ROLES;

use crate::controls::Control;
use crate::mutants::Mutant;
use crate::targets::Test;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

/// Counted cycles of a soak scenario here: an hour's worth, where the scenario has days.
const SOAK_CYCLES: usize = 100;

/// Counted cycles under dhat, some forty times slower.
const DHAT_CYCLES: usize = 20;

/// Wall-clock cases at once: they wait more than they compute.
const WALL_CLOCK_AT_ONCE: usize = 12;

/// Threads that wait for children: all wall-clock cases at once, and whoever computes.
const THREADS: usize = WALL_CLOCK_AT_ONCE + 2;

/// Columns of a failure's text.
const WIDTH: usize = 110;

fn main() -> ExitCode {
    if let Some(exit) = roles::dispatch(ROLES, &WorldPlayer(S7World)) {
        return exit;
    }
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(THREADS);
    let trials = workspace().and_then(|()| trials());
    match trials {
        Ok(trials) => libtest_mimic::run(&args, trials).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            Exit::Usage.into()
        }
    }
}

/// Scenarios name files from the root of the workspace, as a person does who types the command.
fn workspace() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&root).map_err(|error| format!("{}: {error}", root.display()))
}

fn trials() -> Result<Vec<Trial>, String> {
    let paths = vec![PathBuf::from("scenarios")];
    let selection = Selection { paths, engines: Engines::All, ..Selection::default() };
    let mut jobs = select(&WorldLibrary(S7World), &selection).map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared {
        wall_clock: Permits::new(WALL_CLOCK_AT_ONCE),
        sim: Permits::new(std::thread::available_parallelism().map_or(1, usize::from)),
        no_go_service: foreign::build(),
        must_have_all: std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all"),
    });
    let mut controls = controls::all()?;
    // Those that mostly wait go first: the others compute meanwhile.
    jobs.sort_by_key(|job| job.engine != EngineKind::Process);
    controls.sort_by_key(|control| control.job.engine != EngineKind::Process);
    let mut trials: Vec<Trial> =
        controls.into_iter().map(|control| control_trial(control, &shared)).collect();
    trials.extend(mutants::all()?.into_iter().map(|mutant| mutant_trial(mutant, &shared)));
    trials.extend(targets::ALL.map(|(name, test)| waiting_trial("target", name, test, &shared)));
    trials.extend(patients::ALL.map(|(name, test)| patient_trial(name, test, &shared)));
    trials.extend(processes::ALL.map(|(name, test)| waiting_trial("fault", name, test, &shared)));
    trials.extend(language::ALL.map(|(name, test)| reading_trial("language", name, test)));
    trials.extend(gallery::ALL.map(|(name, test)| reading_trial("gallery", name, test)));
    trials.extend(pages::ALL.map(|(name, test)| reading_trial("pages", name, test)));
    trials.push(browser_trial(&shared));
    for job in jobs {
        if is_tagged(&job, "gate") && job.engine == EngineKind::Sim {
            trials.push(trial(job.clone(), Explain::Dhat { json: None }, &shared));
        }
        trials.push(trial(job, Explain::Sites, &shared));
    }
    let mut names = BTreeSet::new();
    match trials.iter().find(|trial| !names.insert(trial.name().to_owned())) {
        Some(twice) => Err(format!("two scenarios are called {}", twice.name())),
        None => Ok(trials),
    }
}

/// What the trials of this process share.
struct Shared {
    wall_clock: Permits,
    sim: Permits,
    /// Why the Go service of `scenarios/foreign` is not there, if it is not.
    no_go_service: Option<String>,
    must_have_all: bool,
}

impl Shared {
    fn permit(&self, engine: EngineKind) -> Permit<'_> {
        match engine {
            EngineKind::Sim => self.sim.take(),
            EngineKind::Process | EngineKind::Container => self.wall_clock.take(),
        }
    }
}

fn trial(job: Job, explain: Explain, shared: &Arc<Shared>) -> Trial {
    let of_go = shared.no_go_service.clone().filter(|_| is_tagged(&job, "go"));
    let missing = of_go.or_else(|| job.missing());
    let run = Arc::clone(shared);
    skipped_without(missing, name(&job, &explain), shared, move || played(&job, explain, &run))
}

/// A test that is ignored for the reason `missing`, which is then read where the tests are listed.
fn skipped_without(
    missing: Option<String>,
    name: String,
    shared: &Shared,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let is_ignored = missing.is_some() && !shared.must_have_all;
    // The kind is shown before the name, which stays the same.
    let kind = missing.clone().unwrap_or_default();
    let test = move || missing.map_or_else(test, |reason| Err(Failed::from(reason)));
    Trial::test(name, test).with_kind(kind).with_ignored_flag(is_ignored)
}

fn control_trial(control: Control, shared: &Arc<Shared>) -> Trial {
    let shared = Arc::clone(shared);
    let name = format!("{}::{}", control.job.engine.name(), control.name);
    Trial::test(name, move || {
        let _permit = shared.permit(control.job.engine);
        let report = play_one(&control.job, &control.request, &Options::default(), &Stop::never())?;
        control.check(&report).map_err(|what| Failed::from(format!("{what}:\n{}", text(&report))))
    })
}

fn mutant_trial(mutant: Mutant, shared: &Arc<Shared>) -> Trial {
    let shared = Arc::clone(shared);
    let name = format!("{}::{}", mutant.job.engine.name(), mutant.name);
    Trial::test(name, move || {
        let _permit = shared.permit(mutant.job.engine);
        let report = mutant.play()?;
        mutant.check(&report).map_err(|what| Failed::from(format!("{what}:\n{}", text(&report))))
    })
}

fn waiting_trial(subject: &str, name: &str, test: Test, shared: &Arc<Shared>) -> Trial {
    let shared = Arc::clone(shared);
    Trial::test(format!("process::{subject}::{name}"), move || {
        let _permit = shared.permit(EngineKind::Process);
        test().map_err(Failed::from)
    })
}

fn patient_trial(name: &str, test: Test, shared: &Arc<Shared>) -> Trial {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = std::env::split_paths(&path).any(|folder| folder.join(patients::PROGRAM).is_file());
    let missing = (!is_here).then(|| patients::NEEDS.to_owned());
    let (name, run) = (format!("process::patient::{name}"), Arc::clone(shared));
    skipped_without(missing, name, shared, move || {
        let _permit = run.permit(EngineKind::Process);
        test().map_err(Failed::from)
    })
}

/// A test that only reads files.
fn reading_trial(subject: &str, name: &str, test: Test) -> Trial {
    Trial::test(format!("{subject}::{name}"), move || test().map_err(Failed::from))
}

/// The one that needs a browser: ignored with the reason where there is none.
fn browser_trial(shared: &Shared) -> Trial {
    let (name, test) = pages::IN_A_BROWSER;
    let missing = pages::missing();
    reading_trial("pages", name, test)
        .with_kind(missing.map_or(String::new(), |file| format!("needs {file}")))
        .with_ignored_flag(missing.is_some() && !shared.must_have_all)
}

pub(crate) fn text(report: &CaseReport) -> String {
    terminal::block(report, Look::plain(WIDTH))
}

fn name(job: &Job, explain: &Explain) -> String {
    let name = job.name();
    match explain {
        Explain::Sites => name,
        Explain::Dhat { .. } => format!("dhat{}", name.trim_start_matches(job.engine.name())),
    }
}

fn played(job: &Job, explain: Explain, shared: &Shared) -> Result<(), Failed> {
    let _permit = shared.permit(job.engine);
    let options = Options { cycles: cycles(job, &explain), ..Options::default() };
    let request = RunRequest { explain, ..options.request(job) };
    let report = play_one(job, &request, &options, &Stop::never())?;
    let is_alike = report.notes.iter().any(|note| note.starts_with(ALIKE));
    match report.exit {
        _ if request.explain != Explain::Sites && !is_alike => {
            Err(Failed::from(format!("dhat and the probe do not agree:\n{}", text(&report))))
        }
        Exit::Clean if is_tagged(job, DEFECT) && job.engine == EngineKind::Sim => replayed(job, &report),
        Exit::Clean => Ok(()),
        _ => Err(Failed::from(text(&report))),
    }
}

/// The command that the report of a leak gives must show it again, in as few cycles as it says.
fn replayed(job: &Job, first: &CaseReport) -> Result<(), Failed> {
    let Some(cycles) = first.resources.iter().find_map(|verdict| verdict.detected_after) else {
        return Ok(());
    };
    if !first.replay.ends_with(&format!(" --cycles {cycles}")) {
        return Err(Failed::from(format!("found after {cycles} cycles, but: {}", first.replay)));
    }
    let options = Options { cycles: Some(cycles), ..Options::default() };
    let again = play_one(job, &options.request(job), &options, &Stop::never())?;
    match again.exit {
        Exit::Clean => Ok(()),
        _ => Err(Failed::from(format!("the shortest replay shows something else:\n{}", text(&again)))),
    }
}

/// How many cycles are counted, where it is not the scenario that says so.
fn cycles(job: &Job, explain: &Explain) -> Option<usize> {
    let most = match explain {
        Explain::Dhat { .. } => DHAT_CYCLES,
        Explain::Sites if is_tagged(job, "soak") => SOAK_CYCLES,
        Explain::Sites => return None,
    };
    Some(job.case.cycles.min(most))
}

fn is_tagged(job: &Job, tag: &str) -> bool {
    job.case.tags.iter().any(|other| other == tag)
}

/// So many at once, and no more. (A runner that gives each test a process of its own limits them by its own means:
/// `.config/nextest.toml`.)
struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    const fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), returned: Condvar::new() }
    }

    /// Waits until one is free.
    fn take(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(self)
    }
}

/// Given back when dropped.
struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
