//! A crate's files together: the second pass, in which suspicions become findings, or are refuted, or are allowed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::allow::{self, Allow};
use crate::finding::{At, Confidence, Suspicion};
use crate::look::Looked;
use crate::rule::{Rule, rule};

/// What a person is told to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// The file, as it was found.
    pub file: PathBuf,
    /// Where in it.
    #[serde(flatten)]
    pub at: At,
    /// What is wrong there.
    pub message: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Why that leaks.
    pub why: &'static str,
    /// What to do.
    pub hint: &'static str,
    /// The scenario template that would expose it.
    pub scenario: &'static str,
    /// Other places of the same file that belong to it.
    pub notes: Vec<Note>,
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where.
    #[serde(flatten)]
    pub at: At,
    /// What is there.
    pub text: String,
}

/// Which findings are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Only of these rules; none: of all.
    pub rules: Vec<String>,
    /// Only what is at least so sure.
    pub min_confidence: Confidence,
    /// In test code too.
    pub tests: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self { rules: Vec::new(), min_confidence: Confidence::Low, tests: false }
    }
}

impl Asked {
    fn wants(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|one| one == rule)
    }
}

/// The findings of one crate, whose files are `files`, in their order.
pub(crate) fn conclude(files: &[(PathBuf, Looked)], asked: &Asked) -> Vec<Finding> {
    let tests = test_files(files);
    let is_test = |path: &Path, looked: &Looked, line: u32| {
        !asked.tests && (looked.is_test(line) || tests.iter().any(|test| is_in(path, test)))
    };
    let mut facts = BTreeSet::new();
    for (path, looked) in files {
        let known = looked.facts.iter().filter(|fact| !is_test(path, looked, fact.line));
        facts.extend(known.map(|fact| fact.text.as_str()));
    }
    let mut findings = Vec::new();
    for (path, looked) in files {
        let in_scope = |at: &At| !is_test(path, looked, at.line);
        findings.extend(of_file(path, looked, &facts, asked).into_iter().filter(|found| in_scope(&found.at)));
    }
    findings
}

fn test_files(files: &[(PathBuf, Looked)]) -> Vec<&PathBuf> {
    files.iter().flat_map(|(_, looked)| &looked.test_modules).collect()
}

/// Whether `path` is the module `module`, or one below it.
fn is_in(path: &Path, module: &Path) -> bool {
    path.starts_with(module) || path.with_extension("") == module
}

fn of_file(path: &Path, looked: &Looked, facts: &BTreeSet<&str>, asked: &Asked) -> Vec<Finding> {
    let stands = |one: &&Suspicion| {
        let is_known = |fact: &String| facts.contains(fact.as_str());
        !one.unless.iter().any(is_known) && one.only_if.iter().all(is_known)
    };
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for suspicion in looked.suspicions.iter().filter(stands) {
        let answers = looked.allows.iter().enumerate();
        let answer =
            answers.filter(|(_, allow)| allow.answers(&suspicion.rule, suspicion.at.line)).map(|(i, _)| i);
        let answer: Vec<usize> = answer.collect();
        let is_wanted = asked.wants(&suspicion.rule) && suspicion.confidence >= asked.min_confidence;
        if answer.is_empty() && is_wanted {
            findings.extend(finding(path, suspicion));
        }
        used.extend(answer);
    }
    for (i, allow) in looked.allows.iter().enumerate() {
        findings.extend(of_allow(path, allow, used.contains(&i), asked));
    }
    findings.sort_by_key(|found| found.at);
    findings
}

fn finding(path: &Path, suspicion: &Suspicion) -> Option<Finding> {
    let rule = rule(&suspicion.rule)?;
    let notes = suspicion.notes.iter().map(|(at, text)| Note { at: *at, text: text.clone() }).collect();
    Some(Finding {
        confidence: suspicion.confidence,
        notes,
        ..plain(rule, path, suspicion.at, suspicion.message.clone())
    })
}

fn plain(rule: &'static Rule, path: &Path, at: At, message: String) -> Finding {
    Finding {
        rule: rule.name,
        file: path.to_owned(),
        at,
        message,
        confidence: rule.confidence,
        why: rule.why,
        hint: rule.hint,
        scenario: rule.scenario,
        notes: Vec::new(),
    }
}

fn of_allow(path: &Path, allow: &Allow, is_used: bool, asked: &Asked) -> Option<Finding> {
    let name = &allow.rule;
    let (rule, message) = match (rule(name), is_used, allow.reason.is_empty()) {
        (None, ..) => return Some(misspelt(path, allow)),
        _ if !asked.wants(name) => return None,
        (_, false, _) => (&allow::UNUSED, format!("nothing here is found by `{name}`")),
        (_, true, true) => (&allow::WITHOUT_REASON, format!("`{name}` is allowed, and it is not said why")),
        (_, true, false) => return None,
    };
    Some(plain(rule, path, allow.at, message))
}

/// An answer to a rule that there is not: what it was to say is told by the name that is nearest.
fn misspelt(path: &Path, allow: &Allow) -> Finding {
    let name = &allow.rule;
    let message = match crate::rule::nearest(name) {
        Some(nearest) => format!("no rule is called `{name}`; there is `{nearest}`"),
        None => format!("no rule is called `{name}`"),
    };
    Finding {
        hint: "write the name as findings do, or remove it",
        ..plain(&allow::UNUSED, path, allow.at, message)
    }
}
