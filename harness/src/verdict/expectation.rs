//! Whether a run ended as its scenario declares.

use super::{Judgement, Outcome};
use crate::exit::Exit;
use crate::explain::Finding;
use crate::report::{DeclaredLeak, Expected, figures};
use crate::scenario::model::{Expect, ExpectedOutcome};

/// Compares a judgement with what the scenario expects: a clean end unless it declares a leak, or another outcome.
///
/// A declared leak is met when its resource is judged `Leak` and a finding of that resource names the site; a declared
/// outcome when the run ends in it and in nothing worse.
pub fn expectation(expect: &Expect, judgement: &Judgement, findings: &[Finding]) -> Expected {
    if let Some(outcome) = expect.outcome.map(declared) {
        let what = figures::outcome(outcome).to_owned();
        return Expected { what, met: judgement.outcome == outcome, leak: None };
    }
    let Some(leak) = &expect.leak else {
        let met = Exit::from(judgement.outcome) == Exit::Clean;
        return Expected { what: "clean".to_owned(), met, leak: None };
    };
    let grows = judgement
        .resources
        .iter()
        .any(|verdict| verdict.resource == leak.resource && verdict.outcome == Outcome::Leak);
    let named = findings
        .iter()
        .filter(|finding| finding.resource == leak.resource)
        .any(|finding| finding.names(&leak.site));
    Expected {
        what: format!("leak of {} at {}", leak.resource, leak.site),
        met: grows && named,
        leak: Some(DeclaredLeak { resource: leak.resource, site: leak.site.clone(), grows, named }),
    }
}

fn declared(outcome: ExpectedOutcome) -> Outcome {
    match outcome {
        ExpectedOutcome::Retained => Outcome::Retained,
        ExpectedOutcome::Saturating => Outcome::Saturating,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(outcome: Option<ExpectedOutcome>, found: Outcome) -> Expected {
        let judgement =
            Judgement { outcome: found, headline: String::new(), resources: Vec::new(), notes: Vec::new() };
        expectation(&Expect { outcome, ..Expect::default() }, &judgement, &[])
    }

    #[test]
    fn a_declared_outcome_is_met_by_itself_alone() {
        let retained = |found| expected(Some(ExpectedOutcome::Retained), found);
        assert_eq!(
            retained(Outcome::Retained),
            Expected { what: "retained".to_owned(), met: true, leak: None }
        );
        for other in [Outcome::Clean, Outcome::Saturating, Outcome::Suspect, Outcome::Leak] {
            assert!(!retained(other).met, "{other:?}");
        }
        assert!(expected(Some(ExpectedOutcome::Saturating), Outcome::Saturating).met);
    }

    #[test]
    fn without_a_declaration_what_is_no_failure_is_met() {
        for outcome in [Outcome::Clean, Outcome::Retained, Outcome::Saturating] {
            assert!(expected(None, outcome).met, "{outcome:?}");
        }
        assert!(!expected(None, Outcome::Suspect).met);
    }
}
