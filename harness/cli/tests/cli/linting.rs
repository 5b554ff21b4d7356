//! `watertight lint`: what it ends with, and where it says what it found.

use std::fs;

use serde_json::{Value, json};

use crate::bench::{Bench, Ran};

pub const TESTS: &[(&str, fn())] = &[
    ("linting::each_ending_has_its_code", each_ending_has_its_code),
    ("linting::every_format_says_the_same", every_format_says_the_same),
    ("linting::a_run_names_the_rule_that_foresaw_a_leak", a_saved_report_names_the_rule),
];

const LEAKS: &str = "fn f(a: A) {\n    std::mem::forget(a);\n}\n";

fn lint(bench: &Bench, text: &str, args: &[&str]) -> Ran {
    let file = bench.path("a.rs");
    fs::write(&file, text).expect("there is room");
    let file = file.to_string_lossy();
    bench.run(&[&["lint", "--no-cache", &*file], args].concat())
}

fn each_ending_has_its_code() {
    let bench = Bench::new();
    let answered = LEAKS.replace(";\n}", "; // watertight: allow(forgotten-value): it is C's now\n}");
    let cases: [(&str, &[&str], i32, &str); 9] = [
        ("fn f() {}\n", &[], 0, "nothing found in 1 files, 1 lines"),
        (LEAKS, &[], 1, "a.rs:2:5"),
        (LEAKS, &["--min-confidence", "high"], 0, "nothing found"),
        (LEAKS, &["--rule", "leaked-box"], 0, "nothing found"),
        (&answered, &[], 0, "nothing found"),
        ("fn f( {}\n", &[], 3, "a.rs:1:"),
        (LEAKS, &["--rule", "leaked"], 2, "no rule is called `leaked`; there are: "),
        (LEAKS, &["no-such-folder"], 2, "no-such-folder: there is no such file or folder"),
        (LEAKS, &["--workspace"], 2, "cannot be used with"),
    ];
    for (text, args, code, said) in cases {
        let ran = lint(&bench, text, args);
        assert_eq!(ran.code, Some(code), "{text} {args:?}: {}{}", ran.stdout, ran.stderr);
        assert!((ran.stdout.clone() + &ran.stderr).contains(said), "{args:?}: {}{}", ran.stdout, ran.stderr);
    }
}

fn every_format_says_the_same() {
    let bench = Bench::new();
    let sarif = bench.path("lint.sarif");
    let ran = lint(&bench, LEAKS, &["--json", "-", "--sarif", &sarif.to_string_lossy(), "--github"]);
    let json: Value = serde_json::from_str(&ran.stdout).expect("JSON alone");
    let found = &json["findings"][0];
    assert_eq!((&found["rule"], &found["line"]), (&"forgotten-value".into(), &2.into()));
    assert!(ran.stderr.contains("line=2,endLine=2,col=5,title=forgotten-value::"), "{}", ran.stderr);
    let sarif: Value = serde_json::from_slice(&fs::read(sarif).expect("it was written")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "forgotten-value");
}

/// The gallery's heartbeat: the report is one that was saved, its site a line of this repository.
fn a_saved_report_names_the_rule() {
    let bench = Bench::new();
    let (_, mut report) = bench.report(&["fake/leak.yaml"]);
    let case = report.cases.first_mut().expect("a case was played");
    let culprit = json!({
        "resource": "tasks",
        "site": "gateway-under-test/src/defects/heartbeat_outlives_connection.rs:27",
        "survivors": 8,
        "survivor_bytes": 0,
        "stack": [],
    });
    case.findings = vec![serde_json::from_value(culprit).expect("a finding")];
    let saved = bench.path("saved.json");
    fs::write(&saved, serde_json::to_vec(&report).expect("JSON")).expect("there is room");
    let ran = bench.run(&["report", &saved.to_string_lossy()]);
    let wanted = "foreseen: loop-without-cancel, high (watertight explain loop-without-cancel)";
    assert_eq!(ran.stdout.matches(wanted).count(), 1, "{}", ran.stdout);
}
