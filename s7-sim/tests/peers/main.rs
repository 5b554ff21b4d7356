//! The simulator as a program: the answers that are usually wrong, over a raw socket; and against programs of others. A test whose program is not on this machine is skipped by name, with the reason;
//! under `WATERTIGHT_REQUIRE=all` that is a failure. `ci/setup.sh` installs them all.

mod answers;
mod program;
mod python_snap7;
mod tshark;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test, and the file that must be on this machine for it, as seen from the workspace's root.
struct Test {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn() -> Result<(), String>,
}

const ALL: [Test; 2] = [python_snap7::OWN_TESTS, tshark::NO_MALFORMED_FRAME];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    let trials = ALL.map(|test| trial(test, must_have_all)).into_iter().chain(answers::trials());
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn trial(Test { name, needs, run }: Test, must_have_all: bool) -> Trial {
    let missing = needs.iter().find(|file| !program::root().join(file).exists());
    // The kind is shown before the name: the reason is read where the test is listed.
    let kind = missing.map_or(String::new(), |file| format!("needs {file}"));
    let is_ignored = missing.is_some() && !must_have_all;
    let test = Trial::test(name, move || match missing {
        Some(file) => Err(Failed::from(format!("{file} is not on this machine: `ci/setup.sh` installs it"))),
        None => run().map_err(Failed::from),
    });
    test.with_kind(kind).with_ignored_flag(is_ignored)
}
