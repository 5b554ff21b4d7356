//! Where reports go, and what happens when they cannot.

use std::io::Read;

use watertight::report::RunReport;
use watertight::report::seeds::SeedsReport;

use crate::bench::Bench;

pub const TESTS: &[(&str, fn())] = &[
    ("outputs::bad_usage_ends_2_and_says_what_was_expected", bad_usage_ends_2_and_says_what_was_expected),
    ("outputs::a_broken_scenario_ends_2_with_its_place", a_broken_scenario_ends_2_with_its_place),
    ("outputs::many_seeds_are_one_row_a_case", many_seeds_are_one_row_a_case),
    ("outputs::json_on_stdout_is_json_alone", json_on_stdout_is_json_alone),
    (
        "outputs::a_full_disk_costs_the_file_and_not_the_verdict",
        a_full_disk_costs_the_file_and_not_the_verdict,
    ),
    ("outputs::a_folder_that_cannot_be_made_ends_4_before_anything_is_played", a_folder_that_cannot_be_made),
    ("outputs::a_report_folder_holds_report_and_timelines", a_report_folder_holds_report_and_timelines),
    (
        "outputs::a_saved_report_is_told_again_in_every_form_and_ends_as_it_did",
        a_saved_report_is_told_again_in_every_form_and_ends_as_it_did,
    ),
    ("outputs::a_job_of_github_is_annotated_and_summed_up", a_job_of_github_is_annotated_and_summed_up),
    ("outputs::every_report_holds_to_the_published_schema", every_report_holds_to_the_published_schema),
    ("outputs::a_reader_that_has_gone_ends_nothing", a_reader_that_has_gone_ends_nothing),
    (
        "outputs::accept_writes_what_cases_hold_beside_them_and_run_reads_it",
        accept_writes_what_cases_hold_beside_them_and_run_reads_it,
    ),
    (
        "outputs::a_file_of_ignored_leaks_is_read_first_and_its_stale_entries_are_named",
        a_file_of_ignored_leaks_is_read_first_and_its_stale_entries_are_named,
    ),
    ("outputs::check_list_plan_and_schema_play_nothing", check_list_plan_and_schema_play_nothing),
];

