//! `#[watertight::test]` seen from outside: each specimen is a test of its own, played as libtest plays it.
//!
//! A specimen does what it is for only in a process that asks for it: else this very binary would fail.

mod bad_inputs;
mod leaks;
mod specimens;

use std::process::Command;

watertight::probe!();

/// What became of one specimen.
pub struct Outcome {
    /// Whether it passed.
    pub passed: bool,
    /// What it printed.
    pub text: String,
}

/// Plays one of [`specimens`] in a process of its own.
pub fn play(specimen: &str) -> Outcome {
    let name = format!("specimens::{specimen}");
    let output = Command::new(std::env::current_exe().expect("this test is a file"))
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SPECIMEN", specimen)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("it starts");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let text = out + &err;
    assert!(text.contains("running 1 test"), "no specimen is called {specimen}: {text}");
    Outcome { passed: output.status.success(), text }
}

impl Outcome {
    /// That it failed, and said all of `parts`.
    #[track_caller]
    pub fn fails_with(&self, parts: &[&str]) {
        assert!(!self.passed, "it passed: {}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "lacks {part:?}:\n{}", self.text);
        }
    }

    /// That it passed.
    #[track_caller]
    pub fn passes(&self) {
        assert!(self.passed, "{}", self.text);
    }
}

/// The line of the specimens that ends in `// here: mark`.
pub fn marked(mark: &str) -> String {
    let end = format!("// here: {mark}");
    let at = include_str!("specimens.rs").lines().position(|line| line.ends_with(&end));
    format!("harness/tests/guard/specimens.rs:{}", at.expect("it is marked") + 1)
}
