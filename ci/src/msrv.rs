//! The oldest Rust that the manifests state, and whether this machine can check with it.

use std::process::Command;

/// The `rust-version` of the workspace: this crate inherits it.
const STATED: &str = env!("CARGO_PKG_RUST_VERSION");

/// What can be done here about the stated version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Msrv {
    /// The compiler of every other step is the stated one: they have checked it.
    IsTheOneAtHand,
    /// rustup has it, under this name.
    Installed(String),
    /// It is not on this machine.
    Missing,
}

impl Msrv {
    /// Asks `rustc` and `rustup`.
    pub fn here() -> Self {
        of(STATED, &said("rustc", &["--version"]), &said("rustup", &["toolchain", "list"]))
    }

    /// The command that checks with it, or the reason why there is none.
    pub fn command(&self) -> Result<String, String> {
        match self {
            Self::IsTheOneAtHand => {
                Err(format!("rustc is {STATED} itself: clippy and the tests have checked it"))
            }
            Self::Installed(name) => Ok(format!("cargo +{name} check --quiet --workspace")),
            Self::Missing => Err(format!(
                "skipped: Rust {STATED} is not on this machine: rustup toolchain install {STATED} --profile minimal"
            )),
        }
    }
}

fn of(stated: &str, rustc: &str, toolchains: &str) -> Msrv {
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    if rustc.split_whitespace().nth(1).is_some_and(|version| is_of(stated, version)) {
        return Msrv::IsTheOneAtHand;
    }
    let names = toolchains.lines().filter_map(|line| line.split_whitespace().next());
    // `1.95.0-x86_64-unknown-linux-gnu`
    let found =
        names.filter(|name| name.split('-').next().is_some_and(|version| is_of(stated, version))).min();
    found.map_or(Msrv::Missing, |name| Msrv::Installed(name.to_owned()))
}

/// Whether `version` is `stated` or a patch of it.
fn is_of(stated: &str, version: &str) -> bool {
    version == stated || version.strip_prefix(stated).is_some_and(|rest| rest.starts_with('.'))
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLCHAINS: &str =
        "stable-x86_64-unknown-linux-gnu (active, default)\n1.95.0-x86_64-unknown-linux-gnu\n";

    #[test]
    fn the_stated_version_is_found_under_the_name_that_rustup_gives_it() {
        let installed = Msrv::Installed("1.95.0-x86_64-unknown-linux-gnu".to_owned());
        assert_eq!(of("1.95", "rustc 1.97.1 (abc 2026-09-01)", TOOLCHAINS), installed);
        assert_eq!(
            installed.command().unwrap(),
            "cargo +1.95.0-x86_64-unknown-linux-gnu check --quiet --workspace"
        );
    }

    #[test]
    fn the_compiler_at_hand_is_not_asked_twice() {
        assert_eq!(of("1.95", "rustc 1.95.0 (59807616e 2026-04-14)", TOOLCHAINS), Msrv::IsTheOneAtHand);
        assert_ne!(of("1.9", "rustc 1.95.0 (59807616e 2026-04-14)", ""), Msrv::IsTheOneAtHand);
    }

    #[test]
    fn what_is_missing_is_named_with_how_to_get_it() {
        let missing = of("1.94", "rustc 1.95.0 (59807616e 2026-04-14)", TOOLCHAINS);
        assert_eq!(missing, Msrv::Missing);
        assert!(missing.command().unwrap_err().starts_with("skipped: Rust "));
    }
}
