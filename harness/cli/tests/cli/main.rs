//! The whole command line over a made-up world, whose cases crash, hang, lie and dawdle as their names say.
//!
//! This binary starts itself again, as the real one does: as `__run` it is a child, as `__cli` it is `watertight`.

mod bench;
mod endings;
mod fake;
mod history;
mod linting;
mod networks;
mod outputs;
mod proxy;
mod self_soak;
mod shards;
mod soaking;
mod stopping;
mod watching;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use watertight::engine::WorldPlayer;
use watertight::runner::WorldLibrary;
use watertight_cli::Parts;
use watertight_scenarios::S7World;
use watertight_scenarios::roles::ROLES;

use crate::fake::{FakeLibrary, FakePlayer};

/// Its counts are the census of the soak of the soak.
#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    let parts = parts();
    let mut args = std::env::args_os();
    match args.nth(1) {
        Some(arg) if arg == "__cli" => {
            watertight_cli::from_args(std::iter::once("watertight".into()).chain(args), parts)
        }
        Some(arg) if arg == self_soak::ROLE => self_soak::main(args),
        // A child, or a role of the real world.
        Some(arg) if arg.as_encoded_bytes().starts_with(b"__") => {
            fake::garble();
            watertight_cli::main(parts)
        }
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

/// The made-up world, or the real one where a test asks for that.
fn parts() -> Parts<'static> {
    match std::env::var_os(bench::REAL_WORLD) {
        None => Parts { library: &FakeLibrary, player: &FakePlayer, roles: &[] },
        Some(_) => Parts { library: &WorldLibrary(S7World), player: &WorldPlayer(S7World), roles: ROLES },
    }
}

fn trials() -> Vec<Trial> {
    let all: Vec<(&str, fn())> = [
        endings::TESTS,
        stopping::TESTS,
        outputs::TESTS,
        shards::TESTS,
        history::TESTS,
        linting::TESTS,
        watching::TESTS,
        proxy::TESTS,
        soaking::TESTS,
        self_soak::TESTS,
    ]
    .concat();
    let promtool = (!is_program("promtool")).then_some("promtool: ci/setup.sh");
    let needy = [needing(promtool, watching::PROMTOOL), needing(networks::missing(), networks::OWN)];
    all.into_iter().map(trial).chain(needy).collect()
}

fn trial((name, test): (&'static str, fn())) -> Trial {
    Trial::test(name, move || {
        // A panic is a failure, as libtest has it.
        std::panic::catch_unwind(test).map_err(|panic| Failed::from(said(&*panic)))
    })
}

/// Without what it needs a test is skipped by name, with the reason; under `WATERTIGHT_REQUIRE=all` it fails.
fn needing(missing: Option<&str>, test: (&'static str, fn())) -> Trial {
    let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
    let kind = missing.map_or_else(String::new, |what| format!("needs {what}"));
    trial(test).with_kind(kind).with_ignored_flag(missing.is_some() && !must_have_all)
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
