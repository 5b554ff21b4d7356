//! The made-up world: a case does what its scenario's name says.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use watertight::census::Census;
use watertight::exit::Exit;
use watertight::report::CaseReport;
use watertight::report::soak::{Capture, CaptureReason, Checkpoint, Ground};
use watertight::runner::{
    Asked, CaseInfo, Event, Library, LibraryError, Message, PlayError, Player, RunRequest, SoakMessage, Stop,
};
use watertight::scenario::model::EngineKind;
use watertight::scenario::picture::PlannedCase;
use watertight::scenario::plan::{Plan, Settling};
use watertight::seed::Seed;
use watertight::timeline::{CycleRecord, Ended, Timeline};
use watertight::verdict::{Outcome, Rules};

/// Where a fake child leaves notes for its test.
pub const NOTES: &str = "FAKE_NOTES";

/// What a child prints before it is asked anything; unset: nothing.
pub const GARBAGE: &str = "FAKE_GARBAGE";

/// How many tasks a child holds at rest; unset: four.
pub const TASKS: &str = "FAKE_TASKS";

/// Scenario time of a cycle.
pub const SECONDS_PER_CYCLE: u64 = 30;

/// What a cycle is said to take.
pub const WALL_TIME_PER_CYCLE: Duration = Duration::from_millis(3);

/// Prints the garbage that a test asked for, where messages are expected.
pub fn garble() {
    if let Ok(text) = std::env::var(GARBAGE) {
        print!("{text}");
        let _ = std::io::stdout().flush();
    }
}

/// The bound and the watch of a plan in which nothing happens.
const WAIT: Duration = Duration::from_secs(2);

/// One scenario a path, named after it, without a file behind it.
pub struct FakeLibrary;

impl Library for FakeLibrary {
    fn discover(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
        Ok(paths.to_vec())
    }

    fn cases(&self, file: &Path, _: &[(String, String)]) -> Result<Vec<CaseInfo>, LibraryError> {
        let scenario = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if scenario == "broken" {
            return Err(LibraryError("broken.yaml:3:7: unknown key `cylces`".to_owned()));
        }
        Ok(vec![CaseInfo {
            file: file.to_owned(),
            scenario,
            case: String::new(),
            about: "made up".to_owned(),
            tags: vec!["fake".to_owned()],
            engines: vec![EngineKind::Sim],
            seed: Seed(7),
            cycles: 5,
            target: "fake".to_owned(),
            needs: Vec::new(),
            storms: false,
            ignore: Vec::new(),
        }])
    }

    fn plan(
        &self,
        file: &Path,
        _: &[(String, String)],
        seed: Option<Seed>,
        cycle: usize,
    ) -> Result<Vec<PlannedCase>, LibraryError> {
        let settle =
            Settling { name: "settle".to_owned(), within: WAIT, until: BTreeMap::new(), watch: WAIT };
        let plan =
            Plan { cycle, phases: Vec::new(), events: Vec::new(), disturbed_for: Duration::ZERO, settle };
        let seed = seed.unwrap_or(Seed(7));
        Ok(vec![PlannedCase { name: file.display().to_string(), seed, peers: Vec::new(), plan }])
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::json!({ "title": "Scenario" })
    }
}

/// Plays five cycles, and whatever the scenario's name adds.
pub struct FakePlayer;

impl Player for FakePlayer {
    fn play(
        &self,
        request: &RunRequest,
        stop: &Stop,
        out: &mut dyn FnMut(Message),
    ) -> Result<CaseReport, PlayError> {
        let scenario = request.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if scenario == "refuse" {
            return Err(PlayError::Usage("no such target: `fake`".to_owned()));
        }
        let planned = if scenario == "dawdle" { 1_000_000 } else { request.cycles.unwrap_or(5) };
        out(Message::Planned { cycles: planned });
        let mut cycles = Vec::new();
        for cycle in 0..planned {
            if stop.is_requested() {
                break;
            }
            misbehave(&scenario, cycle);
            if request.events {
                let chance = if scenario == "chance" && cycle == 3 { std::process::id() } else { 0 };
                let what = format!("link cut, die shows {chance}");
                out(Message::Event(Event { cycle, at: Duration::from_secs(cycle as u64), what }));
            }
            let record = record(cycle);
            out(Message::Cycle(record.clone()));
            cycles.push(record);
        }
        Ok(report(request, &scenario, planned, cycles))
    }

    fn soak(
        &self,
        request: &RunRequest,
        stop: &Stop,
        asked: &Asked,
        out: &mut dyn FnMut(Message),
    ) -> Result<(), PlayError> {
        let scenario = request.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let lasts = request.soak.as_ref().expect("a soak is asked for").lasts;
        out(SoakMessage::Ground(ground()).into());
        let (mut last, mut ended) = (soaked_record(&scenario, 0), None);
        for cycle in 0.. {
            if stop.is_requested() {
                ended = Some(Ended::Interrupted);
                break;
            }
            misbehave(&scenario, cycle);
            // A wall-clock pace: what is asked for after one cycle is there to be read after one of the next.
            thread::sleep(Duration::from_millis(1));
            last = soaked_record(&scenario, cycle);
            out(Message::Cycle(last.clone()));
            if asked.take() {
                out(capture(CaptureReason::Evidence, &last).into());
            }
            if last.at >= lasts {
                break;
            }
        }
        out(capture(CaptureReason::End, &last).into());
        out(SoakMessage::Checkpoint(Checkpoint { at: last.at, ended, ..Checkpoint::default() }).into());
        Ok(())
    }
}

