//! The scenario language: every error of a file in one go, at its place; overrides, matrix, plan, schema.

use std::path::{Path, PathBuf};

use garde::Validate;
use insta::{Settings, assert_snapshot};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use watertight::scenario::model::{EngineKind, MatrixValue};
use watertight::scenario::{self, Case, Look, Overrides, Plan, ScenarioErrors};
use watertight::seed::Seed;
use watertight::units::{Rate, Time};

/// A small world to play in.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Peer {
    /// Simulated PLCs.
    S7(#[garde(dive)] Plcs),
    /// Consumers.
    Sse(#[garde(dive)] Consumers),
}

#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Plcs {
    /// How many.
    #[garde(range(min = 1, max = 10_000))]
    count: usize,
    /// What they look like.
    #[serde(default)]
    #[garde(skip)]
    profile: Profile,
    /// How often each is polled.
    #[garde(skip)]
    scan: Time,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Profile {
    #[default]
    #[serde(rename = "s7-1500")]
    S71500,
    #[serde(rename = "s7-300")]
    S7300,
}

#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Consumers {
    /// How many.
    #[garde(range(min = 1, max = 10_000))]
    count: usize,
    /// How fast each reads.
    #[garde(skip)]
    read: Rate,
}

type Cases = Result<Vec<Case<Peer>>, ScenarioErrors>;

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder)
}

fn files(folder: &str) -> Vec<PathBuf> {
    scenario::discover(&[testdata(folder)]).unwrap()
}

fn parse(name: &str, bytes: &[u8], overrides: &Overrides) -> Cases {
    scenario::parse_bytes(Path::new(name), bytes, overrides, &|_| Vec::new())
}

fn load(folder: &str, name: &str, overrides: &Overrides) -> Cases {
    let bytes = std::fs::read(testdata(folder).join(name)).unwrap();
    parse(&format!("{folder}/{name}"), &bytes, overrides)
}

fn storm(sets: &[(&str, &str)]) -> Cases {
    let set = sets.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    load("good", "reconnect-storm.yaml", &Overrides { set, ..Overrides::default() })
}

fn only_error(cases: Cases) -> String {
    cases.unwrap_err().to_string()
}

/// Snapshots without the expression that made them: they are read as documents.
fn snapshots() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn every_broken_scenario_says_where_what_and_what_to_do() {
    let files = files("broken");
    assert!(files.len() >= 20, "{} broken scenarios", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let errors = load("broken", name, &Overrides::default()).expect_err(name);
        let text = format!("{errors}\n\n{}", errors.render(Look::Ascii));
        snapshots().bind(|| assert_snapshot!(format!("broken-{}", name.trim_end_matches(".yaml")), text));
    }
}

#[test]
fn every_good_scenario_loads() {
    for file in files("good") {
        let cases = scenario::load::<Peer>(&file, &Overrides::default());
        assert!(cases.is_ok_and(|cases| !cases.is_empty()), "{}", file.display());
    }
}

#[test]
fn a_matrix_makes_a_case_of_each_combination() {
    let cases =
        storm(&[("matrix.profile", "[s7-1500, s7-300]"), ("world.plc.s7.profile", "$profile")]).unwrap();
    let names: Vec<String> = cases.iter().map(Case::title).collect();
    assert_eq!(
        names,
        [
            "sim::reconnect-storm::plcs=1,profile=s7-1500",
            "sim::reconnect-storm::plcs=1,profile=s7-300",
            "sim::reconnect-storm::plcs=50,profile=s7-1500",
            "sim::reconnect-storm::plcs=50,profile=s7-300",
        ]
    );
    let Peer::S7(plcs) = &cases[3].scenario.world["plc"] else { panic!("{:?}", cases[3].scenario.world) };
    assert_eq!((plcs.count, plcs.profile, plcs.scan), (50, Profile::S7300, "1s".parse().unwrap()));
    let Peer::Sse(browser) = &cases[3].scenario.world["browser"] else {
        panic!("{:?}", cases[3].scenario.world)
    };
    assert_eq!((browser.count, browser.read), (3, Rate(64 * 1024)));
    let settle = cases[3].scenario.cycle.last().unwrap();
    assert_eq!(settle.until.as_ref().unwrap()["sessions"], 50.0);
    assert_eq!(cases[0].scenario.matrix["plcs"], [MatrixValue::Number(1), MatrixValue::Number(50)]);
}

