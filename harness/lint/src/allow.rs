//! Findings answered in the source: `// watertight: allow(rule): reason`.
//!
//! Behind code it answers for its line; on a line of its own for the line below, or the whole item that begins there;
//! `//! watertight: allow-file(rule): reason` for the file. An answer without a reason, and one to no finding, are findings.

use proc_macro2::{TokenStream, TokenTree};
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, TraitItem};

use crate::finding::{At, Confidence};
use crate::rule::Rule;
use crate::source::SourceFile;

/// An allow that says no reason.
pub const WITHOUT_REASON: Rule = Rule {
    name: "allow-without-reason",
    title: "a finding is allowed without a reason",
    why: "whoever reads the line next cannot tell whether it is still fine",
    hint: "write it as `// watertight: allow(rule): reason`",
    confidence: Confidence::High,
    scenario: "steady",
    page: include_str!("../rules/allow-without-reason.md"),
    check: |_, _| {},
};

/// An allow that no finding needs.
pub const UNUSED: Rule = Rule {
    name: "unused-allow",
    title: "an allow that allows nothing",
    why: "it would hide the next finding in its place, about which nobody has thought",
    hint: "remove it",
    confidence: Confidence::High,
    scenario: "steady",
    page: include_str!("../rules/unused-allow.md"),
    check: |_, _| {},
};

const WORD: &str = "watertight:";

/// One answer to one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// The rule's name, as it is written there.
    pub rule: String,
    /// Why it is fine. Empty: it is not said.
    pub reason: String,
    /// Where the comment is.
    pub at: At,
    /// The lines it answers for, first and last.
    pub lines: (u32, u32),
}

impl Allow {
    /// Whether it answers what `rule` says of `line`.
    pub fn answers(&self, rule: &str, line: u32) -> bool {
        self.rule == rule && (self.lines.0..=self.lines.1).contains(&line)
    }
}

/// What `text` says of one comment, before it is known which lines it is about.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    rules: Vec<String>,
    reason: String,
    is_of_file: bool,
}

/// Every answer in `file`.
pub(crate) fn allows(file: &SourceFile) -> Vec<Allow> {
    if !file.text.contains(WORD) {
        return Vec::new();
    }
    let strings = strings(&file.text);
    let mut places = Places::default();
    places.visit_file(&file.ast);
    let mut offset = 0;
    let mut allows = Vec::new();
    let lines: Vec<&str> = file.text.split_inclusive('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        let is_text = |at: usize| strings.iter().any(|one| one.contains(&(offset + at)));
        let begin = line.match_indices("//").map(|(at, _)| at).find(|at| !is_text(*at));
        let said = begin.and_then(|at| Some((at, said(&line[at..])?)));
        allows.extend(said.into_iter().flat_map(|(at, said)| of_line(said, i, at, &lines, &places)));
        offset += line.len();
    }
    allows
}

fn of_line(said: Said, i: usize, column: usize, lines: &[&str], places: &Places) -> Vec<Allow> {
    let number = |i: usize| u32::try_from(i + 1).unwrap_or(u32::MAX);
    let is_alone = lines[i][..column].trim().is_empty();
    let about = match (said.is_of_file, is_alone) {
        (true, _) => (1, u32::MAX),
        (false, false) => (number(i), number(i)),
        (false, true) => {
            let below = (i + 1..lines.len()).find(|i| is_code(lines[*i])).map_or(number(i), number);
            (below, places.end_of_item_at(below).unwrap_or(below))
        }
    };
    let column = lines[i][..column].chars().count();
    let end = lines[i].trim_end().chars().count();
    let at = At { line: number(i), column: number(column), end_line: number(i), end_column: number(end) };
    let allow = |rule: String| Allow { rule, reason: said.reason.clone(), at, lines: about };
    said.rules.into_iter().map(allow).collect()
}

/// Not empty, and no comment.
fn is_code(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with("//")
}

/// What a comment says, if it speaks to this linter.
fn said(comment: &str) -> Option<Said> {
    let text = comment.trim_start_matches(['/', '!']).trim();
    let text = text.strip_prefix(WORD)?.trim_start();
    let (is_of_file, text) = match text.strip_prefix("allow-file") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("allow")?),
    };
    let (rules, rest) = text.trim_start().strip_prefix('(')?.split_once(')')?;
    let reason = rest.trim_start().strip_prefix(':').unwrap_or_default().trim().to_owned();
    let rules = rules.split(',').map(|rule| rule.trim().to_owned()).collect();
    Some(Said { rules, reason, is_of_file })
}

/// The bytes of `text` that are strings, in which `//` begins no comment.
fn strings(text: &str) -> Vec<std::ops::Range<usize>> {
    let Ok(tokens) = text.parse::<TokenStream>() else { return Vec::new() };
    let (mut strings, mut open) = (Vec::new(), vec![tokens.into_iter()]);
    while let Some(level) = open.last_mut() {
        match level.next() {
            Some(TokenTree::Group(group)) => open.push(group.stream().into_iter()),
            Some(TokenTree::Literal(literal)) => strings.push(literal.span().byte_range()),
            Some(_) => {}
            None => drop(open.pop()),
        }
    }
    // Doc comments are literals to the parser.
    strings.retain(|range| !text.get(range.clone()).is_some_and(|text| text.starts_with("//")));
    strings
}

/// First and last lines of items and members.
#[derive(Default)]
struct Places(Vec<(u32, u32)>);

impl Places {
    fn add(&mut self, span: proc_macro2::Span) {
        let at = At::from(span);
        self.0.push((at.line, at.end_line));
    }

    fn end_of_item_at(&self, line: u32) -> Option<u32> {
        self.0.iter().filter(|(first, _)| *first == line).map(|(_, last)| *last).max()
    }
}

impl<'a> Visit<'a> for Places {
    fn visit_item(&mut self, item: &'a Item) {
        self.add(item.span());
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        self.add(item.span());
        visit::visit_impl_item(self, item);
    }

    fn visit_trait_item(&mut self, item: &'a TraitItem) {
        self.add(item.span());
        visit::visit_trait_item(self, item);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lines(text: &str) -> Vec<(String, (u32, u32))> {
        let file = SourceFile::parse(Path::new("a.rs"), text.to_owned()).expect("Rust");
        allows(&file).into_iter().map(|allow| (allow.rule, allow.lines)).collect()
    }

    #[test]
    fn it_answers_for_its_line_the_one_below_the_item_or_the_file() {
        let text = "\
//! watertight: allow-file(a): generated
fn f() {
    one(); // watertight: allow(b): once
    // watertight: allow(c, d): twice
    // as was said
    two();
}

// watertight: allow(e): all of it
#[inline]
fn g() {
    three();
}
";
        let wanted = [("a", (1, u32::MAX)), ("b", (3, 3)), ("c", (6, 6)), ("d", (6, 6)), ("e", (10, 13))];
        assert_eq!(lines(text), wanted.map(|(rule, lines)| (rule.to_owned(), lines)));
    }

    #[test]
    fn what_stands_in_a_string_is_no_answer() {
        assert_eq!(lines("const A: &str = \"// watertight: allow(a): no\";"), []);
    }

    #[test]
    fn a_reason_may_be_missing_and_hold_anything() {
        let said = |text: &str| said(text).map(|said| said.reason);
        assert_eq!(said("// watertight: allow(a)"), Some(String::new()));
        assert_eq!(said("/// watertight: allow(a): see (b): c"), Some("see (b): c".to_owned()));
        assert_eq!(said("// watertight is a word"), None);
        assert_eq!(said("// watertight: proof"), None);
    }
}
