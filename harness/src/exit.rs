//! What a process exit code means: one enum, one table in the README.
//!
//! | the run ends | nothing declared | a leak is declared | an outcome is declared |
//! | --- | --- | --- | --- |
//! | `Clean`, `Retained`, `Saturating` | 0 | 1: the leak was not found | 0 if it is the declared one, else 1 |
//! | `Suspect`, `Inconclusive`, `Invalid` | 3 | 3: nothing is known yet | 3 |
//! | `OverBudget` | 1 | 1 | 1 |
//! | `Leak` | 1 | 0 if the declared resource leaks at the declared site, else 1 | 1 |
//!
//! `Saturating` that the scenario forbids is judged `OverBudget`, so it needs no row.

use std::process::ExitCode;

use crate::report::Expected;
use crate::verdict::Outcome;

/// How a run ends, as a pipeline sees it. Worst first when several apply: see [`Exit::worse`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: everything bounded, or everything as the scenario expects.
    Clean = 0,
    /// 1: a leak or a broken budget (or a declared leak that was not found).
    Leak = 1,
    /// 2: bad usage, or a scenario file that does not parse or validate.
    Usage = 2,
    /// 3: inconclusive or invalid: the run says nothing about the target; worth a retry.
    Inconclusive = 3,
    /// 4: the harness itself failed.
    Harness = 4,
}

impl Exit {
    /// The one that a run of many cases ends with: usage, harness, leak, inconclusive, clean in that order.
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Clean => 0,
            Self::Inconclusive => 1,
            Self::Leak => 2,
            Self::Harness => 3,
            Self::Usage => 4,
        };
        if rank(self) >= rank(other) { self } else { other }
    }

    /// The exit of one case: its outcome, unless an expectation is met or missed. `None`: judged plainly.
    pub fn of_case(outcome: Outcome, expected: Option<&Expected>) -> Self {
        match (Self::from(outcome), expected) {
            (plain, None) => plain,
            (_, Some(expected)) if expected.met => Self::Clean,
            (Self::Clean, Some(_)) => Self::Leak,
            (plain, Some(_)) => plain,
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Clean | Outcome::Retained | Outcome::Saturating => Self::Clean,
            Outcome::Suspect | Outcome::Inconclusive | Outcome::Invalid => Self::Inconclusive,
            Outcome::OverBudget | Outcome::Leak => Self::Leak,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(met: bool) -> Expected {
        Expected { what: "leak of tasks at heartbeat.rs".to_owned(), met, leak: None }
    }

    #[test]
    fn a_declared_leak_that_is_found_is_a_success() {
        assert_eq!(Exit::of_case(Outcome::Leak, Some(&declared(true))), Exit::Clean);
        assert_eq!(Exit::of_case(Outcome::Leak, Some(&declared(false))), Exit::Leak);
        assert_eq!(Exit::of_case(Outcome::Leak, None), Exit::Leak);
    }

    #[test]
    fn a_declared_leak_that_is_not_found_is_a_failure_unless_nothing_is_known() {
        for outcome in [Outcome::Clean, Outcome::Retained, Outcome::Saturating, Outcome::OverBudget] {
            assert_eq!(Exit::of_case(outcome, Some(&declared(false))), Exit::Leak, "{outcome:?}");
        }
        for outcome in [Outcome::Suspect, Outcome::Inconclusive, Outcome::Invalid] {
            assert_eq!(Exit::of_case(outcome, Some(&declared(false))), Exit::Inconclusive, "{outcome:?}");
        }
    }

    #[test]
    fn a_leak_in_one_case_outweighs_an_inconclusive_one() {
        assert_eq!(Exit::Inconclusive.worse(Exit::Leak), Exit::Leak);
        assert_eq!(Exit::Clean.worse(Exit::Inconclusive), Exit::Inconclusive);
        assert_eq!(Exit::Harness.worse(Exit::Leak), Exit::Harness);
    }
}
