//! Whether a run ended as its scenario declares.

use super::{Judgement, Outcome};
use crate::exit::Exit;
use crate::explain::Finding;
use crate::report::{DeclaredLeak, Expected};
use crate::scenario::model::Expect;

/// Compares a judgement with what the scenario expects: a clean end unless it declares a leak.
///
/// A declared leak is met when its resource is judged `Leak` and a finding of that resource names the site.
pub fn expectation(expect: &Expect, judgement: &Judgement, findings: &[Finding]) -> Expected {
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