fn bad_usage_ends_2_and_says_what_was_expected() {
    let bench = Bench::new();
    for (args, expected) in [
        (vec!["run"], "<PATH>..."),
        (vec!["run", "a.yaml", "--plant", "rss=1B"], "expected `heap=SIZE`"),
        (vec!["run", "a.yaml", "--set", "seed"], "expected `path=value`"),
        (vec!["run", "a.yaml", "--engine", "docker"], "possible values: sim, process, container, all"),
        (vec!["run", "a.yaml", "--timeout", "10"], "expected a time with its unit"),
        (vec!["run", "a.yaml", "--explain", "dhat"], "--report <DIR>"),
        (vec!["run", "a.yaml", "--filter", "no-such"], "none of 1 cases"),
        (vec!["run", "a.yaml", "--jobs", "0"], "1..=256"),
        (vec!["run", "a.yaml", "--seeds", "3", "--seed", "7"], "cannot be used with"),
        (vec!["run", "a.yaml", "--seeds", "3", "--html", "a.html"], "cannot be used with"),
        (vec!["run", "a.yaml", "--github=often"], "possible values: auto, always, never"),
        (vec!["report", "no-such.json"], "cannot read no-such.json: No such file"),
        (vec!["report", "Cargo.toml"], "Cargo.toml: not a report of `watertight run`"),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
}

fn a_broken_scenario_ends_2_with_its_place() {
    for command in ["run", "check", "list"] {
        let ran = Bench::new().run(&[command, "fake/broken.yaml", "fake/clean.yaml"]);
        assert_eq!(ran.code, Some(2), "{command}");
        assert!(ran.stderr.contains("broken.yaml:3:7: unknown key `cylces`"), "{command}: {}", ran.stderr);
    }
}

fn many_seeds_are_one_row_a_case() {
    let ran = Bench::new().run(&["run", "fake/clean.yaml", "fake/leak.yaml", "--seeds", "3"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for said in ["3 seeds: all clean", "3 seeds: 3 failed", "sim::leak seed 2: leak: ", "6 runs, 3 failed"] {
        assert!(ran.stdout.contains(said), "`{said}` in {}", ran.stdout);
    }
    let ran = Bench::new().run(&["run", "fake/clean.yaml", "--seeds", "3", "--json", "-"]);
    let report: SeedsReport = serde_json::from_str(&ran.stdout).expect("nothing but JSON");
    assert_eq!((ran.code, report.rows[0].clean), (Some(0), 3), "{}", ran.stderr);
}

fn json_on_stdout_is_json_alone() {
    let ran = Bench::new().run(&["run", "fake/leak.yaml", "--json", "-"]);
    let report: RunReport = serde_json::from_str(&ran.stdout).expect("nothing but JSON");
    assert_eq!((ran.code, report.cases.len()), (Some(1), 1));
    assert!(ran.stderr.contains("leak ends as told"), "{}", ran.stderr);
}

fn a_full_disk_costs_the_file_and_not_the_verdict() {
    let ran = Bench::new().run(&["run", "fake/leak.yaml", "--json", "/dev/full"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stdout.contains("leak ends as told"), "{}", ran.stdout);
    assert!(ran.stderr.contains("cannot write /dev/full: No space left on device"), "{}", ran.stderr);
}

fn a_folder_that_cannot_be_made() {
    let ran = Bench::new().run(&["run", "fake/clean.yaml", "--report", "/dev/null/report"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write /dev/null/report"), "{}", ran.stderr);
}

fn a_report_folder_holds_report_and_timelines() {
    let bench = Bench::new();
    let folder = bench.path("a/b");
    let ran =
        bench.run(&["run", "fake/clean.yaml", "--explain", "dhat", "--report", folder.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let timeline = std::fs::read_to_string(folder.join("timeline-sim.fake.clean.ndjson")).unwrap();
    assert_eq!(timeline.lines().count(), 5);
    let junit = std::fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.contains(r#"<testcase name="sim::clean""#), "{junit}");
    let text = std::fs::read_to_string(folder.join("report.txt")).unwrap();
    assert!(text.contains("clean") && !text.contains('\u{1b}'), "{text}");
    for (file, begins) in
        [("report.html", "<!DOCTYPE html>"), ("report.md", "## Watertight: "), ("report.sarif", "{\n")]
    {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.starts_with(begins), "{file}: {text}");
    }
    let report = std::fs::read_to_string(folder.join("report.json")).unwrap();
    let report: RunReport = serde_json::from_str(&report).unwrap();
    // This binary has no allocator of dhat's, so its absence must be said. The real one is asked in `scenarios/tests`.
    let expected = "dhat: no answer: it wrote no profile";
    let notes = &report.cases[0].notes;
    assert!(notes.iter().any(|note| note.starts_with(expected)), "{notes:?}");
}

fn a_saved_report_is_told_again_in_every_form_and_ends_as_it_did() {
    let bench = Bench::new();
    let (json, html, sarif) = (bench.path("a.json"), bench.path("a.html"), bench.path("a.sarif"));
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let first = bench.run(&["run", "fake/clean.yaml", "fake/leak.yaml", "--json", &path(&json)]);
    let again = bench.run(&["report", &path(&json), "--html", &path(&html), "--sarif", &path(&sarif)]);
    assert_eq!((first.code, again.code), (Some(1), Some(1)), "{}", again.stderr);
    assert_eq!(first.stdout, again.stdout);
    assert!(std::fs::read_to_string(html).unwrap().contains("leak ends as told"));
    assert!(std::fs::read_to_string(sarif).unwrap().contains("\"uri\": \"fake/leak.yaml\""));
    let piped = bench.run(&["report", &path(&json), "--markdown", "-"]);
    assert!(piped.stdout.starts_with("## Watertight: 1 passed, 1 failed"), "{}", piped.stdout);
    assert!(piped.stderr.contains("leak ends as told"), "{}", piped.stderr);
}

fn a_job_of_github_is_annotated_and_summed_up() {
    let bench = Bench::new();
    let summary = bench.path("summary.md");
    let run = |args: &[&str]| {
        let mut command = bench.watertight(args);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let annotation =
        "::error file=fake/leak.yaml,line=1,title=leak%3A sim%3A%3Aleak::leak ends as told%0Areplay: ";
    for said in [run(&["run", "fake/leak.yaml"]), run(&["run", "fake/leak.yaml"])] {
        assert!(said.contains(annotation), "{said}");
    }
    let text = std::fs::read_to_string(&summary).unwrap();
    assert_eq!(text.matches("## Watertight: 1 failed").count(), 2, "a step adds to what is there: {text}");
    assert!(!run(&["run", "fake/leak.yaml", "--github=never"]).contains("::error"));
    let here = bench.run(&["run", "fake/leak.yaml", "--github"]);
    assert!(here.stdout.contains(annotation), "{}", here.stdout);
}

fn every_report_holds_to_the_published_schema() {
    let bench = Bench::new();
    let schema: serde_json::Value = serde_json::from_str(&bench.run(&["schema", "--report"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for scenario in ["clean", "leak", "crash", "suspect"] {
        let ran = bench.run(&["run", &format!("fake/{scenario}.yaml"), "--json", "-"]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{scenario}");
    }
}

fn a_reader_that_has_gone_ends_nothing() {
    let bench = Bench::new();
    let mut child = bench.watertight(&["run", "fake/leak.yaml"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{stderr}");
    assert_eq!(stderr, "");
}

fn accept_writes_what_cases_hold_beside_them_and_run_reads_it() {
    let bench = Bench::new();
    let (clean, leak) = (bench.path("clean.yaml"), bench.path("leak.yaml"));
    std::fs::write(&clean, "").expect("the bench has a folder");
    let paths = [clean.to_string_lossy(), leak.to_string_lossy()];
    let ran = bench.run(&["accept", &paths[0], &paths[1]]);
    assert_eq!(ran.code, Some(1), "what leaks is not accepted: {}", ran.stderr);
    assert!(
        ran.stdout.contains("baselines.yaml: 1 of 1 cases new or moved\n  sim::clean: new"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("not accepted: sim::leak: leak ends as told"), "{}", ran.stderr);
    let file = bench.path("baselines.yaml");
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(text.ends_with("cases:\n  \"sim::clean\": { tasks: 4 }\n"), "{text}");
    assert!(bench.run(&["accept", &paths[0]]).stdout.contains("0 of 1 cases new or moved"));
    assert_eq!(bench.run(&["run", &paths[0]]).code, Some(0));
    std::fs::write(&file, "version: 1\ncases: { a: { tasks: many } }\n").expect("the bench has a folder");
    let ran = bench.run(&["run", &paths[0]]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("baselines.yaml:2:22: `tasks`: expected"), "{}", ran.stderr);
}

fn a_file_of_ignored_leaks_is_read_first_and_its_stale_entries_are_named() {
    let bench = Bench::new();
    let file = bench.path("known.yaml");
    let run = |text: &str| {
        std::fs::write(&file, text).expect("the bench has a folder");
        bench.run(&["run", "fake/clean.yaml", "--ignore", &file.to_string_lossy()])
    };
    let entry = "version: 1\nignore: [{ site: a.rs, reason: pool, owner: alice, expires: 2999-12-31 }]\n";
    let ran = run(entry);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let stale = "known.yaml: nothing like at a.rs (alice: pool) grows in any case of this run";
    assert!(ran.stdout.contains(stale), "{}", ran.stdout);
    let ran = run(&entry.replace("owner: alice, ", ""));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("lacks the key `owner`"), "{}", ran.stderr);
}

fn check_list_plan_and_schema_play_nothing() {
    let bench = Bench::new();
    let check = bench.run(&["check", "fake/clean.yaml", "fake/leak.yaml"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(0), "ok 2 scenarios, 2 cases\n"));
    let list = bench.run(&["list", "fake/clean.yaml"]);
    assert_eq!((list.code, list.stdout.as_str()), (Some(0), "clean  [sim]  fake\n    made up\n"));
    let plan = bench.run(&["plan", "fake/clean.yaml", "--seed", "9", "--cycle", "3"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.stdout.starts_with("fake/clean.yaml, seed 9, cycle 3\n"), "{}", plan.stdout);
    let plan = bench.run(&["plan", "fake/clean.yaml", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("it is JSON");
    assert_eq!((&plan[0]["seed"], &plan[0]["plan"]["settle"]["watch_seconds"]), (&7.into(), &2.0.into()));
    let schema = bench.run(&["schema"]);
    assert_eq!((schema.code, schema.stdout.contains("\"title\": \"Scenario\"")), (Some(0), true));
}
