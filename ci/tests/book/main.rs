//! The guide held against what it tells of: every command in it is run and its output compared, every scenario checked, every
//! link followed. Rust in it is compiled by the doctests of `watertight` (`harness/src/guide.rs`).
//!
//! What a block is held against stands behind its language: see [`block::Block`].

mod block;
mod chapter;
mod console;
mod links;
mod scratch;
mod yaml;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::chapter::Chapter;

/// The project's programs whose output the guide shows; the first is the command line.
const PROGRAMS: [&str; 2] = ["watertight", "kv"];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let mut trials = vec![
        Trial::test("the_summary_names_every_chapter", || links::summary().map_err(Failed::from)),
        Trial::test("every_link_leads_somewhere", || links::everywhere().map_err(Failed::from)),
        Trial::test("every_rule_of_the_lint_has_its_page", || links::rules().map_err(Failed::from)),
        Trial::test("the_measure_sees_what_is_wrong", || console::controls().map_err(Failed::from)),
    ];
    let chapters = chapter::all().into_iter().chain([chapter::readme()]);
    trials.extend(chapters.filter(Chapter::has_blocks).map(trial));
    libtest_mimic::run(&args, trials).exit_code()
}

/// A chapter, followed from its beginning to its end. What is not on this machine skips it by name, or fails it under
/// `WATERTIGHT_REQUIRE=all`.
fn trial(chapter: Chapter) -> Trial {
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    let missing = chapter.needs().into_iter().find(|need| scratch::program(need).is_none());
    let kind = missing.map_or_else(String::new, |need| format!("needs {need}: {}", from_where(need)));
    let is_ignored = missing.is_some() && !must_have_all;
    let name = format!("{}_is_true", chapter.name.to_lowercase().replace(['/', '-'], "_"));
    Trial::test(name, move || chapter.follow().map_err(Failed::from))
        .with_kind(kind)
        .with_ignored_flag(is_ignored)
}

fn from_where(need: &str) -> &'static str {
    if PROGRAMS.contains(&need) { "cargo build --workspace" } else { "ci/setup.sh" }
}
