//! The soak of the soak: the two processes of a soak, watched by the harness's own census and judged by its own judge.
//!
//! Each is played in a process of its own, since heap counters are process-wide: the parent over a child that only pretends,
//! the child over the real gateway in the simulation, both with time compressed. Each is shown to be caught when it keeps
//! what it should not.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use watertight::census::Census;
use watertight::engine::WorldPlayer;
use watertight::runner::soak::{Listener, OnLeak, SoFar, SoakOptions, soak};
use watertight::runner::{
    Asked, Job, Library, Message, Options, Player, RunRequest, Selection, SoakRequest, Stop, WorldLibrary,
    select,
};
use watertight::timeline::{CycleRecord, Timeline};
use watertight::verdict::{Judgement, Outcome, Rules, judge};
use watertight_probe::{Tenant, fds, heap, process};
use watertight_scenarios::S7World;

use crate::fake::FakeLibrary;

/// The first argument of a process that soaks and watches itself.
pub const ROLE: &str = "__self-soak";

pub const TESTS: &[(&str, fn())] = &[
    ("self_soak::the_parent_of_a_soak_does_not_grow", || judged("parent", "healthy", Outcome::Clean)),
    ("self_soak::a_parent_that_keeps_its_cycles_is_caught", || judged("parent", "keeps", Outcome::Leak)),
    ("self_soak::the_child_of_a_soak_does_not_grow", || judged("child", "healthy", Outcome::Clean)),
    ("self_soak::a_child_that_keeps_its_cycles_is_caught", || judged("child", "keeps", Outcome::Leak)),
];

/// Cycles before counting starts: code pages, caches of SQL, tables of the probe.
const WARM_UP: usize = 60;

/// Cycles that are watched.
const CYCLES: usize = 300;

fn judged(who: &str, how: &str, outcome: Outcome) {
    let this = std::env::current_exe().expect("this binary has a path");
    let mut command = Command::new(this);
    let output = command.args([ROLE, who, how]).env("WATERTIGHT_HEAP", "sites").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let judgement: Judgement = serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
    let rows = || {
        judgement.resources.iter().map(|row| format!("{}: {:?}: {}\n", row.resource, row.outcome, row.why))
    };
    let found = judgement.outcome;
    // Pages that an allocator keeps are nothing that a soak keeps.
    let found = if found == Outcome::Retained { Outcome::Clean } else { found };
    assert_eq!(found, outcome, "{}\n{}", judgement.headline, rows().collect::<String>());
}

/// Soaks, watches itself, and prints what the judge says.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (who, how) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let watch = Watch { keeps: how == "keeps", seen: RefCell::default(), kept: RefCell::default() };
    watch.seen.borrow_mut().reserve(WARM_UP + CYCLES + 1);
    if who == "parent" {
        parent(&watch)
    } else {
        child(&watch)
    }
    println!("{}", serde_json::to_string(&watch.judgement()).expect("a judgement is JSON"));
    ExitCode::SUCCESS
}

/// The census of this process after each cycle of what it soaks.
struct Watch {
    keeps: bool,
    seen: RefCell<Vec<CycleRecord>>,
    /// What a soak must not do.
    kept: RefCell<Vec<String>>,
}

impl Watch {
    fn look(&self, record: &CycleRecord, live: Option<heap::Live>) {
        let mut seen = self.seen.borrow_mut();
        if seen.len() > WARM_UP + CYCLES {
            return;
        }
        if self.keeps {
            self.kept.borrow_mut().push(format!("{record:?}"));
        }
        let census = Census {
            fds: fds::count(None).ok(),
            threads: process::threads().ok(),
            heap_blocks: live.map(|live| live.blocks),
            heap_bytes: live.map(|live| live.bytes),
            rss_bytes: process::rss_bytes().ok(),
            ..Census::default()
        };
        let (cycle, settled_after) = (seen.len(), Some(Duration::ZERO));
        seen.push(CycleRecord { cycle, at: record.at, settled_after, census });
    }

    fn judgement(&self) -> Judgement {
        let cycles = self.seen.borrow().clone();
        assert!(cycles.len() > CYCLES, "{} cycles were watched", cycles.len());
        let timeline = Timeline {
            exact: false,
            warm_up: WARM_UP,
            planned: cycles.len(),
            cycles,
            peak: Census::default(),
            trimmed: None,
            audit: Vec::new(),
            ended: None,
        };
        judge(&timeline, &Rules::default())
    }
}

impl Listener for Watch {
    fn cycle(&self, _job: usize, record: &CycleRecord, _so_far: &SoFar) {
        self.look(record, heap::live());
    }
}

fn jobs(library: &dyn Library, path: PathBuf) -> Vec<Job> {
    select(library, &Selection { paths: vec![path], ..Selection::default() }).expect("the scenario is there")
}

/// The parent's side: its child is this binary's fake, which plays a cycle of 30 s in a millisecond.
fn parent(watch: &Watch) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = SoakOptions {
        run: Options::default(),
        lasts: Duration::from_secs(30 * (WARM_UP + CYCLES + 1) as u64),
        store: folder.path().join("s.db"),
        store_bytes_max: watertight::store::BYTES_MAX,
        control: false,
        resume: false,
        on_leak: OnLeak::GoOn,
        commit: None,
    };
    let jobs = jobs(&FakeLibrary, "fake/clean.yaml".into());
    let report = soak(&jobs, &options, &Stop::never(), watch).expect("it is soaked");
    assert_eq!(report.cases[0].outcome, Outcome::Clean, "{}", report.cases[0].headline);
}

/// The child's side, in this process: what belongs to the harness, without the target and its world.
fn child(watch: &Watch) {
    let path =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/gate/flapping-network.yaml"));
    let job = jobs(&WorldLibrary(S7World), path).remove(0);
    let soak =
        SoakRequest { lasts: Duration::from_secs(30 * (WARM_UP + CYCLES + 1) as u64), cycles_before: 0 };
    let request = RunRequest { soak: Some(soak), ..Options::default().request(&job) };
    let harness = Tenant::named("harness");
    WorldPlayer(S7World)
        .soak(&request, &Stop::never(), &Asked::default(), &mut |message| {
            if let Message::Cycle(record) = &message {
                watch.look(record, heap::live_of(|tenant| tenant.is_within(harness)));
            }
        })
        .expect("it is soaked");
}
