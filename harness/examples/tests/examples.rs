//! What the guide says of the examples is what they do: `kv` is started as a person would start it, in the workspace's root.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The runner with the key-value server built in.
const KV: &str = env!("CARGO_BIN_EXE_kv");

/// The scenarios of the key-value server, and those of the plain program.
const KV_SCENARIOS: &str = "harness/examples/kv";
const PLAIN_SCENARIOS: &str = "harness/examples/plain";

/// The kept report.
const REPORT: &str = include_str!("../kv/report.txt");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn output(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).current_dir(root()).output().expect("it was built for this test")
}

/// What `kv` says with `args`, once it has ended with `exit`.
fn kv(args: &[&str], exit: i32) -> String {
    let Output { status, stdout, stderr } = output(KV, args);
    let (said, told) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(exit), "kv {}\n{said}\n{told}", args.join(" "));
    format!("{said}{told}")
}

/// The text must hold every line of `lines`.
fn assert_holds(text: &str, lines: &str) {
    for line in lines.lines() {
        assert!(text.contains(line), "expected the line\n{line}\nfound\n{text}");
    }
}

#[test]
fn in_sim_the_healthy_server_is_clean_and_both_leaks_are_found_at_their_lines() {
    let said = kv(&["run", KV_SCENARIOS], 0);
    assert_holds(
        &said,
        "4 passed\nLEAK, AS EXPECTED  sim::leaks-heartbeat\nLEAK, AS EXPECTED  sim::leaks-watcher",
    );
    assert!(!said.contains("control failed"), "{said}");
}

#[test]
fn the_report_of_the_leak_is_the_kept_one() {
    let scenario = format!("{KV_SCENARIOS}/leaks-heartbeat.yaml");
    // How many controls there were is the harness's own affair.
    let kept: Vec<&str> = REPORT.lines().filter(|line| !line.starts_with("  why")).collect();
    assert_holds(&kv(&["run", &scenario, "--no-expect"], 1), &kept.join("\n"));
}

#[test]
fn the_same_binary_is_the_target_of_the_process_engine() {
    let said = kv(&["run", KV_SCENARIOS, "--engine", "process"], 0);
    let at = REPORT.lines().find(|line| line.starts_with("  at ")).expect("the report names a line");
    assert_holds(&said, at);
    assert_holds(&said, "4 passed\nLEAK, AS EXPECTED  process::leaks-heartbeat");
}

#[test]
fn one_seed_gives_one_timeline() {
    let scenario = format!("{KV_SCENARIOS}/flapping-network.yaml");
    assert_holds(&kv(&["run", &scenario, "--check-determinism"], 0), "sim::flapping-network (seed 7): ");
}

#[test]
fn a_planted_byte_a_cycle_would_be_seen() {
    let scenario = format!("{KV_SCENARIOS}/flapping-network.yaml");
    assert_holds(
        &kv(&["run", &scenario, "--plant", "heap=1B", "--no-expect"], 1),
        "heap leak: +1.00 blocks/cycle",
    );
}

#[test]
fn a_soak_plays_it_and_keeps_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak");
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let store = folder.join(format!("{}.db", std::process::id()));
    let scenario = format!("{KV_SCENARIOS}/flapping-network.yaml");
    let store = store.to_str().expect("the path is text");
    kv(&["soak", &scenario, "--for", "20m", "--store", store], 0);
    assert!(Path::new(store).is_file());
    std::fs::remove_dir_all(folder).expect("it was made here");
}

#[test]
fn check_and_plan_and_list_know_this_world() {
    assert_holds(&kv(&["check", KV_SCENARIOS, PLAIN_SCENARIOS], 0), "ok 8 scenarios");
    let scenario = format!("{KV_SCENARIOS}/flapping-network.yaml");
    assert_holds(&kv(&["plan", &scenario], 0), "writers   flap goes down");
    assert_holds(&kv(&["list", KV_SCENARIOS], 0), "leaks-heartbeat");
}

#[test]
fn the_schema_lists_the_peers_of_this_world_and_no_other() {
    let schema: Value = serde_json::from_str(&kv(&["schema"], 0)).expect("it is JSON");
    let kinds = schema["$defs"]["OwnPeer"]["oneOf"].as_array().expect("peers are one of several kinds");
    let keys: Vec<&String> =
        kinds.iter().filter_map(|kind| kind["properties"].as_object()?.keys().next()).collect();
    assert_eq!(keys, ["tcp", "tcp_server", "tcp_client"]);
}

