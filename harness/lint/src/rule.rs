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

/// Names with more letters that differ are other names.
const DIFFERENT_MAX: usize = 3;

/// No rule has a longer name, and a comment may hold anything.
const NAME_BYTES_MAX: usize = 64;

/// The name of a rule that `name` is likely to mean.
pub fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let far = |rule: &&'static Rule| (difference(rule.name, name), rule.name);
    let (difference, nearest) = rules().iter().map(far).min()?;
    (difference <= DIFFERENT_MAX).then_some(nearest)
}

/// How many letters must be put in, taken out or replaced to make `other` of `one`.
fn difference(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, against) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(letter != *against);
            row.push(replaced.min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_rule_is_the_one_that_was_meant_and_another_word_is_none() {
        assert_eq!(nearest("forgoten-value"), Some("forgotten-value"));
        assert_eq!(nearest("unbounded_channel"), Some("unbounded-channel"));
        assert_eq!(nearest("clippy::unwrap_used"), None);
        assert_eq!(nearest(""), None);
    }
}