fn misbehave(scenario: &str, cycle: usize) {
    match (scenario, cycle) {
        ("abort", 2) => {
            eprintln!("about to abort");
            std::process::abort();
        }
        ("panic", 2) => panic!("the fake broke a promise"),
        ("quit", 2) => std::process::exit(0),
        ("chatter", _) => println!("a line that is no message"),
        ("flood", _) => eprintln!("{}", "x".repeat(1 << 20)),
        ("hang" | "deaf", 2) => {
            note("child", std::process::id());
            loop {
                thread::park();
            }
        }
        ("parent", 2) => {
            let mut grandchild = Command::new("sleep").arg("1000").spawn().expect("coreutils has sleep");
            note("grandchild", grandchild.id());
            note("child", std::process::id());
            let _ = grandchild.wait();
        }
        // A wall-clock pace, so that a million cycles outlast any test.
        ("dawdle", _) => {
            if cycle == 2 {
                note("child", std::process::id());
            }
            thread::sleep(Duration::from_millis(1));
        }
        _ => {}
    }
}

/// Leaves `pid` under `name`, all at once.
fn note(name: &str, pid: u32) {
    if let Some(folder) = std::env::var_os(NOTES).map(PathBuf::from) {
        let draft = folder.join(format!(".{name}"));
        std::fs::write(&draft, pid.to_string()).expect("the test made the folder");
        std::fs::rename(draft, folder.join(name)).expect("the test made the folder");
    }
}

fn record(cycle: usize) -> CycleRecord {
    let tasks = std::env::var(TASKS).ok().and_then(|tasks| tasks.parse().ok()).unwrap_or(4);
    CycleRecord {
        cycle,
        at: Duration::from_secs(SECONDS_PER_CYCLE * (cycle as u64 + 1)),
        settled_after: Some(Duration::from_secs(1)),
        census: Census { tasks: Some(tasks), ..Census::default() },
    }
}

/// A cycle of a soak: in a `leak` one more task is there after each, in a `late-leak` after each from the hundredth on.
fn soaked_record(scenario: &str, cycle: usize) -> CycleRecord {
    let leaked = match scenario {
        "leak" => cycle as u64,
        "late-leak" => cycle.saturating_sub(100) as u64,
        _ => 0,
    };
    let record = record(cycle);
    CycleRecord { census: Census { tasks: Some(4 + leaked), ..record.census }, ..record }
}

fn ground() -> Ground {
    Ground {
        rules: Rules::default(),
        leak: None,
        outcome: None,
        ignore: Vec::new(),
        target: "fake".to_owned(),
        exact: true,
        warm_up: 0,
        plan: None,
    }
}

/// What the fake holds after `cycle`.
fn capture(why: CaptureReason, record: &CycleRecord) -> SoakMessage {
    SoakMessage::Capture(Capture {
        segment: 0,
        why,
        cycle: record.cycle,
        at: record.at,
        findings: Vec::new(),
        growing: Vec::new(),
        tasks: vec![("fake.rs:1".to_owned(), record.census.tasks.unwrap_or_default())],
        awaits: BTreeMap::new(),
        fds: Vec::new(),
        tcp_states: BTreeMap::new(),
        events: vec!["0.100s disturb: fake: nothing".to_owned()],
    })
}

fn report(request: &RunRequest, scenario: &str, planned: usize, cycles: Vec<CycleRecord>) -> CaseReport {
    let ended = (cycles.len() < planned).then_some(Ended::Interrupted);
    let (outcome, exit) = match scenario {
        _ if ended.is_some() => (Outcome::Inconclusive, Exit::Inconclusive),
        "leak" => (Outcome::Leak, Exit::Leak),
        "suspect" if planned < 20 => (Outcome::Suspect, Exit::Inconclusive),
        "forever-suspect" => (Outcome::Suspect, Exit::Inconclusive),
        "fills" if planned < 15 => (Outcome::Saturating, Exit::Clean),
        "fills-on" => (Outcome::Saturating, Exit::Clean),
        _ => (Outcome::Clean, Exit::Clean),
    };
    CaseReport {
        scenario: scenario.to_owned(),
        case: request.case.clone(),
        engine: request.engine,
        file: request.file.clone(),
        about: "made up".to_owned(),
        seed: request.seed.unwrap_or(Seed(7)),
        target: "fake".to_owned(),
        outcome,
        headline: format!("{scenario} ends as told"),
        expected: None,
        exit,
        resources: Vec::new(),
        findings: Vec::new(),
        audit: Vec::new(),
        notes: vec![format!("heap by {}", std::env::var("WATERTIGHT_HEAP").unwrap_or_default())],
        replay: request.replay_with(None),
        scenario_time: cycles.last().map_or(Duration::ZERO, |last| last.at),
        wall_time: cycles.len() as u32 * WALL_TIME_PER_CYCLE,
        plan: None,
        timeline: Timeline {
            exact: true,
            warm_up: 0,
            cycles,
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            planned,
            ended,
        },
        soak: None,
    }
}
