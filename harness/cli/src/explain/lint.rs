//! The rules of the static pre-check, as topics of `explain`. Whoever adds rules adds them here, and nowhere else.

use watertight::glossary::Topic;
use watertight_lint::{Rule, rules};

/// One topic a rule: its name, `a lint rule`, what is wrong, and its page.
pub(super) fn topics() -> Vec<Topic> {
    rules().iter().map(|rule| topic(rule)).collect()
}

fn topic(rule: &Rule) -> Topic {
    Topic {
        name: rule.name.to_owned(),
        aliases: Vec::new(),
        group: "a lint rule",
        text: format!("{}. {}\n\n{}", rule.title, rule.hint, without_title(rule.page)),
        example: None,
    }
}

/// The page from its first section on: its title is the rule's name, which stands above it.
fn without_title(page: &str) -> &str {
    page.find("## ").map_or(page, |section| &page[section..])
}
