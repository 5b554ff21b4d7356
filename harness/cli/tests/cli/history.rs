//! Runs that are kept: how figures went over commits, and what differs between two of them.

use crate::bench::{Bench, Ran};
use crate::fake::TASKS;

pub const TESTS: &[(&str, fn())] = &[
    ("history::commits_are_points_of_a_curve", commits_are_points_of_a_curve),
    ("history::two_commits_are_compared", two_commits_are_compared),
    ("history::two_report_files_are_compared", two_report_files_are_compared),
    ("history::what_is_not_there_ends_2_and_says_what_is", what_is_not_there_ends_2_and_says_what_is),
    ("history::an_interrupted_case_says_nothing_of_its_commit", an_interrupted_case_says_nothing),
];

/// A bench whose store has these commits, each with so many tasks at rest.
fn kept(commits: &[(&str, &str)]) -> (Bench, String) {
    let bench = Bench::new();
    let store = bench.path("store.db").to_string_lossy().into_owned();
    for (commit, tasks) in commits {
        let args = ["run", "fake/clean.yaml", "fake/on.yaml", "--store", &store, "--commit", commit];
        let ran = Ran::from(bench.watertight(&args).env(TASKS, tasks).output().expect("it starts"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    (bench, store)
}

fn commits_are_points_of_a_curve() {
    let (bench, store) = kept(&[("aaaa1111", "4"), ("bbbb2222", "8"), ("cccc3333", "11")]);
    let ran = bench.run(&["history", "--store", &store, "--scenario", "clean"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let row = ran.stdout.lines().nth(1).expect("a row");
    let columns: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(columns[..7], ["sim::clean", "tasks", "3", "▁▅█", "4", "11", "+175.0"], "{}", ran.stdout);
    assert!(!ran.stdout.contains("sim::on"), "{}", ran.stdout);
    let ran = bench.run(&["history", "--store", &store, "--commits", "2", "--json", "-"]);
    let all: serde_json::Value = serde_json::from_str(&ran.stdout).expect("nothing but JSON");
    let points = all[0]["points"].as_array().expect("points");
    assert_eq!((points.len(), points[0]["commit"].as_str()), (2, Some("bbbb2222")));
    let ran = bench.run(&["history", "--store", &store, "--resource", "fds"]);
    assert_eq!(ran.code, Some(2), "what is not measured has no points: {}", ran.stdout);
}

fn two_commits_are_compared() {
    let (bench, store) = kept(&[("aaaa1111", "4"), ("bbbb2222", "5"), ("bbbb3333", "40")]);
    let compare = |args: &[&str]| bench.run(&[&["compare", "--store", &store], args].concat());
    let ran = compare(&["aaaa", "bbbb2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("sim::clean  tasks      4      5  +25.0 %  changed"), "{}", ran.stdout);
    let ran = compare(&["aaaa1111", "bbbb3333"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("2 cases in both: 0 the same, 2 worse"), "{}", ran.stdout);
    let ran = compare(&["1", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("1 case in both: 1 the same"), "{}", ran.stdout);
    let ran = compare(&["aaaa", "bbbb"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("`bbbb` may be any of the commits bbbb2222, bbbb3333"), "{}", ran.stderr);
}

fn two_report_files_are_compared() {
    let bench = Bench::new();
    let report = |name: &str, files: &[&str]| {
        let path = bench.path(name).to_string_lossy().into_owned();
        bench.run(&[&["run", "--json", &path], files].concat());
        path
    };
    let before = report("before.json", &["fake/clean.yaml", "fake/on.yaml"]);
    let after = report("after.json", &["fake/clean.yaml"]);
    let ran = bench.run(&["compare", &before, &after]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stdout.contains("before.json: sim::on\n"), "{}", ran.stdout);
    let ran = bench.run(&["compare", &before, &before]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

fn what_is_not_there_ends_2_and_says_what_is() {
    let (bench, store) = kept(&[("aaaa1111", "4")]);
    let text = bench.path("text.json");
    std::fs::write(&text, "[]").expect("the bench has a folder");
    let text = text.to_string_lossy();
    for (args, expected) in [
        (vec!["history", "--store", "no-such.db"], "store no-such.db: it cannot be opened"),
        (vec!["history", "--store", &text], "expected a store of watertight"),
        (
            vec!["history", "--store", &store, "--scenario", "no-such"],
            "none of its 2 reports is of such a case",
        ),
        (
            vec!["history", "--store", &store, "--resource", "tacks"],
            "expected one of tasks, fds, threads, heap, rss",
        ),
        (vec!["compare", "--store", &store, "aaaa", "dddd"], "2 reports, the latest of the commits aaaa1111"),
        (
            vec!["compare", "--store", &store, "aaaa", &text],
            "expected a report as `watertight run --json` writes it",
        ),
        (
            vec!["run", "fake/clean.yaml", "--store", "/dev/null/x.db"],
            "store /dev/null/x.db: it cannot be opened",
        ),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
}

fn an_interrupted_case_says_nothing() {
    let bench = Bench::new();
    let store = bench.path("store.db").to_string_lossy().into_owned();
    let args = [
        "run",
        "fake/clean.yaml",
        "fake/dawdle.yaml",
        "--jobs",
        "1",
        "--store",
        &store,
        "--commit",
        "aaaa1111",
    ];
    let parent = bench.watertight(&args).spawn().expect("it starts");
    bench.noted("child");
    let id = rustix::process::Pid::from_child(&parent);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(crate::bench::ended(parent).code, Some(3));
    let ran = bench.run(&["history", "--store", &store]);
    assert!(ran.stdout.contains("sim::clean") && !ran.stdout.contains("sim::dawdle"), "{}", ran.stdout);
}
