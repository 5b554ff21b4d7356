//! However a child ends, its case is reported and the others go on.

use watertight::exit::Exit;
use watertight::report::RunReport;
use watertight::verdict::Outcome;

use crate::bench::{Bench, case, runs};
use crate::fake::{GARBAGE, WALL_TIME_PER_CYCLE};

pub const TESTS: &[(&str, fn())] = &[
    ("endings::a_clean_case_ends_0_and_keeps_its_cycles", a_clean_case_ends_0_and_keeps_its_cycles),
    ("endings::a_leak_ends_1", a_leak_ends_1),
    ("endings::a_child_that_aborts_costs_its_own_case_only", a_child_that_aborts_costs_its_own_case_only),
    ("endings::a_child_that_panics_is_quoted", a_child_that_panics_is_quoted),
    (
        "endings::a_child_that_leaves_without_a_word_is_no_success",
        a_child_that_leaves_without_a_word_is_no_success,
    ),
    ("endings::a_child_that_prints_garbage_is_named", a_child_that_prints_garbage_is_named),
    (
        "endings::a_target_that_prints_to_stdout_disturbs_nothing",
        a_target_that_prints_to_stdout_disturbs_nothing,
    ),
    ("endings::a_flood_on_stderr_is_cut_to_its_end", a_flood_on_stderr_is_cut_to_its_end),
    (
        "endings::a_child_that_hangs_is_killed_with_what_it_started",
        a_child_that_hangs_is_killed_with_what_it_started,
    ),
    ("endings::a_child_that_refuses_ends_2", a_child_that_refuses_ends_2),
    ("endings::a_suspect_is_played_again_longer", a_suspect_is_played_again_longer),
    (
        "endings::a_suspect_that_stays_one_is_played_twice_more_and_no_further",
        a_suspect_that_stays_one_is_played_twice_more_and_no_further,
    ),
    (
        "endings::what_saturates_is_extended_once_to_see_it_level_off",
        what_saturates_is_extended_once_to_see_it_level_off,
    ),
    ("endings::equal_runs_are_called_equal", equal_runs_are_called_equal),
    ("endings::the_first_difference_of_two_runs_is_named", the_first_difference_of_two_runs_is_named),
];

fn a_clean_case_ends_0_and_keeps_its_cycles() {
    let (ran, report) = Bench::new().report(&["fake/clean.yaml", "--cycles", "9"]);
    assert_eq!((ran.code, report.exit), (Some(0), Exit::Clean), "{}", ran.stderr);
    let cycles: Vec<usize> =
        case(&report, "clean").timeline.cycles.iter().map(|record| record.cycle).collect();
    assert_eq!(cycles, (0..9).collect::<Vec<_>>());
    assert_eq!(
        case(&report, "clean").replay,
        "watertight run fake/clean.yaml --engine sim --seed 7 --cycles 9"
    );
    assert_eq!(case(&report, "clean").notes, ["heap by sites"]);
}

