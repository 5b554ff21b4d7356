//! What operates the gateway, and what pipelines run, held against the programs that read it: rules, dashboard, unit,
//! templates. A test whose program is not on this machine is skipped by name, with the reason; under
//! `WATERTIGHT_REQUIRE=all` that is a failure.

mod cluster;
mod dashboard;
mod metrics;
mod program;
mod rules;
mod service;
mod sharing;
mod templates;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test, and what must be on this machine for it: programs by name, files by path as seen from the workspace's root.
#[derive(Clone, Copy)]
struct Test {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn() -> Result<(), String>,
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    let all =
        [metrics::ALL, rules::ALL, dashboard::ALL, service::ALL, templates::ALL, sharing::ALL, cluster::ALL]
            .concat();
    let trials = all.into_iter().map(|test| trial(test, must_have_all)).collect();
    libtest_mimic::run(&args, trials).exit_code()
}

fn trial(Test { name, needs, run }: Test, must_have_all: bool) -> Trial {
    let missing = needs.iter().find(|need| program::find(need).is_none());
    // The kind is shown before the name: the reason is read where the test is listed.
    let kind = missing.map_or(String::new(), |need| format!("needs {need}: ci/setup.sh"));
    let is_ignored = missing.is_some() && !must_have_all;
    let test = Trial::test(name, move || match missing {
        Some(need) => Err(Failed::from(format!("{need} is not on this machine: `ci/setup.sh` installs it"))),
        None => run().map_err(Failed::from),
    });
    test.with_kind(kind).with_ignored_flag(is_ignored)
}
