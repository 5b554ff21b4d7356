//! Soaks: cut off, resumed, interrupted, two at once, without a store; leaks that stop them.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use watertight::exit::Exit;
use watertight::report::RunReport;
use watertight::report::soak::{CaptureReason, Soak};
use watertight::store::Store;
use watertight::timeline::CycleRecord;
use watertight::verdict::Outcome;

use crate::bench::{Bench, Ran, case, ended, eventually, read_report, runs};
use crate::fake::SECONDS_PER_CYCLE;

pub const TESTS: &[(&str, fn())] = &[
    ("soaking::a_soak_ends_when_its_time_is_over", a_soak_ends_when_its_time_is_over),
    (
        "soaking::what_was_killed_goes_on_and_is_reported_as_one",
        what_was_killed_goes_on_and_is_reported_as_one,
    ),
    ("soaking::an_interrupted_soak_is_judged_and_can_go_on", an_interrupted_soak_is_judged_and_can_go_on),
    (
        "soaking::a_leak_is_captured_twice_and_stops_the_soak_if_told",
        a_leak_is_captured_twice_and_stops_the_soak,
    ),
    ("soaking::a_leak_is_captured_and_the_soak_goes_on", a_leak_is_captured_and_the_soak_goes_on),
    ("soaking::a_store_that_fills_up_ends_the_soak_and_loses_nothing", a_store_that_fills_up_ends_the_soak),
    ("soaking::a_real_soak_in_sim_goes_on_after_its_end", || a_real_soak_goes_on("sim", 2, "1h")),
    ("soaking::a_real_soak_of_processes_goes_on_after_its_end", || a_real_soak_goes_on("process", 2, "9s")),
    ("soaking::a_clean_soak_finds_what_it_says_it_would_have_seen", a_clean_soak_finds_what_it_says),
    ("soaking::two_soaks_share_a_store_but_not_a_run", two_soaks_share_a_store_but_not_a_run),
    ("soaking::a_store_that_cannot_be_written_is_named_first", a_store_that_cannot_be_written_is_named_first),
    ("soaking::what_cannot_go_on_says_why", what_cannot_go_on_says_why),
    ("soaking::a_child_that_dies_costs_its_own_cycles_and_can_go_on", a_child_that_dies_costs_its_own_cycles),
];

/// Longer than any test.
const FOREVER: &str = "1000000h";

