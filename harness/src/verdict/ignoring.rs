//! What is put up with: which resources' growth is wholly covered by entries of `ignore:`, and what must be said of them.
//!
//! An entry that has expired ignores nothing. A resource is ignored only if every site of it that still grows is covered,
//! however small: a large known leak must not hide a small new one.

use std::collections::BTreeSet;

use super::{Ignore, Judgement, Outcome, ResourceVerdict};
use crate::explain::{Finding, rank};
use crate::resource::Resource;
use crate::units::Day;

/// What entries make of a judgement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ignoring {
    /// Resources whose growth is covered, all of it.
    pub resources: Vec<Resource>,
    /// What was ignored, what was not any more, in sentences.
    pub notes: Vec<String>,
}

/// The entries that may be asked, and when they are asked.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    /// Those of the scenario: one that names nothing in it is stale.
    pub own: &'a [Ignore],
    /// Those of the whole run: one that names nothing here may name something in another case.
    pub shared: &'a [Ignore],
    /// The day of the run.
    pub today: Day,
}

impl<'a> Entries<'a> {
    fn all(self) -> impl Iterator<Item = &'a Ignore> {
        self.own.iter().chain(self.shared)
    }

    fn covering(self, finding: &Finding) -> Option<&'a Ignore> {
        self.all().find(|entry| entry.holds_on(self.today) && entry.matches(finding))
    }
}

/// Marks what is covered among `findings`, the named ones, and says which resources are covered as a whole.
///
/// `growing` are all the sites that still grow, those too small to be named included.
pub fn ignoring(
    entries: Entries<'_>,
    exact: bool,
    judgement: &Judgement,
    growing: Vec<Finding>,
    findings: &mut [Finding],
) -> Ignoring {
    if entries.all().next().is_none() {
        return Ignoring::default();
    }
    let growing = marked(entries, rank(growing));
    for finding in findings.iter_mut() {
        let known = growing.iter().find(|other| is_same_place(other, finding));
        finding.ignored = match known {
            Some(other) => other.ignored.clone(),
            None => entries.covering(finding).map(ToString::to_string),
        };
    }
    let grown = |verdict: &&ResourceVerdict| matches!(verdict.outcome, Outcome::Leak | Outcome::Suspect);
    let resources: Vec<Resource> = judgement
        .resources
        .iter()
        .filter(grown)
        .map(|verdict| verdict.resource)
        .filter(|resource| is_covered(entries, exact, *resource, &growing))
        .collect();
    let mut notes = said(findings);
    notes.extend(whole_resources(entries, &resources));
    notes.extend(not_ignoring(entries, &growing, findings, judgement));
    Ignoring { resources, notes }
}

/// Each finding with the entry that covers it; a victim is covered with its culprit.
fn marked(entries: Entries<'_>, mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.ignored = entries.covering(finding).map(ToString::to_string);
    }
    let culprits: Vec<(String, String)> = findings
        .iter()
        .filter_map(|finding| Some((finding.site.clone(), finding.ignored.clone()?)))
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.ignored.is_none()) {
        let culprit = finding.victim_of.as_ref();
        let covered = culprits.iter().find(|(site, _)| Some(site) == culprit);
        finding.ignored = covered.map(|(_, entry)| entry.clone());
    }
    findings
}

fn is_same_place(one: &Finding, other: &Finding) -> bool {
    (one.resource, &one.site, &one.stack) == (other.resource, &other.site, &other.stack)
        || (one.resource == Resource::Tasks && other.resource == Resource::Tasks && one.site == other.site)
}

/// Growth at a site below this share of its resource's is noise of the moment, where counts are sampled.
const SHARE_MIN: f64 = 0.05;

/// One unit at a site in a whole exact run is a step, not a leak.
const STEP_UNITS: i64 = 1;

fn is_covered(entries: Entries<'_>, exact: bool, resource: Resource, growing: &[Finding]) -> bool {
    let mine: Vec<&Finding> = growing.iter().filter(|finding| finding.resource == resource).collect();
    let total: i64 = mine.iter().map(|finding| finding.survivors.max(0)).sum();
    let weighs = |finding: &&&Finding| match exact {
        true => finding.survivors > STEP_UNITS || finding.survivors <= 0,
        false => finding.survivors as f64 >= SHARE_MIN * total as f64,
    };
    if entries.all().any(|entry| entry.holds_on(entries.today) && entry.whole_resource() == Some(resource)) {
        return true;
    }
    let covered = |finding: &&Finding| finding.ignored.is_some();
    mine.iter().any(covered) && mine.iter().filter(weighs).all(covered)
}

