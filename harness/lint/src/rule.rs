//! What a rule is, and which there are.

use crate::allow;
use crate::finding::{Confidence, Sink};
use crate::source::SourceFile;

/// Something that leaks, and how its source looks.
#[derive(Debug)]
pub struct Rule {
    /// `detached-spawn`: what is written in `allow(..)` and asked of `watertight explain`.
    pub name: &'static str,
    /// What is wrong, in a few words without a full stop.
    pub title: &'static str,
    /// Why that leaks, in a sentence.
    pub why: &'static str,
    /// What to do, in a sentence.
    pub hint: &'static str,
    /// How often it is right, unless a finding says otherwise.
    pub confidence: Confidence,
    /// The scenario template that would expose it: the argument of `watertight new --template`.
    pub scenario: &'static str,
    /// The page about it, in Markdown.
    pub page: &'static str,
    /// Looks at one file.
    pub check: fn(&SourceFile, &mut Sink<'_>),
}

/// Every rule, by name.
pub fn rules() -> &'static [&'static Rule] {
    crate::rules::ALL
}

/// The rule called `name`; the two about allows are rules as well.
pub fn rule(name: &str) -> Option<&'static Rule> {
    let about_allows = [&allow::WITHOUT_REASON, &allow::UNUSED];
    rules().iter().copied().chain(about_allows).find(|rule| rule.name == name)
}