#[test]
fn a_wrong_matrix_value_is_shown_where_it_is_used() {
    let error = only_error(storm(&[("matrix.plcs", "[1, many]")]));
    assert_eq!(
        error,
        "good/reconnect-storm.yaml:10:28: `count`: expected a whole number, 0 or more, found `many` (from `$plcs`); \
         `$plcs` comes from `matrix`\n\
         good/reconnect-storm.yaml:29:24: `sessions`: expected a number, found `many` (from `$plcs`); `$plcs` comes \
         from `matrix`"
    );
}

#[test]
fn set_reaches_into_a_target_that_is_only_a_name() {
    let cases = storm(&[("target.defect", "heartbeat_outlives_connection")]).unwrap();
    let target = &cases[0].scenario.target;
    assert_eq!(target.name.as_deref(), Some("s7-gateway"));
    assert_eq!(target.defect.as_deref(), Some("heartbeat_outlives_connection"));
    let healed = storm(&[("target.defect", "x"), ("target.defect", "none")]).unwrap();
    assert_eq!(healed[0].scenario.target.defect, None);
}

#[test]
fn set_replaces_makes_and_counts_into_lists() {
    let cases = storm(&[
        ("cycles.count", "30"),
        ("cycle.0.for", "8s"),
        ("cycle.0.faults.0.flap.up", "1s"),
        ("expect.at_rest.heap.max", "64MiB"),
        ("tags", "[gate, nightly]"),
    ])
    .unwrap();
    let scenario = &cases[0].scenario;
    assert_eq!(scenario.cycles.count, 30);
    assert_eq!(scenario.cycle[0].lasts.unwrap().to_string(), "8s");
    assert_eq!(scenario.expect.at_rest[&watertight::resource::Resource::Heap].max, Some(64 * 1024 * 1024));
    assert_eq!(scenario.tags, ["gate", "nightly"]);
}

#[test]
fn a_wrong_set_names_itself() {
    let errors = [
        ("cycles.cuont", "30"),
        ("cycles.count", "many"),
        ("cycles.count", "2"),
        ("cycle.9.for", "5s"),
        ("seed.low", "1"),
        ("cycles..count", "1"),
        ("about", "[unclosed"),
    ]
    .map(|set| only_error(storm(&[set])))
    .join("\n");
    snapshots().bind(|| assert_snapshot!("set-errors", errors));
}

#[test]
fn options_stand_for_a_set_and_are_named_as_given() {
    let load = |overrides: &Overrides| load("good", "reconnect-storm.yaml", overrides);
    let cases = load(&Overrides { seed: Some(9), cycles: Some(12), ..Overrides::default() }).unwrap();
    assert_eq!((cases[0].scenario.seed, cases[0].scenario.cycles.count), (9, 12));
    assert_eq!(cases[0].scenario.cycles.wall.unwrap().count, 12);
    let error = only_error(load(&Overrides { cycles: Some(3), ..Overrides::default() }));
    let needed = "at least 5 counted cycles are needed, found 3";
    assert!(error.starts_with(&format!("good/reconnect-storm.yaml: --cycles 3: {needed}")), "{error}");
    let process = Overrides { cycles: Some(9), engine: Some(EngineKind::Process), ..Overrides::default() };
    assert!(only_error(load(&process)).contains("at least 10 counted cycles are needed, found 9"));
}

#[test]
fn an_engine_that_the_scenario_does_not_play_in_is_a_reason_to_skip() {
    let process = Overrides { engine: Some(EngineKind::Process), ..Overrides::default() };
    assert_eq!(load("good", "reconnect-storm.yaml", &process).unwrap()[0].skip, None);
    let cases = load("good", "leak.yaml", &process).unwrap();
    assert_eq!(cases[0].skip.as_deref(), Some("plays in `sim`, not in `process`"));
    assert_eq!(load("good", "leak.yaml", &Overrides::default()).unwrap()[0].engine, EngineKind::Sim);
}

#[test]
fn a_worlds_complaint_is_shown_at_what_it_names() {
    let path = testdata("good/leak.yaml");
    let complain = |_: &_| vec!["no defect `slice_pins_block` in s7-gateway".to_owned()];
    let errors = scenario::load_checked::<Peer>(&path, &Overrides::default(), &complain).unwrap_err();
    let text = std::fs::read_to_string(&path).unwrap();
    let place = errors.problems[0].place.as_ref().unwrap();
    assert_eq!(&text[place.bytes.clone()], "slice_pins_block");
}

#[test]
fn a_dollar_sign_is_written_twice() {
    let cases = storm(&[("about", "$$plcs are not put in here")]).unwrap();
    assert_eq!(cases[0].scenario.about, "$plcs are not put in here");
}