fn said(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let entry = finding.ignored.as_ref()?;
        Some(format!("ignored: {} at {}, by the entry {entry}", finding.resource, finding.site))
    };
    findings.iter().filter(|finding| finding.victim_of.is_none()).filter_map(line).collect()
}

/// Entries for a whole resource, where no site says so already.
fn whole_resources(entries: Entries<'_>, resources: &[Resource]) -> Vec<String> {
    let holds = |entry: &&Ignore| {
        entry.holds_on(entries.today) && entry.whole_resource().is_some_and(|one| resources.contains(&one))
    };
    let notes: BTreeSet<String> = entries
        .all()
        .filter(holds)
        .map(|entry| format!("ignored: all growth, by the entry {entry}"))
        .collect();
    notes.into_iter().collect()
}

/// Entries that expired, and those of the scenario that name nothing.
fn not_ignoring(
    entries: Entries<'_>,
    growing: &[Finding],
    findings: &[Finding],
    judgement: &Judgement,
) -> Vec<String> {
    let used = |entry: &Ignore| {
        is_used(entry, growing, &judgement.resources) || is_used(entry, findings, &judgement.resources)
    };
    let note = |entry: &Ignore, is_own: bool| match (entry.holds_on(entries.today), used(entry)) {
        (false, true) => Some(format!("no longer ignored: {entry} expired on {}", entry.expires)),
        (_, false) if is_own => {
            Some(format!("stale: `ignore` names {entry}, and nothing like it grows: remove it"))
        }
        _ => None,
    };
    let own = entries.own.iter().filter_map(|entry| note(entry, true));
    own.chain(entries.shared.iter().filter_map(|entry| note(entry, false))).collect()
}

