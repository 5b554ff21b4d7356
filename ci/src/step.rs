//! The steps and the commands they are made of.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::failures::Failures;
use crate::msrv::Msrv;

/// One step of the checks. The order is the order in which `all` runs them: quick answers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Formatting.
    Fmt,
    /// Lints, warnings are errors.
    Clippy,
    /// Each feature of what others build on compiles by itself, not only together with all the others.
    Features,
    /// API documentation without warnings.
    Doc,
    /// The guide, as pages: `target/book/index.html`.
    Book,
    /// Each crate can be packed as a registry takes it; `cargo package --workspace` also builds what it packed, in minutes.
    Package,
    /// The oldest Rust that is promised, where this machine has it beside the one at hand.
    Msrv,
    /// All tests, every scenario among them.
    Test,
    /// The gate: what the README leads with, in the profile of the tests.
    Gate,
    /// Every benchmark, for its figures; not part of `all`.
    Bench,
    /// The models of the cancellation logic, explored further than `test` does; not part of `all`.
    Loom,
    /// Errors built in on purpose against every model that could see them, further than `test` does; not part of `all`.
    Mutants,
    /// Whether clean runs of the gate would have seen what they say, in both engines, with twenty seeds; not part of `all`.
    Sensitivity,
    /// Everything but the benchmarks and what takes minutes to explore.
    All,
}

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It ran and failed.
    #[error("`{command}` ended with {status}")]
    Ended {
        /// The command as one would type it.
        command: String,
        /// Its exit status.
        status: ExitStatus,
    },
    /// It needs what this machine lacks, and nothing may be skipped.
    #[error("{why}; WATERTIGHT_REQUIRE=all skips nothing")]
    Missing {
        /// What is missing, and how to get it.
        why: String,
    },
    /// It could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command as one would type it.
        command: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Step {
    /// The steps that this one consists of.
    pub fn parts(self) -> Vec<Self> {
        match self {
            Self::All => vec![
                Self::Fmt,
                Self::Clippy,
                Self::Features,
                Self::Doc,
                Self::Book,
                Self::Package,
                Self::Msrv,
                Self::Test,
                Self::Gate,
            ],
            step => vec![step],
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Runs its commands; the time is theirs together.
    #[expect(clippy::disallowed_methods, reason = "the time that people wait for a step is wall-clock time")]
    pub fn run(self) -> (Duration, Result<(), Failure>) {
        let started = Instant::now();
        let result = match self {
            Self::Msrv => check_msrv(&Msrv::here()),
            // One program that fails does not keep the others from being run.
            Self::Test => test("cargo test --no-fail-fast"),
            _ => self.commands().iter().try_for_each(|command| run(command)),
        };
        (started.elapsed(), result)
    }

    /// Its commands, as one would type them, variables first; no shell is involved.
    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Fmt => &["cargo fmt --all --check"],
            Self::Clippy => &["cargo clippy --workspace --all-targets -- -D warnings"],
            // All of them together are what clippy has looked at.
            Self::Features => &[
                "cargo check --quiet -p watertight --no-default-features",
                "cargo check --quiet -p watertight --no-default-features --features test",
                "cargo check --quiet -p watertight --no-default-features --features scenarios",
                "cargo check --quiet -p watertight --no-default-features --features store",
                "cargo check --quiet -p watertight-probe --no-default-features",
                // As others build it: without task hooks and frame pointers. Any flag takes the place of ours.
                "RUSTFLAGS=-Cdebuginfo=0 cargo check --quiet -p watertight-probe",
            ],
            Self::Doc => &[
                "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps",
                "RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps -p watertight -p watertight-probe --no-default-features",
            ],
            Self::Book => &["cargo run --quiet --manifest-path ci/book/Cargo.toml --locked"],
            // What is not committed yet is packed too.
            Self::Package => &["cargo package --quiet --workspace --no-verify --allow-dirty"],
            // As `cargo watertight run scenarios/gate`, with the binary that the tests have built: one package alone has other features.
            Self::Gate => &[
                "cargo build --quiet --workspace --bins --tests",
                "target/debug/watertight run scenarios/gate",
            ],
            Self::Bench => &["cargo bench"],
            Self::Loom => &["WATERTIGHT_LOOM=long cargo test -p gateway-lifecycle --lib -- --skip mutant::"],
            Self::Mutants => &["WATERTIGHT_MUTANTS=all cargo test -p gateway-lifecycle --lib -- mutant::"],
            Self::Sensitivity => &[
                "cargo watertight sensitivity scenarios/gate/config-reload.yaml scenarios/gate/flapping-network.yaml \
                   scenarios/gate/half-open-peer.yaml scenarios/gate/silent-plc.yaml scenarios/gate/slow-consumer.yaml \
                   --engine all --seeds 20",
            ],
            Self::Test | Self::Msrv | Self::All => &[],
        }
    }
}

fn check_msrv(msrv: &Msrv) -> Result<(), Failure> {
    match msrv.command() {
        Ok(command) => run(&command),
        Err(why) if *msrv == Msrv::Missing && must_have_all() => Err(Failure::Missing { why }),
        Err(why) => {
            println!("ci: msrv: {why}");
            Ok(())
        }
    }
}

fn must_have_all() -> bool {
    std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all")
}

fn run(command: &str) -> Result<(), Failure> {
    let status =
        prepare(command).status().map_err(|source| Failure::Start { command: command.to_owned(), source })?;
    ended(command, status)
}

/// As [`run`], and what the failed tests have said is said once more at the end.
fn test(command: &str) -> Result<(), Failure> {
    let start = |source| Failure::Start { command: command.to_owned(), source };
    let mut child = prepare(command).stdout(Stdio::piped()).spawn().map_err(start)?;
    let failures = Failures::follow(child.stdout.take());
    let status = child.wait().map_err(start)?;
    for line in failures.told() {
        println!("ci: {line}");
    }
    ended(command, status)
}

fn ended(command: &str, status: ExitStatus) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(Failure::Ended { command: command.to_owned(), status }) }
}

fn prepare(command: &str) -> Command {
    let mut words = command.split_whitespace().peekable();
    let variables = std::iter::from_fn(|| words.next_if(|word| word.contains('='))?.split_once('='));
    let variables: Vec<_> = variables.collect();
    let mut prepared = Command::new(words.next().unwrap_or_default());
    prepared.args(words).envs(variables).current_dir(root());
    prepared
}

/// The project's root: the folder above this crate's.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runs_every_check_and_no_benchmark() {
        let parts = Step::All.parts();
        let is_check = |step: &&Step| {
            !matches!(step, Step::All | Step::Bench | Step::Loom | Step::Mutants | Step::Sensitivity)
        };
        assert!(Step::value_variants().iter().filter(is_check).eq(parts.iter()));
    }

    #[test]
    fn variables_before_a_command_reach_it() {
        assert!(run("CARGO_TERM_COLOR=never CARGO_TERM_QUIET=true cargo --version").is_ok());
        let failure = run("CARGO_TERM_COLOR=no-such-colour cargo check").unwrap_err();
        assert!(
            failure.to_string().starts_with("`CARGO_TERM_COLOR=no-such-colour cargo check` ended"),
            "{failure}"
        );
    }

    #[test]
    fn a_failing_command_is_named_with_its_status() {
        let failure = run("cargo no-such-command").unwrap_err();
        assert!(
            failure.to_string().starts_with("`cargo no-such-command` ended with exit status: 101"),
            "{failure}"
        );
    }
}