#[test]
fn what_is_wrong_with_a_scenario_is_said_before_it_is_played() {
    let scenario = format!("{KV_SCENARIOS}/flapping-network.yaml");
    let said = |set: &str| kv(&["check", &scenario, "--set", set], 2);
    let said_of = [
        ("target={ name: kv, with: { leek: heartbeat } }", "`with` of `kv`: unknown field `leek`"),
        ("target=s7-gateway", "unknown target `s7-gateway`; known: `kv`, or `command: [..]`"),
        ("target={ name: kv, defect: spawn_per_tick }", "unknown defect `spawn_per_tick`"),
    ];
    for (set, problem) in said_of {
        assert_holds(&said(set), problem);
    }
}

#[test]
fn a_plain_program_is_seen_from_outside() {
    let program = format!("target.command.0={}", env!("CARGO_BIN_EXE_plain"));
    let scenarios = ["healthy", "leaks-fd"].map(|name| format!("{PLAIN_SCENARIOS}/{name}.yaml"));
    let said = kv(&["run", &scenarios[0], &scenarios[1], "--set", &program], 0);
    assert_holds(
        &said,
        "2 passed\n  at      file /dev/null\ntasks, heap: not measured: the target has no probe",
    );
}

#[test]
fn its_threads_are_seen_too() {
    let program = format!("target.command.0={}", env!("CARGO_BIN_EXE_plain"));
    let scenario = format!("{PLAIN_SCENARIOS}/leaks-fd.yaml");
    let args = ["run", &scenario, "--no-expect", "--set", &program, "--set", "target.command.2=thread"];
    assert_holds(&kv(&args, 1), "threads leak: +");
}

#[test]
fn with_three_lines_of_probe_a_task_is_named_by_its_line() {
    let program = format!("target.command.0={}", env!("CARGO_BIN_EXE_probed"));
    let scenarios =
        ["probed-healthy", "probed-leaks-task"].map(|name| format!("{PLAIN_SCENARIOS}/{name}.yaml"));
    let said = kv(&["run", &scenarios[0], &scenarios[1], "--set", &program], 0);
    let source = include_str!("../plain/server.rs");
    let spawns =
        source.lines().position(|line| line.trim() == "tokio::spawn(async {").expect("it leaks a task");
    assert_holds(&said, &format!("2 passed\n  at      harness/examples/plain/server.rs:{}", spawns + 1));
}

#[test]
fn all_the_code_it_takes_is_under_100_lines() {
    assert!(include_str!("../src/main.rs").lines().count() < 100);
}

#[test]
fn a_runner_with_a_world_of_its_own_builds_no_gateway() {
    let args = [
        "tree",
        "--package",
        "watertight-examples",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--offline",
    ];
    let Output { status, stdout, stderr } = output(env!("CARGO"), &args);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let tree = String::from_utf8_lossy(&stdout);
    assert!(tree.contains("watertight-cli"), "{tree}");
    let foreign = ["gateway-", "s7-", "watertight-scenarios", "watertight-container"];
    let found: Vec<&str> =
        tree.lines().filter(|line| foreign.iter().any(|name| line.starts_with(name))).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The fenced blocks of `markdown` in a language, with their text.
fn blocks(markdown: &str) -> Vec<(&str, &str)> {
    let fenced = markdown.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).filter(|(language, _)| !language.is_empty()).collect()
}

#[test]
fn every_piece_of_the_guide_stands_in_the_example() {
    let sources = [
        include_str!("../src/main.rs"),
        include_str!("../src/kv.rs"),
        include_str!("../plain/probed.rs"),
        include_str!("../kv/flapping-network.yaml"),
        include_str!("../kv/leaks-heartbeat.yaml"),
        include_str!("../plain/leaks-fd.yaml"),
        include_str!("../plain/probed-healthy.yaml"),
        include_str!("../../../.cargo/config.toml"),
        include_str!("../Cargo.toml"),
        REPORT,
    ];
    let blocks = blocks(include_str!("../README.md"));
    assert!(blocks.len() >= 6, "{blocks:?}");
    for (language, text) in blocks {
        // Pieces that do not follow each other have an ellipsis between them.
        for piece in text.split("…\n") {
            let is_there = sources.iter().any(|source| source.contains(piece.trim_end()));
            assert!(is_there, "this piece of {language} stands in no file of the example:\n{piece}");
        }
    }
}