/// `watertight soak ARGS` with a store and a report in the bench's folder.
fn arguments<'a>(bench: &Bench, args: &[&'a str]) -> Vec<String> {
    let path = |name: &str| bench.path(name).to_str().expect("temporary paths are UTF-8").to_owned();
    // The fake leaks nothing that is planted.
    let own =
        ["soak", "--no-control", "--store", &path("s.db"), "--json", &path("out.json")].map(str::to_owned);
    own.into_iter().chain(args.iter().map(|arg: &&'a str| (*arg).to_owned())).collect()
}

fn start(bench: &Bench, args: &[&str]) -> Child {
    let args = arguments(bench, args);
    bench.watertight(&args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().expect("it starts")
}

fn soak(bench: &Bench, args: &[&str]) -> (Ran, RunReport) {
    let ran = ended(start(bench, args));
    let report = read_report(&bench.path("out.json"), &ran);
    (ran, report)
}

fn story<'a>(report: &'a RunReport, scenario: &str) -> &'a Soak {
    case(report, scenario).soak.as_ref().expect("it was soaked")
}

fn kept(bench: &Bench, segment: usize) -> Vec<CycleRecord> {
    Store::open_to_read(&bench.path("s.db")).unwrap().cycles(1, segment).unwrap()
}

fn a_soak_ends_when_its_time_is_over() {
    let bench = Bench::new();
    let (ran, report) = soak(&bench, &["fake/clean.yaml", "--for", "20m"]);
    assert_eq!((ran.code, report.exit), (Some(0), Exit::Clean), "{}", ran.stderr);
    let clean = case(&report, "clean");
    assert_eq!((clean.outcome, clean.counted_cycles()), (Outcome::Clean, 40));
    assert_eq!(clean.headline, "nothing grows over 40 cycles; would have seen 1 task per 19 cycles");
    assert_eq!(clean.replay, "watertight soak fake/clean.yaml --engine sim --seed 7 --for 20m");
    assert_eq!(kept(&bench, 0), clean.timeline.cycles);
    let store = Store::open_to_read(&bench.path("s.db")).unwrap();
    assert!(store.runs().unwrap()[0].ended.is_some());
    assert_eq!(store.reports().unwrap()[0].report.headline, clean.headline);
    assert!(ran.stderr.contains("sim::clean: run 1 for 20 min"), "{}", ran.stderr);
}

fn what_was_killed_goes_on_and_is_reported_as_one() {
    let bench = Bench::new();
    let mut parent = start(&bench, &["fake/dawdle.yaml", "--for", FOREVER]);
    let child = bench.noted("child");
    eventually("some cycles to be kept", || {
        Store::open_to_read(&bench.path("s.db")).is_ok() && kept(&bench, 0).len() > 20
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the child to follow", || !runs(child));
    let first = kept(&bench, 0);
    assert!(first.iter().enumerate().all(|(at, record)| record.cycle == at), "no cycle is missing");
    let left = 12;
    let seconds = SECONDS_PER_CYCLE * (first.len() as u64 + left);
    let (ran, report) = soak(&bench, &["fake/dawdle.yaml", "--for", &format!("{seconds}s"), "--resume"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let story = story(&report, "dawdle");
    let cycles: Vec<usize> = story.segments.iter().map(|segment| segment.cycles).collect();
    assert_eq!(cycles, [first.len(), left as usize], "every cycle that was kept, and those that were left");
    assert_eq!(story.cycles, first.len() + left as usize);
    assert_eq!(story.told, 0, "the longest clean segment says what would have been seen");
    assert!(ran.stdout.contains("2 of 2 segments are judged"), "{}", ran.stdout);
    assert!(ran.stdout.contains("cut off") && ran.stdout.contains("its time was over"), "{}", ran.stdout);
}

fn an_interrupted_soak_is_judged_and_can_go_on() {
    let bench = Bench::new();
    let parent = start(&bench, &["fake/dawdle.yaml", "--for", FOREVER]);
    bench.noted("child");
    eventually("some cycles to be kept", || {
        Store::open_to_read(&bench.path("s.db")).is_ok() && kept(&bench, 0).len() > 20
    });
    kill_process(Pid::from_child(&parent), Signal::INT).unwrap();
    let ran = ended(parent);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let report = read_report(&bench.path("out.json"), &ran);
    let dawdle = case(&report, "dawdle");
    assert_eq!((dawdle.outcome, dawdle.counted_cycles()), (Outcome::Clean, kept(&bench, 0).len()));
    assert!(
        report.problems[0].starts_with("interrupted: `--resume` goes on with what is in "),
        "{:?}",
        report.problems
    );
    let store = Store::open_to_read(&bench.path("s.db")).unwrap();
    assert_eq!(store.runs().unwrap()[0].ended, None);
    assert_eq!(store.segments(1).unwrap()[0].ended.as_deref(), Some("interrupted"));
}

fn a_leak_is_captured_twice_and_stops_the_soak() {
    let bench = Bench::new();
    let (ran, report) = soak(&bench, &["fake/leak.yaml", "--for", FOREVER, "--on-leak", "stop"]);
    assert_eq!((ran.code, case(&report, "leak").outcome), (Some(1), Outcome::Leak), "{}", ran.stderr);
    let story = story(&report, "leak");
    let whys: Vec<CaptureReason> = story.captures.iter().map(|capture| capture.why).collect();
    assert_eq!(whys, [CaptureReason::Evidence, CaptureReason::Later, CaptureReason::End]);
    assert!(story.captures[0].cycle < story.captures[1].cycle);
    assert_eq!(story.segments[0].ended, "stopped at the leak");
    let tasks = story.captures[1].tasks[0].1;
    assert!(ran.stdout.contains(&format!("later): {tasks} tasks")), "{}", ran.stdout);
}

fn a_leak_is_captured_and_the_soak_goes_on() {
    let bench = Bench::new();
    let (ran, report) = soak(&bench, &["fake/late-leak.yaml", "--for", "150m"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let story = story(&report, "late-leak");
    assert_eq!((story.cycles, story.segments[0].ended.as_str()), (300, "its time was over"));
    assert_eq!(story.captures[0].why, CaptureReason::Evidence);
    assert!((100..200).contains(&story.captures[0].cycle), "{:?}", story.captures[0]);
    assert_eq!(story.captures[1].why, CaptureReason::Later);
}

fn two_soaks_share_a_store_but_not_a_run() {
    let bench = Bench::new();
    let mut first = start(&bench, &["fake/dawdle.yaml", "--for", FOREVER]);
    bench.noted("child");
    let again = ended(start(&bench, &["fake/dawdle.yaml", "--for", FOREVER, "--resume"]));
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    let who = format!("run 1 is being played by process {}, since ", first.id());
    assert!(again.stderr.contains(&who), "{}", again.stderr);
    let (beside, report) = soak(&bench, &["fake/clean.yaml", "--for", "20m"]);
    assert_eq!((beside.code, story(&report, "clean").cycles), (Some(0), 40), "{}", beside.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
}

fn a_store_that_cannot_be_written_is_named_first() {
    let bench = Bench::new();
    let ran = bench.run(&["soak", "fake/clean.yaml", "--for", "20m", "--store", "/proc/w.db"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("store /proc/w.db: it cannot be opened: "), "{}", ran.stderr);
    std::fs::write(bench.path("notes.txt"), "no database ".repeat(100)).unwrap();
    let notes = bench.path("notes.txt");
    let ran = bench.run(&["soak", "fake/clean.yaml", "--for", "20m", "--store", notes.to_str().unwrap()]);
    assert!(ran.stderr.contains("expected a store of watertight"), "{}", ran.stderr);
}

fn what_cannot_go_on_says_why() {
    let bench = Bench::new();
    let resume = |more: &[&str]| {
        let ran = ended(start(&bench, &[&["fake/clean.yaml", "--for", "20m", "--resume"], more].concat()));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        ran.stderr
    };
    let nothing = resume(&[]);
    assert!(nothing.contains("was cut off there: leave out `--resume` to begin one"), "{nothing}");
    soak(&bench, &["fake/clean.yaml", "--for", "20m"]);
    let over = resume(&[]);
    assert!(over.contains("leave out `--resume` to begin another"), "{over}");
    let mut parent = start(&bench, &["fake/clean.yaml", "--for", FOREVER, "--seed", "3"]);
    eventually("it to begin", || {
        Store::open_to_read(&bench.path("s.db")).unwrap().runs().unwrap().len() == 2
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    let other = resume(&[]);
    assert!(
        other.contains("was begun with seed 3, ") && other.contains("is to go on with seed 7, "),
        "{other}"
    );
}

fn a_child_that_dies_costs_its_own_cycles() {
    let bench = Bench::new();
    let (ran, report) = soak(&bench, &["fake/abort.yaml", "fake/clean.yaml", "--for", "20m"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(case(&report, "clean").outcome, Outcome::Clean);
    let abort = case(&report, "abort");
    assert_eq!((abort.outcome, abort.counted_cycles()), (Outcome::Inconclusive, 2), "{}", abort.headline);
    assert!(report.problems.iter().any(|problem| problem.contains("signal 6")), "{:?}", report.problems);
}

fn a_store_that_fills_up_ends_the_soak() {
    let bench = Bench::new();
    let args = ["fake/dawdle.yaml", "--for", FOREVER, "--store-max", "100KiB"];
    let (ran, report) = soak(&bench, &args);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        report.problems.iter().any(|problem| problem.contains("no room is left")),
        "{:?}",
        report.problems
    );
    let dawdle = case(&report, "dawdle");
    let kept = kept(&bench, 0).len();
    assert!(kept > 100, "{kept} cycles in 100 KiB");
    assert_eq!((dawdle.outcome, dawdle.counted_cycles()), (Outcome::Clean, kept));
    assert!(!runs(bench.noted("child")));
    let seconds = SECONDS_PER_CYCLE * (kept as u64 + 12);
    let (ran, report) = soak(&bench, &["fake/dawdle.yaml", "--for", &format!("{seconds}s"), "--resume"]);
    assert_eq!((ran.code, story(&report, "dawdle").cycles), (Some(0), kept + 12), "{}", ran.stderr);
}

/// The gate's first scenario, over the real gateway.
const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/gate/flapping-network.yaml");

fn a_real_soak_goes_on(engine: &str, cycles: usize, more: &str) {
    let bench = Bench::of_real_world();
    let played = |lasts: &str, resume: &[&str]| {
        let faster =
            ["--set", "cycles.wall.pace=50", "--set", "cycles.wall.warm_up=1", "--set", "cycles.warm_up=1"];
        let args = [&[REAL, "--engine", engine, "--for", lasts], &faster[..], resume].concat();
        start(&bench, &args)
    };
    let mut parent = played(FOREVER, &[]);
    let store = || Store::open_to_read(&bench.path("s.db"));
    eventually("some cycles to be kept", || store().is_ok() && kept(&bench, 0).len() > cycles);
    parent.kill().unwrap();
    parent.wait().unwrap();
    let first = kept(&bench, 0);
    let lasted = first.last().expect("some were kept").at;
    let more: watertight::units::Time = more.parse().unwrap();
    let ran = ended(played(&format!("{}ms", (lasted + more.0).as_millis()), &["--resume"]));
    let report = read_report(&bench.path("out.json"), &ran);
    let story = story(&report, "flapping-network");
    assert_eq!(story.segments.len(), 2, "{}", ran.stderr);
    assert_eq!(story.segments[0].cycles, first.len() - 1, "all that were kept, one of them warm-up");
    assert_eq!(story.segments[1].cycles, kept(&bench, 1).len() - 1);
    assert_eq!(story.segments[1].ended, "its time was over", "{}", ran.stdout);
    assert!(case(&report, "flapping-network").outcome < Outcome::Invalid, "{}", ran.stdout);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

fn a_clean_soak_finds_what_it_says() {
    let bench = Bench::of_real_world();
    let json = bench.path("out.json");
    let store = bench.path("s.db");
    let args =
        ["soak", REAL, "--for", "1h", "--store", store.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let report = read_report(&json, &ran);
    let notes = &case(&report, "flapping-network").notes;
    assert!(
        notes.iter().any(|note| note.starts_with("control: planted ") && note.ends_with(": found")),
        "{notes:?}"
    );
}
