//! Fault knobs: what is wrong with a PLC right now. Plain values; sessions look at them when they answer.
//!
//! Four knobs hold for everybody. [`Rules`] strike single answers: a rule says when, by connection, request, function, DB and
//! chance, and what is done. What an [`Action`] makes of an answer is a pure decision (bytes in, chunks with times out); the
//! session only sends the chunks when they are due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Refusal;
use crate::duration;

mod action;
mod corrupt;
mod cut;
pub(crate) mod delivery;
mod forge;
mod rule;
mod short;
mod timing;

pub use action::{Action, Ending};
pub use corrupt::Corrupt;
pub(crate) use cut::stop_mid_frame;
pub use cut::{Bytewise, Fragment};
pub use rule::{Function, Ordinal, Probability, RULES_MAX, Rule, RuleError, Rules, When};
pub(crate) use rule::{Place, Struck};
pub use short::{Lengths, Short};
pub use timing::{Delay, Repeat};

/// What is wrong with a PLC. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// From a job's arrival to its answer. Jobs that arrive together are answered together.
    #[serde(with = "duration")]
    pub answer_delay: Duration,
    /// Accepts and reads, never answers, not even a CR, and never closes: a CPU that hangs. Timeouts rest meanwhile. What came
    /// during the silence stays unanswered.
    pub silence: bool,
    /// Sends the first half of each session's next answer, and from then on nothing; the session stays open.
    pub stop_mid_frame: bool,
    /// Refuses every CR, as if no slot were free.
    pub refuse: Option<Refusal>,
    /// What is done to single answers. Every rule that matches acts, in this order, on what the one before made of the answer.
    #[serde(skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_read_as_people_write_them() {
        let faults: Faults =
            serde_json::from_str(r#"{"answer_delay": "1s 500ms", "refuse": "close"}"#).unwrap();
        let expected = Faults {
            answer_delay: Duration::from_millis(1500),
            refuse: Some(Refusal::Close),
            ..Faults::default()
        };
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_time_without_a_unit_is_refused_with_an_example() {
        let error = serde_json::from_str::<Faults>(r#"{"answer_delay": "5"}"#).unwrap_err().to_string();
        assert!(error.starts_with("expected a time such as `250ms`, found `5`"), "{error}");
    }

    const README: &str = include_str!("../../README.md");

    /// What stands in backquotes in the first column of the README's table with this head.
    fn table(head: &str) -> Vec<&'static str> {
        let (_, table) = README.split_once(&format!("| {head} |")).unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect()
    }

    /// The names that `T` has, as its own error lists them.
    fn names<T: serde::de::DeserializeOwned>(wrong: &str) -> Vec<String> {
        let error = serde_json::from_str::<T>(wrong).err().unwrap().to_string();
        let (_, expected) = error.split_once("expected one of ").unwrap();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The one name in each of these pieces of JSON, each name once.
    fn named(examples: &[&str]) -> Vec<String> {
        let mut names: Vec<String> =
            examples.iter().map(|json| json.split('"').nth(1).unwrap().to_owned()).collect();
        names.dedup();
        names
    }

    #[test]
    fn the_readmes_tables_are_knobs_and_name_all_of_them() {
        let (knobs, whens, actions) = (table("knob"), table("when"), table("do"));
        knobs.iter().for_each(|json| assert!(serde_json::from_str::<Faults>(json).is_ok(), "{json}"));
        whens.iter().for_each(|json| assert!(serde_json::from_str::<When>(json).is_ok(), "{json}"));
        actions.iter().for_each(|json| assert!(serde_json::from_str::<Action>(json).is_ok(), "{json}"));
        assert_eq!([named(&knobs), vec!["rules".to_owned()]].concat(), names::<Faults>(r#"{"?": 1}"#));
        assert_eq!(named(&whens), names::<When>(r#"{"?": 1}"#));
        assert_eq!(named(&actions), names::<Action>(r#""?""#));
    }

    #[test]
    fn the_readmes_rules_are_rules() {
        let json = README.split("## Fault knobs").nth(1).unwrap().split("```json\n").nth(1).unwrap();
        let json = json.split("```").next().unwrap();
        let faults: Faults = serde_json::from_str(json).unwrap();
        assert_eq!(faults.rules.as_slice().len(), 3);
        let again = serde_json::to_string(&faults).unwrap();
        assert_eq!(serde_json::from_str::<Faults>(&again).unwrap(), faults);
    }
}
