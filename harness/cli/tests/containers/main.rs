//! Targets in containers, with a real engine: outcomes as in processes, the faults that need a container, and nothing left behind,
//! however a run ends.
//!
//! Without an engine they are skipped by name, with the reason; `WATERTIGHT_REQUIRE=all` makes that a failure. `ci/docker.sh`
//! starts one.

mod bench;
mod endings;
mod leftovers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use watertight::housing::Houses as _;
use watertight_container::Containers;

/// A test; an error is a sentence.
type Test = fn() -> Result<(), String>;

/// With an engine.
const WITH: [(&str, Test); 7] = [
    ("scenarios_of_the_gate_end_as_in_processes", endings::scenarios_of_the_gate_end_as_in_processes),
    ("a_leak_is_found_under_a_limit_of_64_mib", endings::a_leak_is_found_under_a_limit_of_64_mib),
    ("a_target_that_outgrows_its_memory_leaks", endings::a_target_that_outgrows_its_memory_leaks),
    (
        "a_target_that_never_fits_has_broken_its_budget",
        endings::a_target_that_never_fits_has_broken_its_budget,
    ),
    ("a_target_is_paused_killed_and_cut_off", endings::a_target_is_paused_killed_and_cut_off),
    ("ctrl_c_leaves_nothing", leftovers::ctrl_c_leaves_nothing),
    ("a_run_that_is_killed_leaves_nothing", leftovers::a_run_that_is_killed_leaves_nothing),
];

/// Without one.
const WITHOUT: [(&str, Test); 1] =
    [("an_engine_that_is_not_there_is_said_to_be_missing", endings::an_engine_that_is_not_there)];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait more than they compute.
    args.test_threads.get_or_insert(WITH.len() + WITHOUT.len());
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    let lacks = Containers.lacks();
    let with = WITH.map(|(name, test)| trial(name, test, lacks.clone(), must_have_all));
    let without = WITHOUT.map(|(name, test)| trial(name, test, None, must_have_all));
    libtest_mimic::run(&args, with.into_iter().chain(without).collect()).exit_code()
}

fn trial(name: &str, test: Test, lacks: Option<String>, must_have_all: bool) -> Trial {
    // The kind is shown before the name: the reason is read where the test is listed.
    let kind = lacks.clone().unwrap_or_default();
    let is_ignored = lacks.is_some() && !must_have_all;
    let test = Trial::test(name, move || match &lacks {
        Some(lacks) => Err(Failed::from(lacks.clone())),
        None => test().map_err(Failed::from),
    });
    test.with_kind(kind).with_ignored_flag(is_ignored)
}
