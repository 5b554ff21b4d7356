//! From what leaks back to the rule of `watertight lint` that foresaw it, where the source is at hand.

use std::borrow::Cow;
use std::path::PathBuf;

use watertight::explain::Finding;
use watertight::report::place::Place;
use watertight::report::{CaseReport, RunReport};
use watertight_lint::{foresaw, workspace_root};

/// Culprits of a case that are looked up.
const CULPRITS_MAX: usize = 5;

/// `report` with a note for each culprit that a rule foresaw.
pub fn noted(report: &RunReport) -> Cow<'_, RunReport> {
    let notes: Vec<Vec<String>> = report.cases.iter().map(notes).collect();
    if notes.iter().all(Vec::is_empty) {
        return Cow::Borrowed(report);
    }
    let mut report = report.clone();
    for (case, notes) in report.cases.iter_mut().zip(notes) {
        case.notes.extend(notes);
    }
    Cow::Owned(report)
}

fn notes(case: &CaseReport) -> Vec<String> {
    let culprits = case.findings.iter().filter(|found| found.victim_of.is_none() && found.ignored.is_none());
    let mut notes: Vec<String> = Vec::new();
    for culprit in culprits.filter(|found| found.is_own()).take(CULPRITS_MAX) {
        // A report that is told again has its notes.
        let note = note(culprit).filter(|note| !notes.contains(note) && !case.notes.contains(note));
        notes.extend(note);
    }
    notes
}

/// Heap is foreseen at its own line, or at that of the task which holds it.
fn note(culprit: &Finding) -> Option<String> {
    let sites = [Some(&culprit.site), culprit.task.as_ref()];
    sites.into_iter().flatten().find_map(|site| {
        let (file, line) = place(site)?;
        let found = foresaw(&file, line).into_iter().next()?;
        let (rule, sure) = (found.rule, found.confidence.name());
        Some(format!("foreseen: {rule}, {sure} (watertight explain {rule}), for {site}"))
    })
}

/// The file and the line of `src/a.rs:7`, named from here or from the root of the workspace.
fn place(site: &str) -> Option<(PathBuf, u32)> {
    let Place { file: path, line, .. } = Place::of(site)?;
    let here = std::env::current_dir().ok()?;
    let roots = [Some(here.clone()), workspace_root(&here)];
    let file = roots.into_iter().flatten().map(|root| root.join(path)).find(|file| file.is_file())?;
    Some((file, u32::try_from(line).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_file_below_here_or_below_the_workspace() {
        let (file, line) = place("harness/cli/src/foreseen.rs:7").expect("this file");
        assert!(file.ends_with("harness/cli/src/foreseen.rs"));
        assert_eq!(line, 7);
        assert_eq!(place("127.0.0.1:102"), None);
        assert_eq!(place("socket, established"), None);
    }
}
