//! Rules: which answers are struck, and by what. Pure: a rule sees the message, its ordinals, and chance that is a function of
//! the PLC's seed and those ordinals, so that equal runs strike equal answers whatever else goes on.

use std::num::NonZeroU64;

use s7_wire::pdu::Rosctr;
use s7_wire::{Area, Items, Job, Message, Pdu, job};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::action::Action;
use crate::chance;

/// Rules that one PLC may have: each is looked at for every message.
pub const RULES_MAX: usize = 64;

/// One rule: `{"when": {"request": {"every": 7}}, "do": {"delay": {"by": "2s"}}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which messages; left out: every job.
    #[serde(default)]
    pub when: When,
    /// What is done to their answers.
    #[serde(rename = "do")]
    pub action: Action,
}

/// Which messages a rule strikes: those that fit every field that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Connections by their ordinal at this PLC, from 1, refused ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Ordinal>,
    /// Jobs by their ordinal in their connection, from 1, which is setup. The CR is no job and has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Ordinal>,
    /// What is asked for. The CR is struck only by rules that name `connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
    /// Reads and writes with an item in this data block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u16>,
    /// How often, of the messages that fit otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<Probability>,
}

/// One ordinal, or every n-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number from 1 on, or {\"every\": a number from 1 on}")]
pub enum Ordinal {
    /// This one alone.
    Only(NonZeroU64),
    /// The n-th, the 2n-th, and so on.
    Every {
        /// n.
        every: NonZeroU64,
    },
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// A CR.
    Connect,
    /// Setup communication.
    Setup,
    /// Read var.
    Read,
    /// Write var.
    Write,
    /// Any userdata PDU.
    Userdata,
    /// Any other job.
    Other,
}

/// A probability, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// At most [`RULES_MAX`] rules, in the order in which they act.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Rule>")]
pub struct Rules(Vec<Rule>);

/// Why rules are none.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Too many.
    #[error(
        "`rules` has {found} rules, at most {RULES_MAX} are looked at: drop some, or take `every` or `p`"
    )]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Not a probability.
    #[error("`p` must be 0..=1, found {found}")]
    Probability {
        /// What was written.
        found: f64,
    },
}

/// Where a message stands: what ordinals and chance go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The PLC's seed.
    pub seed: u64,
    /// The connection's ordinal, from 1.
    pub connection: u64,
    /// The job's ordinal, from 1; a CR is told by its function.
    pub request: u64,
}

/// A rule's action, and the chance that it has for this one message.
pub(crate) struct Struck<'r> {
    pub action: &'r Action,
    pub rng: fastrand::Rng,
}

impl Rules {
    /// These rules, unless they are too many.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.len() > RULES_MAX {
            return Err(RuleError::TooMany { found: rules.len() });
        }
        Ok(Self(rules))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in their order.
    pub fn as_slice(&self) -> &[Rule] {
        &self.0
    }

    /// What strikes the answer to `message`, in order.
    pub(crate) fn strike(&self, message: &Message, place: Place) -> Vec<Struck<'_>> {
        let Some(function) = Function::of(message) else { return Vec::new() };
        let struck = self.0.iter().enumerate().filter_map(|(index, rule)| {
            let mut rng = chance::rng(place.seed, [place.connection, place.request, index as u64]);
            let hit = rule.when.fits(function, message, place)
                && rule.when.p.is_none_or(|Probability(p)| rng.f64() < p);
            hit.then_some(Struck { action: &rule.action, rng })
        });
        struck.collect()
    }
}

impl TryFrom<Vec<Rule>> for Rules {
    type Error = RuleError;

    fn try_from(rules: Vec<Rule>) -> Result<Self, RuleError> {
        Self::new(rules)
    }
}

impl TryFrom<f64> for Probability {
    type Error = RuleError;

    fn try_from(found: f64) -> Result<Self, RuleError> {
        if (0.0..=1.0).contains(&found) { Ok(Self(found)) } else { Err(RuleError::Probability { found }) }
    }
}

impl From<Probability> for f64 {
    fn from(Probability(p): Probability) -> Self {
        p
    }
}

impl When {
    /// All but chance.
    fn fits(&self, function: Function, message: &Message, place: Place) -> bool {
        let is_job = function != Function::Connect;
        self.function.map_or(is_job, |wanted| wanted == function)
            && self.connection.is_none_or(|ordinal| ordinal.fits(place.connection))
            && self.request.is_none_or(|ordinal| is_job && ordinal.fits(place.request))
            && self.db.is_none_or(|db| touches(message, db))
    }
}

impl Ordinal {
    fn fits(self, ordinal: u64) -> bool {
        match self {
            Self::Only(only) => only.get() == ordinal,
            Self::Every { every } => ordinal.is_multiple_of(every.get()),
        }
    }
}

