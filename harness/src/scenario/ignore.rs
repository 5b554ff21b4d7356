//! Files of leaks that are known and put up with for a while: entries such as `ignore:` of a scenario has.

use std::path::Path;

use garde::Validate;
use serde::Deserialize;

use super::document;
use super::error::ScenarioErrors;
pub use crate::verdict::Ignore;

/// A file of entries, for all scenarios of a run: `--ignore FILE`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct IgnoreFile {
    /// The version of this format: 1.
    #[garde(range(min = 1, max = 1))]
    pub version: u32,
    /// The entries.
    #[garde(length(max = IGNORES_MAX), dive)]
    pub ignore: Vec<Ignore>,
}

/// The most entries of one file: who needs more has stopped looking.
const IGNORES_MAX: usize = 1_000;

impl IgnoreFile {
    /// Reads a file of entries.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        document::read(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IgnoreFile, String> {
        document::parse(Path::new("ignore.yaml"), text.as_bytes()).map_err(|errors| errors.to_string())
    }

    const ENTRY: &str = "version: 1\nignore:\n  - { site: session.rs, resource: heap, reason: pool, owner: alice, expires: 2026-12-31 }\n";

    #[test]
    fn an_entry_has_a_reason_an_owner_and_a_day() {
        let file = read(ENTRY).unwrap();
        assert_eq!(file.ignore[0].to_string(), "heap at session.rs (alice: pool)");
        assert!(file.ignore[0].holds_on("2026-12-31".parse().unwrap()), "its last day included");
        assert!(!file.ignore[0].holds_on("2027-01-01".parse().unwrap()));
    }

    #[test]
    fn an_entry_that_names_nothing_or_no_such_day_is_an_error() {
        let bare = read("version: 1\nignore:\n  - { reason: pool, owner: alice, expires: 2026-12-31 }\n")
            .unwrap_err();
        assert!(bare.contains("names nothing: give `site`, `resource` or `fingerprint`"), "{bare}");
        let day = read(&ENTRY.replace("2026-12-31", "2026-02-30")).unwrap_err();
        assert!(day.contains("expected a day, such as `2026-12-31`, found `2026-02-30`"), "{day}");
        let owner = read(&ENTRY.replace(", owner: alice", "")).unwrap_err();
        assert!(owner.contains("lacks the key `owner`"), "{owner}");
    }

    #[test]
    fn every_error_of_a_file_is_named_at_once() {
        let errors = read("version: 2\nignore:\n  - { site: a.rs, reason: pool, owner: alice, expires: soon }\n  - { size: 3 }\n").unwrap_err();
        assert!(errors.lines().count() >= 3, "{errors}");
    }
}
