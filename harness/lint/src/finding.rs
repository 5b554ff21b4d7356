//! What rules say of a file: suspicions, and facts that refute or confirm suspicions elsewhere in the crate.

use proc_macro2::Span;
use serde::{Deserialize, Serialize};

use crate::rule::Rule;

/// How often a finding is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Worth a look: about every second is right.
    Low,
    /// More often right than not: what refutes it may stand where syntax alone does not show it.
    Medium,
    /// Wrong only where something unusual is going on.
    High,
}

impl Confidence {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The line it ends in.
    pub end_line: u32,
    /// One behind its last character.
    pub end_column: u32,
}

impl From<Span> for At {
    fn from(span: Span) -> Self {
        let (start, end) = (span.start(), span.end());
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: number(start.line),
            column: number(start.column + 1),
            end_line: number(end.line),
            end_column: number(end.column + 1),
        }
    }
}

/// Something that looks wrong, if the crate's facts do not refute it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The rule's name.
    pub rule: String,
    /// Where.
    pub at: At,
    /// What is wrong here, in names of this code; no full stop.
    pub message: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Other places that belong to it.
    pub notes: Vec<(At, String)>,
    /// It is dropped if the crate has any of these facts.
    pub unless: Vec<String>,
    /// It is dropped unless the crate has all of these facts.
    pub only_if: Vec<String>,
}

impl Suspicion {
    /// Says how sure this one is, where that differs from its rule.
    pub fn confidence(&mut self, confidence: Confidence) -> &mut Self {
        self.confidence = confidence;
        self
    }

    /// Points at another place that belongs to it.
    pub fn note(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.notes.push((span.into(), text.into()));
        self
    }

    /// Drops it if any file of the crate states `fact`.
    pub fn unless(&mut self, fact: impl Into<String>) -> &mut Self {
        self.unless.push(fact.into());
        self
    }

    /// Drops it unless a file of the crate states `fact`.
    pub fn only_if(&mut self, fact: impl Into<String>) -> &mut Self {
        self.only_if.push(fact.into());
        self
    }
}

/// Something that is true of a file and matters in others: `joined:serving`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// What is true. Begin it with the rule's name: `join-set-never-joined:joined:serving`.
    pub text: String,
    /// Where it was seen.
    pub line: u32,
}

/// Takes what one rule says of one file.
#[derive(Debug)]
pub struct Sink<'r> {
    rule: &'r Rule,
    suspicions: Vec<Suspicion>,
    facts: Vec<Fact>,
}

impl<'r> Sink<'r> {
    /// An empty one.
    pub fn new(rule: &'r Rule) -> Self {
        Self { rule, suspicions: Vec::new(), facts: Vec::new() }
    }

    /// Suspects what is at `span`. Say more of it with the methods of what is returned.
    pub fn report(&mut self, span: Span, message: impl Into<String>) -> &mut Suspicion {
        self.suspicions.push(Suspicion {
            rule: self.rule.name.to_owned(),
            at: span.into(),
            message: message.into(),
            confidence: self.rule.confidence,
            notes: Vec::new(),
            unless: Vec::new(),
            only_if: Vec::new(),
        });
        self.suspicions.last_mut().expect("it was pushed above")
    }

    /// States what suspicions in any file of the crate may be made to depend on.
    pub fn fact(&mut self, span: Span, text: impl Into<String>) {
        self.facts.push(Fact { text: text.into(), line: At::from(span).line });
    }

    /// Everything that was said.
    pub fn into_parts(self) -> (Vec<Suspicion>, Vec<Fact>) {
        (self.suspicions, self.facts)
    }
}
