//! Several machines share a run: together they say what one would have said, and what is lost is never clean.

use rustix::process::{Pid, Signal, kill_process};
use watertight::report::RunReport;
use watertight::report::seeds::SeedsReport;
use watertight::verdict::Outcome;

use crate::bench::{Bench, Ran, ended, read_report};

pub const TESTS: &[(&str, fn())] = &[
    ("shards::parts_and_merge_say_what_one_run_says", parts_and_merge_say_what_one_run_says),
    ("shards::seeds_are_shared_too", seeds_are_shared_too),
    ("shards::more_machines_than_cases_leave_some_without_work", more_machines_than_cases),
    ("shards::a_part_that_is_killed_keeps_what_had_ended", a_part_that_is_killed_keeps_what_had_ended),
    ("shards::two_runs_do_not_write_one_file", two_runs_do_not_write_one_file),
    ("shards::what_cannot_be_joined_ends_2_with_its_file", what_cannot_be_joined_ends_2_with_its_file),
    ("shards::a_full_disk_costs_the_file_and_ends_4", a_full_disk_costs_the_file_and_ends_4),
];

const FILES: [&str; 6] = [
    "fake/clean.yaml",
    "fake/leak.yaml",
    "fake/suspect.yaml",
    "fake/fills.yaml",
    "fake/abort.yaml",
    "fake/on.yaml",
];

/// Plays the part `shard` of `args`; the path of what it wrote.
fn part(bench: &Bench, shard: &str, args: &[&str]) -> (Ran, String) {
    let path = bench.path(&format!("{}.ndjson", shard.replace('/', "-of-")));
    let path = path.to_str().expect("temporary paths are UTF-8").to_owned();
    let ran = bench.run(&[&["run", "--shard", shard, "--ndjson", &path], args].concat());
    (ran, path)
}

fn merge(bench: &Bench, files: &[&str], args: &[&str]) -> Ran {
    bench.run(&[&["merge"], files, args].concat())
}

fn outcomes(report: &RunReport) -> Vec<(String, Outcome, u64)> {
    let outcome = |case: &watertight::report::CaseReport| (case.test_name(), case.outcome, case.seed.0);
    report.cases.iter().map(outcome).collect()
}