fn a_leak_ends_1() {
    let ran = Bench::new().run(&["run", "fake/leak.yaml", "fake/clean.yaml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("leak ends as told"), "{}", ran.stdout);
}

fn a_child_that_aborts_costs_its_own_case_only() {
    let (ran, report) = Bench::new().report(&["fake/abort.yaml", "fake/leak.yaml", "fake/clean.yaml"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let abort = case(&report, "abort");
    assert_eq!((abort.exit, abort.timeline.cycles.len()), (Exit::Harness, 2));
    assert!(abort.headline.contains("signal 6"), "{}", abort.headline);
    assert!(abort.notes[0].ends_with("about to abort"), "{:?}", abort.notes);
    assert_eq!(case(&report, "leak").outcome, Outcome::Leak);
    assert_eq!(case(&report, "clean").outcome, Outcome::Clean);
}

fn a_child_that_panics_is_quoted() {
    let (ran, report) = Bench::new().report(&["fake/panic.yaml"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let notes = &case(&report, "panic").notes;
    assert!(notes[0].contains("the fake broke a promise"), "{notes:?}");
}

fn a_child_that_leaves_without_a_word_is_no_success() {
    let (ran, report) = Bench::new().report(&["fake/quit.yaml"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let headline = &case(&report, "quit").headline;
    assert_eq!(headline, "the child run exited with code 0 without a report; 2 of 5 cycles measured");
}

fn a_child_that_prints_garbage_is_named() {
    let mut command = Bench::new().watertight(&["run", "fake/clean.yaml", "--json", "-"]);
    let output = command.env(GARBAGE, "hello from a linker script\n").output().expect("it starts");
    assert_eq!(output.status.code(), Some(4));
    let report: RunReport = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
    let headline = &report.cases[0].headline;
    let expected = "line 1 of the child's output is no message: `hello from a linker script`: ";
    assert!(headline.starts_with(expected), "{headline}");
}

fn a_target_that_prints_to_stdout_disturbs_nothing() {
    let (ran, report) = Bench::new().report(&["fake/chatter.yaml"]);
    assert_eq!((ran.code, case(&report, "chatter").timeline.cycles.len()), (Some(0), 5), "{}", ran.stderr);
}

fn a_flood_on_stderr_is_cut_to_its_end() {
    let ran = Bench::new().run(&["run", "fake/flood.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

fn a_child_that_hangs_is_killed_with_what_it_started() {
    let bench = Bench::new();
    let (ran, report) = bench.report(&["fake/parent.yaml", "--timeout", "300ms"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let hung = case(&report, "parent");
    assert_eq!((hung.outcome, hung.timeline.cycles.len()), (Outcome::Inconclusive, 2));
    assert!(hung.headline.starts_with("no cycle ended within 300ms"), "{}", hung.headline);
    assert!(!runs(bench.noted("child")), "the child is gone");
    assert!(!runs(bench.noted("grandchild")), "what it started is gone");
}

fn a_child_that_refuses_ends_2() {
    let ran = Bench::new().run(&["run", "fake/refuse.yaml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.contains("no such target: `fake`"), "{}", ran.stdout);
}

fn a_suspect_is_played_again_longer() {
    let (ran, report) = Bench::new().report(&["fake/suspect.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let suspect = case(&report, "suspect");
    assert_eq!((suspect.outcome, suspect.timeline.cycles.len()), (Outcome::Clean, 20));
    let note = "suspect after 5 cycles, so it was played again with 20: the longer run is clean";
    assert!(suspect.notes.iter().any(|said| said == note), "{:?}", suspect.notes);
    assert_eq!(suspect.wall_time, 25 * WALL_TIME_PER_CYCLE, "both runs took time");
    let (ran, _) = Bench::new().report(&["fake/suspect.yaml", "--cycles", "6"]);
    assert_eq!(ran.code, Some(3), "a length that was asked for is kept");
}

fn a_suspect_that_stays_one_is_played_twice_more_and_no_further() {
    let (ran, report) = Bench::new().report(&["fake/forever-suspect.yaml"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let suspect = case(&report, "forever-suspect");
    assert_eq!((suspect.outcome, suspect.timeline.cycles.len()), (Outcome::Suspect, 40));
    assert_eq!(suspect.wall_time, (5 + 20 + 40) * WALL_TIME_PER_CYCLE);
    assert!(suspect.replay.ends_with("--cycles 40"), "{}", suspect.replay);
}

fn what_saturates_is_extended_once_to_see_it_level_off() {
    let (ran, report) = Bench::new().report(&["fake/fills.yaml", "fake/fills-on.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let fills = case(&report, "fills");
    assert_eq!((fills.outcome, fills.timeline.cycles.len()), (Outcome::Clean, 15));
    assert_eq!(fills.headline, "filled up, then level: fills ends as told");
    let on = case(&report, "fills-on");
    assert_eq!((on.outcome, on.timeline.cycles.len()), (Outcome::Saturating, 15));
    assert_eq!(on.headline, "fills-on ends as told, still so after 15 cycles");
    let (_, report) = Bench::new().report(&["fake/fills.yaml", "--cycles", "6"]);
    assert_eq!(case(&report, "fills").timeline.cycles.len(), 6, "a length that was asked for is kept");
}

fn equal_runs_are_called_equal() {
    let ran = Bench::new().run(&["run", "fake/clean.yaml", "--check-determinism"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        ran.stdout.trim_end(),
        "sim::clean (seed 7): equal timelines: 5 cycles, 11 lines compared (RSS apart)"
    );
}

fn the_first_difference_of_two_runs_is_named() {
    let ran = Bench::new().run(&["run", "fake/chance.yaml", "--check-determinism"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    // Planned, three cycles of an event and a census each, then the event that differs.
    assert!(ran.stdout.contains("the timelines differ first in cycle 3, line 8:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("first run:  at 3s: link cut, die shows "), "{}", ran.stdout);
}
