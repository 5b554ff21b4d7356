//! The judgement with what it names: what stayed behind, less what is put up with.

use super::{Entries, Judgement, Outcome, Rules, ignoring, judge_floors};
use crate::explain::{Finding, rank};
use crate::resource::Resource;
use crate::timeline::Timeline;

/// What the judge says, once what is put up with is out of the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The judgement.
    pub judgement: Judgement,
    /// What stayed behind in the resources that rose, culprits first.
    pub findings: Vec<Finding>,
    /// What was ignored, in sentences.
    pub ignored: Vec<String>,
}

/// Judges `timeline`, each of whose counted entries is the floor of `each` cycles; names what stayed behind of `findings`,
/// all that grew; and puts up with what `entries` cover, unless there is more of it in `growing`, all that still grows.
pub fn judge_and_name(
    timeline: &Timeline,
    each: usize,
    mut rules: Rules,
    entries: Entries<'_>,
    mut findings: Vec<Finding>,
    growing: Vec<Finding>,
) -> Judged {
    let first = judge_floors(timeline, &rules, each);
    findings.retain(|finding| rose(&first, finding.resource));
    // Once more: a culprit that is gone explains nothing.
    findings.iter_mut().for_each(|finding| finding.victim_of = None);
    let mut findings = rank(findings);
    let ignoring = ignoring(entries, timeline.exact, &first, growing, &mut findings);
    let judgement = if ignoring.resources.is_empty() {
        first
    } else {
        rules.ignore(&ignoring.resources);
        judge_floors(timeline, &rules, each)
    };
    Judged { judgement, findings, ignored: ignoring.notes }
}

/// Whether a resource rose: a clean row needs no culprit, and noise is none.
fn rose(judgement: &Judgement, resource: Resource) -> bool {
    judgement.resources.iter().any(|row| {
        row.resource == resource
            && (row.stepped()
                || !matches!(row.outcome, Outcome::Clean | Outcome::Retained | Outcome::Inconclusive))
    })
}
