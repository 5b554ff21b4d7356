//! A fresh crate outside of this workspace adopts the guard: one dependency, one line, one attribute. On stable Rust without
//! flags, under `cargo test` with sixteen threads and under nextest.

use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "adopted"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "time"] }

[dev-dependencies]
watertight = { path = "HARNESS", default-features = false, features = ["test"] }

[[test]]
name = "whole"
harness = false
"#;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The crate, in a folder that goes with it.
fn adopted() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the crate");
    let copy = |from: &str, to: &str| {
        let to = folder.path().join(to);
        std::fs::create_dir_all(to.parent().expect("in the folder")).expect("a folder is made");
        std::fs::copy(here(from), to).expect("a file is copied");
    };
    for file in ["src/lib.rs", "tests/leaky.rs", "tests/fixed.rs", "tests/whole.rs", "watertight-ignore.toml"]
    {
        copy(&format!("tests/adopt/crate/{file}"), file);
    }
    // The versions that are here already: nothing is fetched.
    copy("../Cargo.lock", "Cargo.lock");
    let manifest = MANIFEST.replace("HARNESS", &here("").display().to_string());
    std::fs::write(folder.path().join("Cargo.toml"), manifest).expect("the manifest is written");
    folder
}

/// Runs cargo in `folder`, as a user without any flag would.
fn cargo(folder: &Path, arguments: &[&str]) -> (bool, String) {
    cargo_with(folder, arguments, &[])
}

fn cargo_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adopted");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUST_BACKTRACE", "0")
        .envs(variables.iter().copied())
        .output()
        .expect("cargo starts");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), out + &err)
}

/// `src/lib.rs:7` of the line that ends in `// here: mark`.
fn marked(mark: &str) -> String {
    let text = include_str!("crate/src/lib.rs");
    let at = text.lines().position(|line| line.ends_with(&format!("// here: {mark}")));
    format!("src/lib.rs:{}", at.expect("it is marked") + 1)
}

#[track_caller]
fn assert_leaks_are_named(text: &str) {
    for (resource, mark) in [("tasks", "task"), ("heap", "heap"), ("fds", "fd"), ("threads", "thread")] {
        let report = format!("watertight: leak of {resource} in `{mark}` (tests/leaky.rs:");
        assert!(text.contains(&report), "lacks {report}:\n{text}");
        let line = marked(mark);
        assert!(text.contains(&line), "lacks {line} for {resource}:\n{text}");
    }
}

#[test]
fn a_fresh_crate_adopts_it_in_three_lines() {
    let folder = adopted();
    let (passed, text) =
        cargo(folder.path(), &["test", "--offline", "--test", "fixed", "--", "--test-threads=16"]);
    assert!(passed && text.contains("17 passed"), "{text}");
    let (passed, text) =
        cargo(folder.path(), &["test", "--offline", "--test", "leaky", "--", "--test-threads=16"]);
    assert!(!passed && text.contains("0 passed; 4 failed"), "{text}");
    assert_leaks_are_named(&text);
    nextest(folder.path());
    a_program_looks_at_itself(folder.path());
}

fn a_program_looks_at_itself(folder: &Path) {
    let whole = ["test", "--offline", "--test", "whole"];
    let (passed, text) = cargo(folder, &whole);
    assert!(passed && text.contains("ignores nothing, and can go: /dev/full"), "{text}");
    let (passed, text) = cargo_with(folder, &whole, &[("LEAVE_A_THREAD", "1")]);
    assert!(!passed && text.contains("threads  1 left") && !text.contains("/dev/zero"), "{text}");
}

/// The same under nextest, where it is.
fn nextest(folder: &Path) {
    let is_there = Command::new(env!("CARGO"))
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        let required = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|names| names == "all");
        assert!(!required, "nextest is not there: cargo install cargo-nextest --locked");
        eprintln!("skipped under nextest, which is not there: cargo install cargo-nextest --locked");
        return;
    }
    let (passed, text) = cargo(
        folder,
        &["nextest", "run", "--offline", "--no-fail-fast", "--test", "fixed", "--test", "leaky"],
    );
    assert!(!passed && text.contains("17 passed") && text.contains("4 failed"), "{text}");
    assert_leaks_are_named(&text);
}
