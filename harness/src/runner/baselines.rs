//! `baselines.yaml`: what each case of a folder's scenarios holds at rest, as somebody accepted it in a review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use garde::Validate;
use serde::Deserialize;

use crate::report::CaseReport;
use crate::runner::Job;
use crate::scenario::{BASELINES_FILE, ScenarioErrors, document};
use crate::verdict::{Baseline, Resting, Tolerance};

/// The file of one folder.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    /// The version of this format: 1.
    #[garde(range(min = 1, max = 1))]
    pub version: u32,
    /// How far above is too far.
    #[serde(default)]
    #[garde(skip)]
    pub tolerance: Tolerance,
    /// By `engine::scenario::case`.
    #[serde(default)]
    #[garde(skip)]
    pub cases: BTreeMap<String, Resting>,
}

/// What stands above the figures.
const HEAD: &str = "\
# What each case holds at rest, and at most: accepted, so that a change which doubles it is seen though nothing leaks.
# Written by `watertight accept`; read it in reviews. `run` compares: more than `rest` above a figure at rest, or `peak` above a
# peak, is over budget. What has not moved further than that is left as it is by `accept`, so that small steps add up and show.
";

impl Baselines {
    /// The file beside `scenario`; `None`: there is none.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn beside(scenario: &Path) -> Result<Option<Self>, ScenarioErrors> {
        let path = path_beside(scenario);
        if path.is_file() { document::read(&path).map(Some) } else { Ok(None) }
    }

    /// Takes over what the cases hold now; what it says of each that is new or has moved.
    pub fn accept(&mut self, cases: &[&CaseReport]) -> Vec<String> {
        self.version = 1;
        let mut changes = Vec::new();
        for case in cases {
            let (name, found) = (case.test_name(), Resting::of(&case.timeline));
            match self.cases.get(&name) {
                Some(accepted) if found.is_near(accepted, self.tolerance) => continue,
                Some(accepted) => changes.push(format!("{name}: {}", moved(accepted, &found))),
                None => changes.push(format!("{name}: new")),
            }
            self.cases.insert(name, found);
        }
        changes
    }

    /// Forgets cases of scenarios that are not in `folder` any more.
    pub fn forget_gone(&mut self, folder: &Path) {
        let is_there = |scenario: &str| {
            ["yaml", "yml"].iter().any(|end| folder.join(format!("{scenario}.{end}")).is_file())
        };
        self.cases.retain(|name, _| name.split("::").nth(1).is_some_and(is_there));
    }

    /// As the file has it: a line a case, sorted.
    pub fn render(&self) -> String {
        let Tolerance { rest, peak } = self.tolerance;
        let mut text = format!("{HEAD}version: 1\ntolerance: {{ rest: {rest}, peak: {peak} }}\ncases:\n");
        for (name, resting) in &self.cases {
            let figures = resting.figures().into_iter();
            let figures = figures.filter_map(|figure| Some(format!("{}: {}", figure.key, figure.value?)));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:?}: {{ {} }}", figures.collect::<Vec<_>>().join(", "));
        }
        text
    }

    /// Writes the file beside `scenario`, all or nothing.
    pub fn write_beside(&self, scenario: &Path) -> io::Result<()> {
        let path = path_beside(scenario);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut draft, self.render().as_bytes())?;
        std::fs::set_permissions(draft.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        draft.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// Where the baselines of `scenario` are.
pub fn path_beside(scenario: &Path) -> PathBuf {
    scenario.with_file_name(BASELINES_FILE)
}

/// `bytes 301442 -> 640000, tasks 14 -> 15`.
fn moved(accepted: &Resting, found: &Resting) -> String {
    let told = |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let pairs = accepted.figures().into_iter().zip(found.figures());
    let changed = pairs.filter(|(was, is)| was.value != is.value);
    let changes: Vec<String> =
        changed.map(|(was, is)| format!("{} {} -> {}", was.key, told(was.value), told(is.value))).collect();
    changes.join(", ")
}

/// The baselines of all folders that a run plays from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shelf(BTreeMap<PathBuf, Baselines>);

impl Shelf {
    /// Reads those beside the scenarios of `jobs`.
    ///
    /// # Errors
    /// Everything that is wrong with the first file that is broken.
    pub fn of(jobs: &[Job]) -> Result<Self, ScenarioErrors> {
        let files: BTreeSet<PathBuf> = jobs.iter().map(|job| path_beside(&job.case.file)).collect();
        let read = |path: PathBuf| Ok(Baselines::beside(&path)?.map(|baselines| (path, baselines)));
        let read: Result<Vec<_>, ScenarioErrors> = files.into_iter().map(read).collect();
        Ok(Self(read?.into_iter().flatten().collect()))
    }

    /// What was accepted for `job`.
    pub fn baseline(&self, job: &Job) -> Option<Baseline> {
        let baselines = self.0.get(&path_beside(&job.case.file))?;
        let accepted = *baselines.cases.get(&job.short_name())?;
        let engine = job.engine.name();
        let command = format!("watertight accept {} --engine {engine}", job.case.file.display());
        Some(Baseline { accepted, tolerance: baselines.tolerance, command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn read(text: &str) -> Result<Baselines, String> {
        document::parse(Path::new(BASELINES_FILE), text.as_bytes()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn what_is_written_is_read_back_and_stands_in_order() {
        let mut baselines = Baselines::default();
        let cases = [fixtures::clean_in("storm", "plcs=50"), fixtures::clean("flapping-network")];
        let changes = baselines.accept(&cases.iter().collect::<Vec<_>>());
        assert_eq!(changes, ["sim::storm::plcs=50: new", "sim::flapping-network: new"]);
        let text = baselines.render();
        let figures = "{ tasks: 14, fds: 9, blocks: 1204, bytes: 301442, peak_tasks: 61, peak_fds: 22, peak_bytes: 1950000 }";
        let end = format!(
            "tolerance: {{ rest: 10%, peak: 50% }}\ncases:\n  \"sim::flapping-network\": {figures}\n  \"sim::storm::plcs=50\": {figures}\n"
        );
        assert!(text.ends_with(&end), "{text}");
        assert_eq!(read(&text).unwrap(), baselines);
    }

    #[test]
    fn what_has_hardly_moved_is_left_as_it_was_accepted() {
        let case = fixtures::clean("flapping-network");
        let mut baselines = Baselines::default();
        let near = Resting { bytes: Some(290_000), ..Resting::of(&case.timeline) };
        baselines.cases.insert(case.test_name(), near);
        assert_eq!(baselines.accept(&[&case]), Vec::<String>::new());
        assert_eq!(baselines.cases[&case.test_name()], near);
        let far = Resting { bytes: Some(600_000), ..near };
        baselines.cases.insert(case.test_name(), far);
        assert_eq!(baselines.accept(&[&case]), ["sim::flapping-network: bytes 600000 -> 301442"]);
    }

    #[test]
    fn tolerances_are_settable_and_errors_have_their_place() {
        let baselines =
            read("version: 1\ntolerance: { rest: 25% }\ncases: { \"sim::a\": { tasks: 3 } }\n").unwrap();
        assert_eq!((baselines.tolerance.rest.0, baselines.tolerance.peak.0), (0.25, 0.5));
        let error = read("version: 1\ncases: { \"sim::a\": { task: 3 } }\n").unwrap_err();
        assert!(
            error.starts_with("baselines.yaml:2:22: unknown key `task`; did you mean `tasks`?"),
            "{error}"
        );
    }

    #[test]
    fn cases_of_scenarios_that_are_gone_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "").unwrap();
        let mut baselines =
            read("version: 1\ncases: { \"sim::a\": {}, \"sim::b\": {}, \"process::a::n=1\": {} }\n").unwrap();
        baselines.forget_gone(folder.path());
        assert_eq!(baselines.cases.keys().collect::<Vec<_>>(), ["process::a::n=1", "sim::a"]);
        baselines.write_beside(&folder.path().join("a.yaml")).unwrap();
        assert_eq!(Baselines::beside(&folder.path().join("a.yaml")).unwrap().unwrap(), baselines);
    }
}