#[test]
fn what_is_not_there_and_what_holds_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let paths = ["missing.yaml", "empty"].map(|name| folder.path().join(name));
    let errors = scenario::discover(&paths).unwrap_err().to_string();
    let errors = errors.replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        errors,
        "empty: no scenarios in this folder; they are files that end in `.yaml`\n\
         missing.yaml: there is no such file or folder; name scenario files or folders of them"
    );
}

#[test]
fn discovery_is_sorted_goes_into_folders_and_names_a_file_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    for name in ["c.yml", "a.yaml", "b/d.yaml", "notes.md"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let found = scenario::discover(&[folder.path().to_owned(), folder.path().join("a.yaml")]).unwrap();
    let names: Vec<_> =
        found.iter().map(|file| file.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.yaml", "b/d.yaml", "c.yml"]);
}

#[test]
fn a_plan_is_a_table_of_fixed_events() {
    let cases = storm(&[]).unwrap();
    let plan = Plan::compile(&cases[0].scenario, Seed(7), 0);
    snapshots().bind(|| assert_snapshot!("plan", plan));
}

#[test]
fn a_plan_replays_from_its_seed_and_each_cycle_draws_anew() {
    let scenario = storm(&[]).unwrap().remove(0).scenario;
    let plan = |seed, cycle| Plan::compile(&scenario, Seed(seed), cycle);
    assert_eq!(plan(7, 3), plan(7, 3));
    assert_ne!(plan(7, 3).events, plan(8, 3).events);
    assert_ne!(plan(7, 3).events, plan(7, 4).events);
    assert!(plan(7, 3).events.is_sorted_by_key(|event| event.at));
    assert!(plan(7, 3).events.iter().all(|event| event.at <= plan(7, 3).disturbed_for));
}

#[test]
fn a_new_fault_changes_nobodys_dice() {
    let flaps = |sets: &[(&str, &str)]| {
        let scenario = storm(sets).unwrap().remove(0).scenario;
        let plan = Plan::compile(&scenario, Seed(7), 0);
        let flaps = plan.events.into_iter().filter(|event| event.fault.name() == "flap");
        flaps.map(|event| (event.at, event.change)).collect::<Vec<_>>()
    };
    let with_more = [("cycle.0.faults.1", "{ latency: { link: browser, delay: 50ms } }")];
    assert_eq!(flaps(&[]), flaps(&with_more));
    assert!(!flaps(&[]).is_empty());
}

#[test]
fn the_schema_describes_keys_and_takes_variables_and_shorthands() {
    let schema = scenario::schema::<Peer>();
    assert_eq!(schema["properties"]["cycles"]["description"], "How often the cycle is played.");
    let target = schema["$defs"]["Target"]["anyOf"].as_array().unwrap();
    assert_eq!(target[0]["type"], "string");
    let count = &schema["$defs"]["Plcs"]["properties"]["count"];
    assert_eq!(count["type"], serde_json::json!(["integer", "string"]));
    assert_eq!(count["pattern"], r"^\$[A-Za-z]\w*$");
    assert_eq!(schema["additionalProperties"], false);
}

/// Broken in any place: the good file with a piece cut out and another put in.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let good = std::fs::read(testdata("good/reconnect-storm.yaml")).unwrap();
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        "[-\\[\\]{}:,&*!|>'\"%@`#$~\t\n a-z0-9]{0,12}".prop_map(String::into_bytes),
    ];
    (0..good.len(), 0_usize..40, piece).prop_map(move |(at, cut, piece)| {
        let end = (at + cut).min(good.len());
        [&good[..at], &piece, &good[end..]].concat()
    })
}

/// Errors lie within the file, and drawing them cannot fail.
fn lies_within(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Err(errors) = parse("any.yaml", bytes, &Overrides::default()) else { return Ok(()) };
    prop_assert!(!errors.problems.is_empty());
    let decoded = String::from_utf8_lossy(bytes);
    let text = decoded.strip_prefix('\u{feff}').unwrap_or(&decoded);
    for place in errors.problems.iter().filter_map(|problem| problem.place.as_ref()) {
        prop_assert!(text.get(place.bytes.clone()).is_some(), "{place:?} in {} bytes", text.len());
        prop_assert!(place.line <= text.split('\n').count());
        let line = text.split('\n').nth(place.line - 1).unwrap();
        prop_assert!(place.column <= line.chars().count() + 1, "{place:?} in {line:?}");
    }
    errors.render(Look::Ascii);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_bytes_panic_and_errors_lie_within_the_file(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        lies_within(&bytes)?;
    }

    #[test]
    fn no_mangled_scenario_panics_and_errors_lie_within_the_file(bytes in mangled()) {
        lies_within(&bytes)?;
    }
}