impl Function {
    /// What `message` asks for; `None` for what no rule strikes, such as a DR.
    fn of(message: &Message) -> Option<Self> {
        match message {
            Message::ConnectRequest(_) => Some(Self::Connect),
            Message::Pdu(pdu) => Self::of_pdu(pdu),
            _ => None,
        }
    }

    fn of_pdu(pdu: &Pdu) -> Option<Self> {
        match (pdu.rosctr, pdu.function()) {
            (Rosctr::Userdata, _) => Some(Self::Userdata),
            (Rosctr::Job, Some(job::FUNCTION_SETUP)) => Some(Self::Setup),
            (Rosctr::Job, Some(job::FUNCTION_READ)) => Some(Self::Read),
            (Rosctr::Job, Some(job::FUNCTION_WRITE)) => Some(Self::Write),
            (Rosctr::Job, _) => Some(Self::Other),
            (Rosctr::Ack | Rosctr::AckData, _) => None,
        }
    }
}

/// Whether a read or write has an item in this data block.
fn touches(message: &Message, db: u16) -> bool {
    let Message::Pdu(pdu) = message else { return false };
    let has = |items: &Items| items.iter().any(|item| item.area == Area::DataBlocks && item.db == db);
    match Job::decode(pdu) {
        Ok(Job::Read(request)) => has(&request.items),
        Ok(Job::Write(request)) => has(&request.items),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use s7_wire::{Decoder, Item, encode_read_request};

    use super::*;

    fn read(db: u16) -> Message {
        let mut wire = BytesMut::new();
        encode_read_request(&mut wire, 1, &[Item::db_bytes(9, 0, 1), Item::db_bytes(db, 0, 1)]).unwrap();
        Decoder::new().decode(&mut wire).unwrap().unwrap()
    }

    fn rules(when: &str) -> Rules {
        serde_json::from_str(&format!(r#"[{{"when": {when}, "do": "silence"}}]"#)).unwrap()
    }

    fn strikes(when: &str, message: &Message, connection: u64, request: u64) -> bool {
        !rules(when).strike(message, Place { seed: 1, connection, request }).is_empty()
    }

    #[test]
    fn every_field_that_is_given_must_fit() {
        let read = read(5);
        assert!(strikes("{}", &read, 1, 1));
        assert!(strikes(r#"{"connection": 3, "request": {"every": 7}}"#, &read, 3, 14));
        assert!(!strikes(r#"{"connection": 3, "request": {"every": 7}}"#, &read, 3, 15));
        assert!(!strikes(r#"{"connection": 3, "request": {"every": 7}}"#, &read, 2, 14));
        assert!(strikes(r#"{"function": "read", "db": 5}"#, &read, 1, 1));
        assert!(!strikes(r#"{"function": "read", "db": 6}"#, &read, 1, 1));
        assert!(!strikes(r#"{"function": "write"}"#, &read, 1, 1));
    }

    #[test]
    fn a_connect_request_is_struck_by_its_name_alone() {
        let connect = s7_wire::Connection::request(s7_wire::Tsap::two(1, 0), s7_wire::Tsap::two(1, 1));
        let connect = Message::ConnectRequest(connect);
        assert!(!strikes("{}", &connect, 1, 0));
        assert!(strikes(r#"{"function": "connect"}"#, &connect, 1, 0));
        assert!(!strikes(r#"{"function": "connect", "request": {"every": 1}}"#, &connect, 1, 0));
    }

    #[test]
    fn chance_strikes_about_as_often_as_told_and_the_same_ones_again() {
        let (rules, read) = (rules(r#"{"p": 0.1}"#), read(5));
        let hits = |seed| {
            let hit =
                |&request: &u64| !rules.strike(&read, Place { seed, connection: 1, request }).is_empty();
            (1..=10_000).filter(hit).collect::<Vec<u64>>()
        };
        // Five standard deviations of 30 around 1,000.
        assert!((850..1150).contains(&hits(7).len()), "{}", hits(7).len());
        assert_eq!(hits(7), hits(7));
        assert_ne!(hits(7), hits(8));
    }

    #[test]
    fn rules_out_of_bounds_are_refused_in_words() {
        let error = |json: &str| serde_json::from_str::<Rules>(json).unwrap_err().to_string();
        let many = format!("[{}]", vec![r#"{"do": "silence"}"#; 65].join(","));
        assert!(
            error(&many).starts_with("`rules` has 65 rules, at most 64 are looked at"),
            "{}",
            error(&many)
        );
        let p = error(r#"[{"when": {"p": 1.5}, "do": "silence"}]"#);
        assert!(p.starts_with("`p` must be 0..=1, found 1.5"), "{p}");
        let zero = error(r#"[{"when": {"request": {"every": 0}}, "do": "silence"}]"#);
        assert!(zero.starts_with("expected a number from 1 on, or {\"every\""), "{zero}");
        let unknown = error(r#"[{"when": {"requests": 1}, "do": "silence"}]"#);
        assert!(unknown.contains("unknown field `requests`"), "{unknown}");
    }
}
