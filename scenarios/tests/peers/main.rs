//! Brokers beside programs of others: simulated ones with the clients of real ones, real ones with the clients of this world.
//! A test whose program is not on this machine is skipped by name, with the reason; under `WATERTIGHT_REQUIRE=all` that is a
//! failure. `ci/setup.sh` installs them all.

mod mosquitto;
mod program;
mod redis_server;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test, and the programs that must be on this machine for it.
struct Test {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn() -> Result<(), String>,
}

const ALL: [Test; 4] = [
    mosquitto::CLIENTS_AT_THE_SIMULATED_BROKER,
    mosquitto::CLIENTS_OF_THIS_WORLD_AT_THE_REAL_BROKER,
    redis_server::CLIENTS_AT_THE_SIMULATED_SERVER,
    redis_server::CLIENTS_OF_THIS_WORLD_AT_THE_REAL_SERVER,
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    libtest_mimic::run(&args, ALL.map(|test| trial(test, must_have_all)).into()).exit_code()
}

fn trial(Test { name, needs, run }: Test, must_have_all: bool) -> Trial {
    let missing = needs.iter().find(|file| !Path::new(file).exists());
    // The kind is shown before the name: the reason is read where the test is listed.
    let kind = missing.map_or(String::new(), |file| format!("needs {file}"));
    let is_ignored = missing.is_some() && !must_have_all;
    let test = Trial::test(name, move || match missing {
        Some(file) => Err(Failed::from(format!("{file} is not on this machine: `ci/setup.sh` installs it"))),
        None => run().map_err(Failed::from),
    });
    test.with_kind(kind).with_ignored_flag(is_ignored)
}
