//! Runs each test as a child process: the same binary, told by a variable which test to play on its main thread.

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

const ROLE: &str = "WATERTIGHT_TEST_CHILD";

/// One test.
pub struct Case {
    pub name: &'static str,
    /// Environment of its process.
    pub variables: &'static [(&'static str, &'static str)],
    pub body: fn(),
}

/// Lists a module's tests as `CASES`: a function's name, and in brackets the variables its process gets.
macro_rules! cases {
    ($($name:ident $([$($variable:literal = $value:literal),+])?),+ $(,)?) => {
        pub const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: concat!(module_path!(), "::", stringify!($name)),
            variables: &[$($(($variable, $value)),+)?],
            body: $name,
        }),+];
    };
}
pub(crate) use cases;

/// Plays the one test this process was started for, or starts a process for each.
pub fn main(cases: impl Iterator<Item = &'static Case>) -> ExitCode {
    let Ok(role) = std::env::var(ROLE) else {
        let trials = cases.map(|case| Trial::test(case.name, || play_in_child(case))).collect();
        return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
    };
    for case in cases {
        if case.name == role {
            (case.body)();
            return ExitCode::SUCCESS;
        }
    }
    panic!("no test is called {role}");
}

fn play_in_child(case: &Case) -> Result<(), Failed> {
    let output = Command::new(std::env::current_exe()?)
        .env_remove("WATERTIGHT_HEAP")
        .env(ROLE, case.name)
        .envs(case.variables.iter().copied())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Err(format!("{}\n{stdout}{stderr}", output.status).into())
}