/// Whether an entry names something in a case: a finding, or a resource that grows.
pub fn is_used(entry: &Ignore, findings: &[Finding], resources: &[ResourceVerdict]) -> bool {
    let grows = |verdict: &ResourceVerdict| {
        matches!(verdict.outcome, Outcome::Leak | Outcome::Suspect) || verdict.why.starts_with(super::IGNORED)
    };
    findings.iter().any(|finding| entry.matches(finding))
        || resources.iter().any(|verdict| entry.whole_resource() == Some(verdict.resource) && grows(verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, finding};
    use crate::verdict::{Rules, judge};

    const TODAY: &str = "2026-06-15";

    fn entry(site: &str, expires: &str) -> Ignore {
        Ignore {
            site: Some(site.to_owned()),
            resource: None,
            fingerprint: None,
            reason: "pool is rewritten".to_owned(),
            owner: "alice".to_owned(),
            expires: expires.parse().expect("a day"),
        }
    }

    fn heap(site: &str, blocks: i64) -> Finding {
        finding(Resource::Heap, site, "gateway::grow", blocks, 64 * blocks, &[])
    }

    /// A heap leak at these sites, with these entries of the scenario: what is ignored, and the findings after it.
    fn case(own: &[Ignore], growing: &[Finding], exact: bool) -> (Ignoring, Vec<Finding>) {
        let timeline = fixtures::heap_leak().timeline;
        let judgement = judge(&timeline, &Rules::default());
        let mut named = rank(growing.to_vec());
        let entries = Entries { own, shared: &[], today: TODAY.parse().expect("a day") };
        let ignoring = ignoring(entries, exact, &judgement, growing.to_vec(), &mut named);
        (ignoring, named)
    }

    #[test]
    fn a_leak_at_the_named_site_alone_is_ignored_and_noted() {
        let (ignoring, named) =
            case(&[entry("slice.rs", "2026-12-31")], &[heap("src/slice.rs:22", 160)], true);
        assert_eq!(ignoring.resources, [Resource::Heap]);
        let note = "ignored: heap at src/slice.rs:22, by the entry at slice.rs (alice: pool is rewritten)";
        assert_eq!(ignoring.notes, [note]);
        assert!(named[0].ignored.is_some());
    }

    #[test]
    fn a_small_leak_beside_the_known_one_is_not_hidden_by_it() {
        let growing = [heap("src/slice.rs:22", 10_000), heap("src/new.rs:3", 2)];
        let (ignoring, named) = case(&[entry("slice.rs", "2026-12-31")], &growing, true);
        assert_eq!(ignoring.resources, []);
        assert_eq!(named.iter().filter(|finding| finding.ignored.is_some()).count(), 1);
        let (sampled, _) = case(&[entry("slice.rs", "2026-12-31")], &growing, false);
        assert_eq!(sampled.resources, [Resource::Heap], "where counts are sampled, two blocks are noise");
    }

    #[test]
    fn an_entry_that_has_expired_ignores_nothing_and_says_so() {
        let (ignoring, named) =
            case(&[entry("slice.rs", "2026-06-14")], &[heap("src/slice.rs:22", 160)], true);
        assert_eq!((ignoring.resources.len(), &named[0].ignored), (0, &None));
        assert_eq!(
            ignoring.notes,
            ["no longer ignored: at slice.rs (alice: pool is rewritten) expired on 2026-06-14"]
        );
        let (last_day, _) = case(&[entry("slice.rs", TODAY)], &[heap("src/slice.rs:22", 160)], true);
        assert_eq!(last_day.resources, [Resource::Heap]);
    }

    #[test]
    fn an_entry_that_names_nothing_is_stale() {
        let entries = [entry("slice.rs", "2026-12-31"), entry("gone.rs", "2026-12-31")];
        let (ignoring, _) = case(&entries, &[heap("src/slice.rs:22", 160)], true);
        assert_eq!(
            ignoring.notes[1],
            "stale: `ignore` names at gone.rs (alice: pool is rewritten), and nothing like it grows: remove it"
        );
    }

    #[test]
    fn the_heap_of_an_ignored_task_is_ignored_with_it() {
        let beat = "src/beat.rs:31";
        let task = finding(Resource::Tasks, beat, "gateway::beat", 40, 0, &[]);
        let held = finding(Resource::Heap, "src/session.rs:9", "gateway::run", 80, 5_000, &[]);
        let (ignoring, named) = case(&[entry("beat.rs", "2026-12-31")], &[task, held], true);
        assert_eq!(ignoring.resources, [Resource::Heap]);
        assert!(named.iter().all(|finding| finding.ignored.is_some()), "{named:?}");
        assert_eq!(ignoring.notes.len(), 1, "one entry, one culprit: {:?}", ignoring.notes);
    }

    #[test]
    fn a_whole_resource_is_ignored_without_any_site() {
        let whole = Ignore { site: None, resource: Some(Resource::Heap), ..entry("", "2026-12-31") };
        let (ignoring, _) = case(&[whole], &[], false);
        assert_eq!(ignoring.resources, [Resource::Heap]);
        assert_eq!(ignoring.notes, ["ignored: all growth, by the entry heap (alice: pool is rewritten)"]);
    }

    #[test]
    fn a_fingerprint_names_one_place() {
        let site = heap("src/slice.rs:22", 160);
        let by_print =
            |print: String| Ignore { site: None, fingerprint: Some(print), ..entry("", "2026-12-31") };
        let (ignoring, _) = case(&[by_print(site.fingerprint())], std::slice::from_ref(&site), true);
        assert_eq!(ignoring.resources, [Resource::Heap]);
        let (other, _) = case(&[by_print("heap/slice.rs/00000000".to_owned())], &[site], true);
        assert_eq!(other.resources, []);
    }

    #[test]
    fn an_ignored_resource_is_judged_as_if_it_did_not_grow_and_its_budget_still_holds() {
        let timeline = fixtures::heap_leak().timeline;
        let mut rules = Rules::default();
        rules.ignore(&[Resource::Heap]);
        let judgement = judge(&timeline, &rules);
        assert_eq!(judgement.outcome, Outcome::Clean, "{}", judgement.headline);
        let mut budget = rules.of(Resource::Heap);
        budget.at_rest_max = Some(1_000_000);
        rules.resources.insert(Resource::Heap, budget);
        assert_eq!(judge(&timeline, &rules).outcome, Outcome::OverBudget);
    }
}
