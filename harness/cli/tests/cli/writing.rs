//! From nothing to a scenario that plays: `new`, `check` with its suggestions, `plan`, `explain`.

use std::fs;
use std::path::Path;

use watertight::scenario::draft::Template;

use crate::bench::{Bench, Ran};
use crate::hello;

pub const TESTS: &[(&str, fn())] = &[
    ("writing::every_template_for_every_target_passes_check", every_template_for_every_target_passes_check),
    ("writing::every_template_plays_clean_with_the_healthy_gateway", every_template_plays_clean),
    ("writing::a_program_of_somebody_else_is_played_as_it_was_written_for", a_program_is_played),
    ("writing::what_cannot_be_written_is_told_and_ends_2", what_cannot_be_written_is_told_and_ends_2),
    (
        "writing::what_cannot_find_a_leak_is_told_with_its_place",
        what_cannot_find_a_leak_is_told_with_its_place,
    ),
    ("writing::a_plan_is_drawn_with_its_suggestions_and_told_as_json", a_plan_is_drawn),
    ("writing::names_are_explained", names_are_explained),
];

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// `watertight new ARGS` in the bench's folder.
fn new(bench: &Bench, args: &[&str]) -> Ran {
    let folder = bench.path("");
    bench.run(&[&["new", "--dir", text(&folder)], args].concat())
}

fn every_template_for_every_target_passes_check() {
    let bench = Bench::of_real_world();
    let command: &[&str] = &[
        "--target",
        "command",
        "my-service --listen 127.0.0.1:{port}",
        "--peer",
        "store=redis-server --port {port}",
    ];
    let pid: &[&str] =
        &["--target", "pid", "1", "--listens", "127.0.0.1:8080", "--talk", "PING", "--answer", "PONG"];
    let mut written = 0;
    for template in Template::ALL {
        let is_left_alone = matches!(template, Template::ConfigReload | Template::RestartTarget);
        for (short, target) in [("gateway", &["--target", "gateway"][..]), ("command", command), ("pid", pid)]
        {
            let name = format!("{short}-{}", template.name());
            let ran = new(&bench, &[&[name.as_str(), "--template", template.name()], target].concat());
            if short == "pid" && is_left_alone {
                assert_eq!(ran.code, Some(2), "{name}");
                assert!(ran.stderr.contains("a `pid` is left alone"), "{}", ran.stderr);
                continue;
            }
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            let next = format!("watertight run {}", bench.path(&format!("{name}.yaml")).display());
            assert!(ran.stdout.contains(&next), "{}", ran.stdout);
            written += 1;
        }
    }
    let all = bench.run(&["check", text(&bench.path(""))]);
    assert_eq!(all.stdout, format!("ok {written} scenarios, {written} cases\n"), "{}", all.stderr);
    let told: Vec<&str> = all.stderr.lines().filter(|line| !line.contains("[nothing-inside]")).collect();
    assert_eq!(told.len(), 1, "nothing but that nobody looks inside, and how often: {told:#?}");
    assert!(!told[0].contains("gateway-"), "{told:?}");
}