fn parts_and_merge_say_what_one_run_says() {
    let bench = Bench::new();
    let (whole, report) = bench.report(&FILES);
    let files: Vec<String> = ["3/4", "1/4", "4/4", "2/4"].map(|shard| part(&bench, shard, &FILES).1).into();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let out = bench.path("merged");
    let ran = merge(&bench, &files, &["--expect-shards", "4", "--report", out.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, whole.code, "{}", ran.stderr);
    let merged = read_report(&out.join("report.json"), &ran);
    assert_eq!(outcomes(&merged), outcomes(&report));
    assert_eq!((merged.exit, merged.problems), (report.exit, vec![]));
    let cycles = |report: &RunReport| -> Vec<usize> {
        report.cases.iter().map(|case| case.timeline.cycles.len()).collect()
    };
    assert_eq!(
        cycles(&read_report(&out.join("report.json"), &ran)),
        cycles(&report),
        "measurements are kept"
    );
    assert!(out.join("junit.xml").exists());
    let ran = merge(&bench, &files[1..], &[]);
    assert_eq!(ran.code, Some(4), "the worst of what is there stands: {}", ran.stderr);
    assert!(
        ran.stdout.contains("shard 3/4 is missing: this run is in no file: sim::fake::suspect"),
        "{}",
        ran.stdout
    );
}

fn seeds_are_shared_too() {
    let bench = Bench::new();
    let args = ["fake/clean.yaml", "fake/leak.yaml", "--seeds", "5"];
    let (first, one) = part(&bench, "1/2", &args);
    assert!(first.stdout.contains("sim::clean  3 seeds: all clean"), "{}", first.stdout);
    let (_, two) = part(&bench, "2/2", &args);
    let (json, out) = (bench.path("seeds.json"), bench.path("worst"));
    let args = ["--json", json.to_str().expect("UTF-8"), "--report", out.to_str().expect("UTF-8")];
    let ran = merge(&bench, &[&one, &two], &args);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let text = std::fs::read_to_string(json).expect("it was written");
    let seeds: SeedsReport = serde_json::from_str(&text).expect("it is read back");
    let counts: Vec<_> =
        seeds.rows.iter().map(|row| (row.seeds, row.played, row.clean, row.failed.len())).collect();
    assert_eq!(counts, [(5, 5, 5, 0), (5, 5, 0, 5)]);
    let failed: Vec<u64> = seeds.rows[1].failed.iter().map(|failed| failed.seed.0).collect();
    assert_eq!(failed, [1, 2, 3, 4, 5], "in the order of one run");
    assert_eq!(outcomes(&read_report(&out.join("report.json"), &ran)).len(), 2);
}

fn more_machines_than_cases() {
    let bench = Bench::new();
    let (first, one) = part(&bench, "1/2", &["fake/clean.yaml"]);
    let (second, two) = part(&bench, "2/2", &["fake/clean.yaml"]);
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{}", second.stderr);
    let folder = bench.path("");
    let ran = merge(&bench, &[folder.to_str().expect("UTF-8")], &["--expect-shards", "2"]);
    assert_eq!((ran.code, one == two), (Some(0), false), "{}", ran.stderr);
}

fn a_part_that_is_killed_keeps_what_had_ended() {
    let bench = Bench::new();
    let path = bench.path("killed.ndjson");
    let path = path.to_str().expect("UTF-8");
    let args = ["run", "fake/clean.yaml", "fake/dawdle.yaml", "--jobs", "1", "--ndjson", path];
    let mut parent = bench.watertight(&args).spawn().expect("it starts");
    bench.noted("child");
    parent.kill().expect("it runs");
    parent.wait().expect("it has ended");
    let ran = merge(&bench, &[path], &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stdout.contains("clean     sim"), "{}", ran.stdout);
    let told = "did not come to its end";
    assert!(
        ran.stdout.contains(told) && ran.stdout.contains("in no file: sim::fake::dawdle"),
        "{}",
        ran.stdout
    );
}

fn two_runs_do_not_write_one_file() {
    let bench = Bench::new();
    let path = bench.path("shared.ndjson");
    let path = path.to_str().expect("UTF-8");
    let first = bench.watertight(&["run", "fake/dawdle.yaml", "--ndjson", path]).spawn().expect("it starts");
    bench.noted("child");
    let ran = bench.run(&["run", "fake/clean.yaml", "--ndjson", path]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("another run is writing it"), "{}", ran.stderr);
    kill_process(Pid::from_child(&first), Signal::INT).expect("it runs");
    assert_eq!(ended(first).code, Some(3));
    let ran = merge(&bench, &[path], &[]);
    assert!(ran.stdout.contains("dawdle"), "what the first wrote is whole: {}{}", ran.stdout, ran.stderr);
}

fn what_cannot_be_joined_ends_2_with_its_file() {
    let bench = Bench::new();
    let (_, one) = part(&bench, "1/2", &FILES);
    let other = bench.path("other.ndjson");
    let other = other.to_str().expect("UTF-8");
    let empty = bench.path("empty");
    std::fs::create_dir(&empty).expect("the bench has a folder");
    let empty = empty.to_string_lossy();
    let foreign = bench.path("foreign.ndjson");
    std::fs::write(&foreign, "{\"cases\": []}\n").expect("the bench has a folder");
    bench.run(
        &[&["run", "--shard-from-zero", "1/2", "--ndjson", other, "--commit", "other"], &FILES[..]].concat(),
    );
    for (args, expected) in [
        (vec![one.as_str(), other], "are of different runs: the commit is `"),
        (vec![one.as_str(), one.as_str()], "shard 1/2 comes twice"),
        (vec![one.as_str(), "--expect-shards", "4"], "expected 4 shards, found files of a run that 2 share"),
        (vec!["no-such.ndjson"], "cannot read no-such.ndjson"),
        (
            vec![foreign.to_str().expect("UTF-8")],
            "foreign.ndjson:1: expected what `watertight run --ndjson` writes",
        ),
        (vec![&*empty], "expected files that end with .ndjson, found none"),
        (vec![], "<PATH>..."),
    ] {
        let ran = bench.run(&[&["merge"], &args[..]].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    for (shard, expected) in [("0/4", "expected `K/N` with 1 ≤ K ≤ N"), ("5/4", "found `5/4`")] {
        let ran = bench.run(&["run", "fake/clean.yaml", "--shard", shard]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

fn a_full_disk_costs_the_file_and_ends_4() {
    let ran = Bench::new().run(&["run", "fake/clean.yaml", "--ndjson", "/dev/full"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write /dev/full"), "{}", ran.stderr);
}
