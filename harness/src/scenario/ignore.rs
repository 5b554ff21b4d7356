//! Leaks that are known and put up with for a while: `ignore:` of a scenario, and whole files of such entries.

use std::fmt;
use std::path::Path;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document;
use super::error::ScenarioErrors;
use crate::explain::Finding;
use crate::resource::Resource;
use crate::units::Day;

/// A leak that is known. What is named must all agree; `site`, `resource` or `fingerprint` must be named.
///
/// It is reported still, and no longer ends the run with an error until the day it expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Part of the site, of the function or of a frame of own code, such as `session.rs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(custom(names_something(&self.resource, &self.fingerprint)))]
    pub site: Option<String>,
    /// What leaks there; alone: whatever of it leaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub resource: Option<Resource>,
    /// The fingerprint that a report prints: it stays the same when lines move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub fingerprint: Option<String>,
    /// Why it may stay for now.
    #[garde(length(chars, min = 1))]
    pub reason: String,
    /// Who sees to it: a person, a team or an issue.
    #[garde(length(chars, min = 1))]
    pub owner: String,
    /// The last day on which it is ignored.
    #[garde(skip)]
    #[schemars(with = "Day")]
    pub expires: Day,
}

#[expect(clippy::ref_option, reason = "garde hands fields on as they are")]
fn names_something<C>(
    resource: &Option<Resource>,
    fingerprint: &Option<String>,
) -> impl FnOnce(&Option<String>, &C) -> garde::Result {
    let named = resource.is_some() || fingerprint.is_some();
    move |site, _| match named || site.as_ref().is_some_and(|site| !site.is_empty()) {
        true => Ok(()),
        false => Err(garde::Error::new("names nothing: give `site`, `resource` or `fingerprint`")),
    }
}

impl Ignore {
    /// Whether `finding` is what it names.
    pub fn matches(&self, finding: &Finding) -> bool {
        self.resource.is_none_or(|resource| resource == finding.resource)
            && self.site.as_deref().is_none_or(|site| finding.names(site))
            && self.fingerprint.as_deref().is_none_or(|print| print == finding.fingerprint())
    }

    /// Whether it still ignores on the day `today`.
    pub fn holds_on(&self, today: Day) -> bool {
        today <= self.expires
    }

    /// The resource, where it names nothing else: then growth of it is ignored though no site is known.
    pub fn whole_resource(&self) -> Option<Resource> {
        self.resource.filter(|_| self.site.is_none() && self.fingerprint.is_none())
    }
}

/// What it names, and who answers for it: `heap at session.rs (alice: fixed by the pool)`.
impl fmt::Display for Ignore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.resource.map(|resource| resource.name().to_owned());
        let site = self.site.as_ref().map(|site| format!("at {site}"));
        let parts: Vec<String> = resource.into_iter().chain(site).chain(self.fingerprint.clone()).collect();
        write!(f, "{} ({}: {})", parts.join(" "), self.owner, self.reason)
    }
}

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
