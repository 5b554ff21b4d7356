//! Whom a new scenario is written for: a target of the runner's own, or somebody else's program.

use serde_json::Value;

/// A target built into a runner, and who stands around it in a scenario that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTarget {
    /// Its name under `target:`.
    pub name: &'static str,
    /// What it may be called on the command line.
    pub short: &'static str,
    /// Its peers. The first server and the first consumer stand in every new scenario, the others where they are asked for.
    pub peers: Vec<OwnPeer>,
    /// Settings that a `reload` may bring, as YAML of its `with`.
    pub reload_with: &'static str,
}

/// A peer of a target built into a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPeer {
    /// Its name under `world:`.
    pub name: &'static str,
    /// Its kind and settings, as YAML without the outer braces: `s7: { count: 4, scan: 1s }`.
    pub spec: &'static str,
    /// Who that is, for the comment beside it.
    pub about: &'static str,
    /// Whether the target connects to it.
    pub is_server: bool,
    /// The figure of the target that says that this peer is served, and its value at rest: `sessions: 4`.
    pub at_rest: &'static str,
}

/// What a new scenario has under `target:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftTarget {
    /// A target of the runner's own.
    Own(OwnTarget),
    /// A program and its arguments.
    Command(Vec<String>),
    /// A process that runs already.
    Pid(u32),
}

/// A peer that the user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftPeer {
    /// One of [`OwnTarget::peers`].
    Own(String),
    /// A service that runs already, at `host:port`.
    Address(String, String),
    /// A program that the run starts, and its arguments.
    Command(String, Vec<String>),
}

impl DraftPeer {
    /// Its name under `world:`.
    pub fn name(&self) -> &str {
        match self {
            Self::Own(name) | Self::Address(name, _) | Self::Command(name, _) => name,
        }
    }
}

/// What clients say to a target that is somebody else's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Talk {
    /// A request of HTTP, one a connection.
    Http,
    /// A line, and how the answer begins where one is expected.
    Line(String, Option<String>),
}

/// The most letters of a word that stands in YAML as it is; longer ones are quoted, which is right for all.
const PLAIN_LETTERS_MAX: usize = 120;

/// `words` as a list in YAML: plain where that cannot be misread, else quoted as in JSON.
pub(in crate::scenario) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| scalar(word)).collect();
    format!("[{}]", words.join(", "))
}

/// `text` as a scalar in YAML.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    let mut letters = text.trim_start_matches('-').chars();
    let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '/');
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || "_./-".contains(letter));
    let means_more = ["true", "false", "null", "yes", "no", "on", "off"];
    begins
        && goes_on
        && text.len() <= PLAIN_LETTERS_MAX
        && !means_more.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_yaml_would_misread_are_quoted() {
        let words = ["redis-server", "--port", "{port}", "no", "", "7", "/usr/bin/x", "a: b", "\"q\""];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        let expected = r#"[redis-server, --port, "{port}", "no", "", "7", /usr/bin/x, "a: b", "\"q\""]"#;
        assert_eq!(list(&words), expected);
    }
}
