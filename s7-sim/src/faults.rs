//! Fault knobs: what is wrong with a PLC right now. Plain values; sessions look at them when they answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Refusal;
use crate::duration;

/// What is wrong with a PLC. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
}