fn every_template_plays_clean() {
    let bench = Bench::of_real_world();
    for template in Template::ALL {
        let ran = new(&bench, &[template.name(), "--template", template.name(), "--target", "gateway"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let ran = bench.run(&["run", text(&bench.path("")), "--engine", "sim", "--cycles", "10"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("8 passed"), "{}", ran.stdout);
}

fn a_program_is_played() {
    let bench = Bench::of_real_world();
    let this = std::env::current_exe().expect("this binary has a path");
    let command = format!("'{}' {} 127.0.0.1:{{port}}", this.display(), hello::ROLE);
    let target =
        ["--target", "command", command.as_str(), "--talk", "PING", "--answer", "PONG", "--cycles", "10"];
    let ran = new(&bench, &[&["hello", "--template", "flapping-network"][..], &target].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let file = bench.path("hello.yaml");
    let ran = bench.run(&["run", text(&file), "--set", "cycles.wall.pace=100"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

fn what_cannot_be_written_is_told_and_ends_2() {
    let bench = Bench::of_real_world();
    let made = new(&bench, &["there", "--yes"]);
    assert_eq!(made.code, Some(0), "--yes asks nothing: {}", made.stderr);
    let file = bench.path("there.yaml");
    let below_a_file = file.join("below");
    for (args, expected) in [
        (vec!["there", "--yes"], "is there already: `--force`"),
        (vec!["a/b", "--yes"], "`a/b` cannot be a scenario's name"),
        (vec!["Upper", "--yes"], "lower-case words"),
        (vec!["Upper"], "lower-case words"),
        (vec!["x"], "no terminal to ask on: give `--template` (`flapping-network`"),
        (vec!["x", "--template", "steady"], "give `--target`"),
        (vec!["x", "--template", "flaping"], "possible values: flapping-network"),
        (vec!["x", "--yes", "--target", "gatway"], "unknown target `gatway`; there is: `gateway`"),
        (vec!["x", "--yes", "--target", "command", "a {prot}"], "nothing is called `{prot}` here"),
        (
            vec!["x", "--yes", "--target", "command", "a", "--engine", "sim"],
            "cannot play in `sim`; use `--engine process`",
        ),
        (vec!["x", "--yes", "--target", "pid", "1"], "add `--listens"),
        (vec!["x", "--yes", "--peer", "brocker"], "no peer `brocker` of `s7-gateway`; there is: `plc`"),
        (vec!["x", "--yes", "--cycles", "3"], "at least 10 counted cycles"),
        (vec!["x", "--yes", "--dir", text(&below_a_file)], "cannot write"),
    ] {
        // The last `--dir` counts.
        let ran = match args.contains(&"--dir") {
            true => bench.run(&[&["new"], args.as_slice()].concat()),
            false => new(&bench, &args),
        };
        assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    assert!(!bench.path("x.yaml").exists(), "what does not hold together is not written");
    let forced = new(&bench, &["there", "--yes", "--force", "--template", "steady"]);
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert!(fs::read_to_string(file).expect("it is there").contains("Load, and nothing goes wrong"));
}

/// A scenario in which all is well.
const BASE: &str = "\
version: 1
name: NAME
about: x.
engines: [process]
seed: 7
target: { command: [my-service, \"{port}\", \"{peers.store}\"], inside: { pprof: { url: \"http://127.0.0.1:{port.p}/p\" } } }
world: { store: { tcp: { command: [s, \"{port}\"] } }, clients: { tcp_client: { talk: [{ send: PING }], every: 500ms } } }
cycles: { warm_up: 5, count: 60 }
cycle:
  - { name: flap, for: 20s, faults: [ { flap: { link: store, up: 3s, down: 2s } } ] }
  - { name: settle, within: 60s, until: {} }
";

/// What is changed in it, and the place and name of the suggestion.
const BLIND: [(&str, &str, &str); 30] = [
    (
        "count: 60 }\ncycle:\n  - { name: flap, for: 20s, faults: [ { flap: { link: store, up: 3s, down: 2s } } ]",
        "count: 10 }\ncycle:\n  - { name: cut, for: 20s, faults: [ { reset: { link: store } } ]",
        "8:23 too-few-cycles",
    ),
    ("within: 60s", "within: 20m", "11:29 bound-that-nothing-misses"),
    (
        "until: {} }",
        "until: {} }\nexpect: { recovery: { within: 60s } }",
        "12:23 recovery-that-is-never-judged",
    ),
    (
        "flap: { link: store, up: 3s, down: 2s }",
        "flap: { link: store, up: 3s, down: 2s, p: 0 }",
        "10:83 fault-that-never-strikes",
    ),
    (
        "flap: { link: store, up: 3s, down: 2s }",
        "latency: { link: store, delay: 0s }",
        "10:72 fault-that-never-strikes",
    ),
    (", \"{peers.store}\"", "", "10:55 link-that-nobody-uses"),
    ("up: 3s", "up: 30s", "10:66 flap-that-never-goes-down"),
    ("down: 2s", "down: 30s", "10:76 flap-that-never-comes-back"),
    (
        "flap: { link: store, up: 3s, down: 2s }",
        "stall: { link: clients, for: 100ms }",
        "10:70 fault-shorter-than-talk",
    ),
    (
        "until: {} }",
        "until: {} }\nignore: [ { resource: heap, reason: r, owner: o, expires: 2099-01-01 } ]",
        "12:23 ignore-that-hides-anything",
    ),
    (
        "until: {} }",
        "until: {} }\nignore: [ { site: .rs, reason: r, owner: o, expires: 2099-01-01 } ]",
        "12:19 ignore-that-hides-anything",
    ),
    (
        "until: {} }",
        "until: {} }\nignore: [ { site: pool.rs, reason: r, owner: o, expires: 2020-01-01 } ]",
        "12:58 ignore-that-expired",
    ),
    (
        "until: {} }",
        "until: {} }\nexpect: { at_rest: { tasks: { grow: 1 }, fds: { grow: 1 }, threads: { grow: 1 }, heap: { grow: 1 } } }",
        "12:1 only-rss-is-judged",
    ),
    ("until: {} }", "until: {} }\nexpect: { at_rest: { rss: { grow: 0 } } }", "12:29 rss-decides-nothing"),
    (", inside: { pprof: { url: \"http://127.0.0.1:{port.p}/p\" } }", "", "6:1 nothing-inside"),
    ("/p\" }", "/p\", heap: false }", "6:1 nothing-inside"),
    ("[my-service, ", "[cd /srv && my-service, ", "6:21 command-that-needs-a-shell"),
    ("[my-service, ", "[RUST_LOG=warn, my-service, ", "6:21 command-that-needs-a-shell"),
    ("[my-service, ", "[$HOME/my-service, ", "6:21 command-that-needs-a-shell"),
    ("[my-service, ", "[~/my-service, ", "6:21 command-that-needs-a-shell"),
    ("[my-service, ", "[my-service, '2>&1', ", "6:33 command-that-needs-a-shell"),
    ("[s, \"{port}\"]", "[s, \"{port}\", '>', log]", "7:49 command-that-needs-a-shell"),
    ("[my-service, ", "[sh, -c, 'cd $HOME && exec my-service', ", "none"),
    ("[my-service, ", "[my-service, --only=a|b, 'cost in $ or £ $5', ", "none"),
    ("[my-service, \"{port}\", ", "[my-service, ", "6:11 port-that-nobody-is-told"),
    ("[my-service, \"{port}\", ", "[my-service, \"{port.admin}\", ", "6:11 port-that-nobody-is-told"),
    (
        "[my-service, \"{port}\", \"{peers.store}\"]",
        "[my-service, \"{peers.store}\"], listens: \"127.0.0.1:80\"",
        "none",
    ),
    ("until: {}", "until: { sessions: 4 }", "11:43 expectation-that-cannot-come"),
    (
        "until: {} }",
        "until: {} }\nexpect: { each_cycle: { answered: { min: 1 } } }",
        "12:25 expectation-that-cannot-come",
    ),
    ("faults: [ { flap: { link: store, up: 3s, down: 2s } } ] }", "faults: [] }\n", "none"),
];

fn what_cannot_find_a_leak_is_told_with_its_place() {
    let bench = Bench::of_real_world();
    fs::write(bench.path("all-well.yaml"), BASE.replace("NAME", "all-well")).expect("the folder is writable");
    let ran = bench.run(&["check", "--strict", text(&bench.path("all-well.yaml"))]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "nothing to say");
    for (number, (what, with, _)) in BLIND.iter().enumerate() {
        let name = format!("blind-{number}");
        let changed = BASE.replace("NAME", &name).replace(what, with);
        assert_ne!(changed, BASE.replace("NAME", &name), "{what}");
        fs::write(bench.path(&format!("{name}.yaml")), changed).expect("the folder is writable");
    }
    let ran = bench.run(&["check", text(&bench.path(""))]);
    assert_eq!(ran.code, Some(0), "warnings are no errors: {}", ran.stderr);
    for (number, (_, with, expected)) in BLIND.iter().enumerate() {
        let file = format!("blind-{number}.yaml:");
        let said: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(&file)).collect();
        let Some((place, name)) = expected.split_once(' ') else {
            assert!(said.is_empty(), "{with}: {said:?}");
            continue;
        };
        let (at, what) = (format!("{file}{place}: "), format!("[{name}]"));
        assert!(
            said.iter().any(|line| line.contains(&at) && line.contains(&what)),
            "{with}: {expected}: {said:#?}"
        );
        assert!(said.iter().all(|line| line.starts_with("warning: ") && line.contains("; ")), "{said:?}");
    }
    let strict = bench.run(&["check", "--strict", text(&bench.path("blind-0.yaml"))]);
    assert_eq!(strict.code, Some(2), "{}", strict.stderr);
    assert!(strict.stderr.starts_with("error: "), "{}", strict.stderr);
}

fn a_plan_is_drawn() {
    let bench = Bench::of_real_world();
    let written = new(&bench, &["storm", "--template", "reconnect-storm", "--target", "gateway"]);
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let file = bench.path("storm.yaml");
    let plan = bench.run(&["plan", text(&file)]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let picture = plan.stdout.split("\n\n").nth(1).expect("the picture follows the head");
    assert!(picture.lines().all(|line| line.chars().count() <= 80), "{picture}");
    assert!(!plan.stdout.contains('\u{1b}'), "a pipe is plain");
    for expected in ["browser  storm", "plc      flap", "├ storm 20s ─", "├ settle ≤"] {
        assert!(picture.contains(expected), "{expected}: {picture}");
    }
    let json = bench.run(&["plan", text(&file), "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(json[0]["plan"]["phases"][0]["to_seconds"], serde_json::json!(20.0));
    assert_eq!(json[0]["peers"][0]["is_consumer"], serde_json::json!(true), "{json:#}");
    let blind = ["plan", text(&file), "--strict", "--set", "cycle.0.faults.0.flap.p=0"];
    let blind = bench.run(&blind);
    assert_eq!(blind.code, Some(2), "{}", blind.stderr);
    assert!(blind.stderr.contains("[fault-that-never-strikes]"), "{}", blind.stderr);
}

fn names_are_explained() {
    let bench = Bench::of_real_world();
    for (name, expected) in [
        ("flap", "cycle.faults.flap: a fault"),
        ("flap", "- flap: { link: store, up: 3s, down: 2s"),
        ("until", "Gauges of the target, each with the value that means \"at rest\""),
        ("cycles.wall.pace", "`1.0` unless said"),
        ("pace", "cycles.wall.pace: a key"),
        ("heal", "heal: a word"),
        ("tasks", "tasks: a resource"),
        ("retained", "RSS rises while live heap is flat"),
        ("over budget", "over_budget: an outcome"),
        ("3", "exit 3: an exit code"),
        ("half-open", "half-open: a template"),
        ("port", "{port}: a name in braces"),
        ("{peers.NAME}", "through its link"),
        ("would have seen", "sensitivity: a word"),
        ("too-few-cycles", "too-few-cycles: a suggestion"),
        ("sse", "browser: { sse: { count: 2, read: 1MiB/s } }"),
        ("link", "the same: "),
        ("detached-spawn", "detached-spawn: a lint rule"),
        ("detached-spawn", "## Right"),
    ] {
        let ran = bench.run(&["explain", name]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert!(ran.stdout.contains(expected), "{name}: {}", ran.stdout);
    }
    let slip = bench.run(&["explain", "retaned"]);
    assert_eq!(slip.code, Some(2));
    assert!(slip.stderr.contains("did you mean `retained`?"), "{}", slip.stderr);
    let all = bench.run(&["explain"]);
    for expected in [
        "a fault:",
        "a resource:",
        "an outcome:",
        "an exit code:",
        "a template:",
        "a suggestion:",
        "a name in braces:",
        "a key:",
        "a lint rule:",
    ] {
        assert!(all.stdout.contains(expected), "{expected}");
    }
}
