//! A leak that is known and put up with for a while.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::explain::Finding;
use crate::resource::Resource;
use crate::units::Day;

/// A leak that is known. What is named must all agree; `site`, `resource` or `fingerprint` must be named.
///
/// It is reported still, and no longer ends the run with an error until the day it expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Part of the site, of the function or of a frame of own code, such as `session.rs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "scenarios", garde(custom(names_something(&self.resource, &self.fingerprint))))]
    pub site: Option<String>,
    /// What leaks there; alone: whatever of it leaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "scenarios", garde(skip))]
    pub resource: Option<Resource>,
    /// The fingerprint that a report prints: it stays the same when lines move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "scenarios", garde(skip))]
    pub fingerprint: Option<String>,
    /// Why it may stay for now.
    #[cfg_attr(feature = "scenarios", garde(length(chars, min = 1)))]
    pub reason: String,
    /// Who sees to it: a person, a team or an issue.
    #[cfg_attr(feature = "scenarios", garde(length(chars, min = 1)))]
    pub owner: String,
    /// The last day on which it is ignored.
    #[cfg_attr(feature = "scenarios", garde(skip))]
    #[cfg_attr(feature = "scenarios", schemars(with = "Day"))]
    pub expires: Day,
}

#[cfg(feature = "scenarios")]
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
