//! Which commit of the target is played: told, as pipelines have it, or as git knows it.

use std::process::{Command, Stdio};

/// What pipelines call the commit that they check.
const VARIABLES: [&str; 2] = ["GITHUB_SHA", "CI_COMMIT_SHA"];

/// The commit that is checked out; `told` stands above all that is found out. `None`: nobody knows, as in a container
/// without git.
pub fn commit(told: Option<&str>) -> Option<String> {
    let by_pipeline = || VARIABLES.iter().find_map(|name| std::env::var(name).ok());
    told.map(str::to_owned).or_else(by_pipeline).or_else(by_git).filter(|commit| !commit.is_empty())
}

/// The commit that git knows by `name`: a branch, a tag, `HEAD~1`.
pub fn named_commit(name: &str) -> Option<String> {
    // A name that begins like an option would be one.
    rev_parse(&["--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")])
}

fn by_git() -> Option<String> {
    rev_parse(&["HEAD"])
}

fn rev_parse(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("rev-parse").args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_stands_above_what_is_found_out() {
        assert_eq!(commit(Some("1234abc")).as_deref(), Some("1234abc"));
        assert_eq!(commit(Some("")), None);
    }
}
