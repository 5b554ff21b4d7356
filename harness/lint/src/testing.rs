//! How rules are tested: a snippet whose lines say what is to be found in them, `//~ rule-name`.

use std::path::Path;

use crate::finding::{Fact, Sink, Suspicion};
use crate::rule::Rule;
use crate::source::SourceFile;

/// What `rule` says of `text`, once the facts of the snippet itself have been taken into account.
pub(crate) fn found(rule: &Rule, text: &str) -> Vec<Suspicion> {
    let file = SourceFile::parse(Path::new("snippet.rs"), text.to_owned())
        .unwrap_or_else(|error| panic!("the snippet is no Rust: {error}\n{text}"));
    let mut sink = Sink::new(rule);
    (rule.check)(&file, &mut sink);
    let (suspicions, facts) = sink.into_parts();
    suspicions.into_iter().filter(|one| stands(one, &facts)).collect()
}

fn stands(suspicion: &Suspicion, facts: &[Fact]) -> bool {
    let is_known = |text: &String| facts.iter().any(|fact| fact.text == *text);
    !suspicion.unless.iter().any(is_known) && suspicion.only_if.iter().all(is_known)
}

/// Has `rule` find what the markers of `text` say, and nothing else.
#[track_caller]
pub(crate) fn check(rule: &Rule, text: &str) {
    let found = found(rule, text);
    let lines: Vec<u32> = found.iter().map(|one| one.at.line).collect();
    let marker = format!("//~ {}", rule.name);
    let wanted = text.lines().zip(1..).filter(|(line, _)| line.contains(&marker)).map(|(_, number)| number);
    let wanted: Vec<u32> = wanted.collect();
    assert_eq!(lines, wanted, "lines found, and lines marked, in:\n{text}\n{found:#?}");
}

/// The Rust of a page's section: `code(RULE.page, "Wrong")`.
pub(crate) fn code(page: &str, section: &str) -> String {
    let mut lines = page.lines().skip_while(|line| *line != format!("## {section}")).skip(1);
    let section: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("## ")).collect();
    let mut code = String::new();
    let mut is_code = false;
    for line in section {
        match line.starts_with("```") {
            true => is_code = !is_code,
            false if is_code => code += &format!("{line}\n"),
            false => {}
        }
    }
    code
}

/// Has every rule's page keep its word: `rules/NAME.md`.
#[test]
fn what_pages_call_wrong_is_found_and_what_they_call_right_is_not() {
    for rule in crate::rules() {
        let (wrong, right) = (code(rule.page, "Wrong"), code(rule.page, "Right"));
        assert!(!found(rule, &wrong).is_empty(), "{}: nothing is found in\n{wrong}", rule.name);
        assert!(
            found(rule, &right).is_empty(),
            "{}: found in\n{right}\n{:#?}",
            rule.name,
            found(rule, &right)
        );
    }
}

/// One by one: a snippet that is not found would hide behind one that is.
#[test]
fn each_wrong_snippet_is_found_by_its_rule_and_no_right_one_by_any() {
    for rule in crate::rules() {
        for wrong in snippets(rule.page, "Wrong") {
            assert!(!found(rule, &wrong).is_empty(), "{}: nothing is found in\n{wrong}", rule.name);
        }
        for right in snippets(rule.page, "Right") {
            for other in crate::rules() {
                let found = found(other, &right);
                assert!(found.is_empty(), "{}: {} finds in\n{right}\n{found:#?}", rule.name, other.name);
            }
        }
    }
}

/// The blocks of Rust in a page's section.
fn snippets(page: &str, name: &str) -> Vec<String> {
    let section = section(page, name);
    section.split("```").skip(1).step_by(2).map(|code| code.trim_start_matches("rust").to_owned()).collect()
}

#[test]
fn every_page_has_its_name_and_its_sections_in_order() {
    for rule in crate::rules() {
        let heads: Vec<&str> = rule.page.lines().filter(|line| line.starts_with('#')).collect();
        let name = format!("# {}", rule.name);
        let wanted = [name.as_str(), "## Wrong", "## Right", "## Why", "## Confidence", "## Scenario"];
        assert_eq!(heads, wanted, "{}", rule.name);
        let scenario = crate::testing::section(rule.page, "Scenario");
        assert!(scenario.contains(&format!("`{}`", rule.scenario)), "{}", rule.name);
    }
}

fn section(page: &str, name: &str) -> String {
    let lines = page.lines().skip_while(|line| *line != format!("## {name}")).skip(1);
    lines.take_while(|line| !line.starts_with("## ")).collect::<Vec<_>>().join("\n")
}
