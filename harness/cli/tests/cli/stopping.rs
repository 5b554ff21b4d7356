//! Ctrl-C, a parent that dies: children end, and what was measured is kept.

use rustix::process::{Pid, Signal, kill_process};
use watertight::timeline::Ended;

use crate::bench::{Bench, case, ended, eventually, read_report, runs};

pub const TESTS: &[(&str, fn())] = &[
    ("stopping::ctrl_c_ends_children_in_order_and_keeps_what_was_measured", ctrl_c_ends_children_in_order),
    ("stopping::a_child_that_does_not_heed_ctrl_c_is_killed", a_child_that_does_not_heed_ctrl_c_is_killed),
    ("stopping::a_second_ctrl_c_ends_at_once_and_leaves_nobody_behind", a_second_ctrl_c_ends_at_once),
    ("stopping::children_end_when_their_parent_is_killed", children_end_when_their_parent_is_killed),
];

fn id(child: &std::process::Child) -> Pid {
    Pid::from_child(child)
}

fn ctrl_c_ends_children_in_order() {
    let bench = Bench::new();
    let json = bench.path("out.json");
    let args =
        ["run", "fake/dawdle.yaml", "fake/clean.yaml", "--jobs", "1", "--json", json.to_str().unwrap()];
    let parent = bench.watertight(&args).spawn().unwrap();
    let child = bench.noted("child");
    kill_process(id(&parent), Signal::INT).unwrap();
    let ran = ended(parent);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stdout.contains("interrupted"), "{}", ran.stdout);
    let report = read_report(&json, &ran);
    let timeline = &case(&report, "dawdle").timeline;
    assert!(timeline.cycles.len() >= 2, "what was measured is kept");
    assert_eq!(timeline.ended, Some(Ended::Interrupted));
    assert!(
        report.problems.contains(&"sim::fake::clean: not played: interrupted".to_owned()),
        "{:?}",
        report.problems
    );
    assert!(!runs(child));
}

fn a_child_that_does_not_heed_ctrl_c_is_killed() {
    let bench = Bench::new();
    let json = bench.path("out.json");
    let args = ["run", "fake/deaf.yaml", "--json", json.to_str().unwrap()];
    let parent = bench.watertight(&args).spawn().unwrap();
    let child = bench.noted("child");
    kill_process(id(&parent), Signal::TERM).unwrap();
    let ran = ended(parent);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let report = read_report(&json, &ran);
    assert_eq!(case(&report, "deaf").headline, "interrupted; 2 of 5 cycles measured");
    assert!(!runs(child));
}

fn a_second_ctrl_c_ends_at_once() {
    let bench = Bench::new();
    let mut parent = bench.watertight(&["run", "fake/deaf.yaml"]).spawn().unwrap();
    let child = bench.noted("child");
    // Two signals sent together may arrive as one, so they are sent until one has ended it.
    eventually("the parent to end", || {
        let _ = kill_process(id(&parent), Signal::INT);
        !runs(id(&parent))
    });
    assert_eq!(parent.wait().unwrap().code(), Some(3));
    eventually("the child to follow", || !runs(child));
}

fn children_end_when_their_parent_is_killed() {
    let bench = Bench::new();
    let mut parent = bench.watertight(&["run", "fake/parent.yaml"]).spawn().unwrap();
    let (child, grandchild) = (bench.noted("child"), bench.noted("grandchild"));
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the child to follow", || !runs(child));
    eventually("what it started to follow", || !runs(grandchild));
}
