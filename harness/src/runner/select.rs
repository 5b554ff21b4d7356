//! Chooses what is played: cases × engines, by name and by tag.

use std::path::{Path, PathBuf};

use crate::report::CaseReport;
use crate::runner::{CaseInfo, Library};
use crate::scenario::model::EngineKind;

/// Which engines a case is played in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Engines {
    /// The first that the scenario names.
    #[default]
    First,
    /// Every one that the scenario names.
    All,
    /// Those of these that the scenario plays in: what names `process` plays in containers too.
    Only(Vec<EngineKind>),
}

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// `--set`.
    pub overrides: Vec<(String, String)>,
    /// `--engine`.
    pub engines: Engines,
    /// Patterns, of which one must match the name: a part of it, or all of it with `*` for anything. None: every name.
    pub filters: Vec<String>,
    /// Tags, of which the scenario must have one. None: every scenario.
    pub tags: Vec<String>,
}

/// One case in one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The case.
    pub case: CaseInfo,
    /// The engine.
    pub engine: EngineKind,
    /// What this machine lacks for the engine itself, in words.
    pub lacks: Option<String>,
}

impl Job {
    /// `engine::folder::scenario::case`; without the parts that are empty.
    pub fn name(&self) -> String {
        full_name(self.engine, &self.case.file, &self.case.scenario, &self.case.case)
    }

    /// `engine::scenario::case`.
    pub fn short_name(&self) -> String {
        join(&[self.engine.name(), &self.case.scenario, &self.case.case])
    }

    /// What this machine lacks to play it, in words; `None`: nothing.
    pub fn missing(&self) -> Option<String> {
        self.lacks.clone().or_else(|| self.case.missing(self.engine))
    }

    /// The name as a file's.
    pub fn file_stem(&self) -> String {
        file_stem(&self.name())
    }

    /// Whether one of `filters` matches, or there is none.
    pub fn matches(&self, filters: &[String]) -> bool {
        let bare = join(&[&self.case.scenario, &self.case.case]);
        let names = [self.name(), self.short_name(), bare];
        filters.is_empty() || filters.iter().any(|filter| names.iter().any(|name| matches(filter, name)))
    }
}

/// The [`Job::name`] of a case that has been reported.
pub(super) fn reported_name(case: &CaseReport) -> String {
    full_name(case.engine, &case.file, &case.scenario, &case.case)
}

fn full_name(engine: EngineKind, file: &Path, scenario: &str, case: &str) -> String {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    join(&[engine.name(), &folder, scenario, case])
}

fn join(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::")
}

/// A name as a file's: every character that a file system or a shell may mind is a `-`.
pub(super) fn file_stem(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_=.".contains(c) { c } else { '-' };
    name.replace("::", ".").chars().map(safe).collect()
}

/// Why nothing can be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Files that do not parse or validate; every error of every file.
    #[error("{}", .0.join("\n"))]
    Broken(Vec<String>),
    /// Everything was filtered away.
    #[error(
        "none of {cases} cases plays with this choice of engine, filter and tags; `watertight list` shows what there is"
    )]
    Nothing {
        /// Cases read.
        cases: usize,
    },
}

/// The jobs that `selection` asks for, in the order of files, cases and engines.
pub fn select(library: &dyn Library, selection: &Selection) -> Result<Vec<Job>, SelectError> {
    let cases = read_all(library, &selection.paths, &selection.overrides)?;
    let count = cases.len();
    let mut jobs: Vec<Job> = cases
        .into_iter()
        .filter(|case| selection.tags.is_empty() || case.tags.iter().any(|tag| selection.tags.contains(tag)))
        .flat_map(|case| in_engines(case, &selection.engines))
        .filter(|job| job.matches(&selection.filters))
        .collect();
    // Asked once, and only where somebody wants the engine.
    if jobs.iter().any(|job| job.engine == EngineKind::Container) {
        let lacks = library.lacks(EngineKind::Container);
        let contained = jobs.iter_mut().filter(|job| job.engine == EngineKind::Container);
        contained.for_each(|job| job.lacks.clone_from(&lacks));
    }
    if jobs.is_empty() { Err(SelectError::Nothing { cases: count }) } else { Ok(jobs) }
}

/// Every case of every file, or every error of every file.
pub fn read_all(
    library: &dyn Library,
    paths: &[PathBuf],
    overrides: &[(String, String)],
) -> Result<Vec<CaseInfo>, SelectError> {
    let files = library.discover(paths).map_err(|error| SelectError::Broken(vec![error.0]))?;
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match library.cases(&file, overrides) {
            Ok(more) => cases.extend(more),
            Err(error) => errors.push(error.0),
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(SelectError::Broken(errors)) }
}

fn in_engines(case: CaseInfo, engines: &Engines) -> Vec<Job> {
    let chosen: Vec<EngineKind> = match engines {
        Engines::First => case.engines.iter().take(1).copied().collect(),
        Engines::All => case.engines.clone(),
        Engines::Only(only) => only_these(&case.engines, only),
    };
    chosen.into_iter().map(|engine| Job { case: case.clone(), engine, lacks: None }).collect()
}

/// Those of `only` that a scenario plays in, in its own order; containers, where it does not name them, last.
fn only_these(named: &[EngineKind], only: &[EngineKind]) -> Vec<EngineKind> {
    let asked = named.iter().filter(|engine| only.contains(engine));
    let unnamed = only.iter().filter(|engine| engine.plays(named) && !named.contains(engine));
    asked.chain(unnamed).copied().collect()
}

/// Whether `pattern` is a part of `name`, or, where it holds a `*`, stands for all of it.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return name.contains(pattern);
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = name.find(part) else {
            return false;
        };
        name = &name[at + part.len()..];
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::LibraryError;
    use crate::scenario::picture::PlannedCase;
    use crate::seed::Seed;

    struct Shelf;

    impl Library for Shelf {
        fn discover(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
            Ok(paths.to_vec())
        }

        fn cases(&self, file: &Path, _: &[(String, String)]) -> Result<Vec<CaseInfo>, LibraryError> {
            let scenario = file.file_stem().unwrap().to_string_lossy().into_owned();
            if scenario == "broken" {
                return Err(LibraryError(format!("{}: broken", file.display())));
            }
            let case = |plcs: &str| CaseInfo {
                file: file.to_owned(),
                scenario: scenario.clone(),
                case: plcs.to_owned(),
                about: "about".to_owned(),
                tags: vec![file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned()],
                engines: vec![EngineKind::Sim, EngineKind::Process],
                seed: Seed(7),
                cycles: 100,
                target: "fake".to_owned(),
                needs: Vec::new(),
                storms: false,
                ignore: Vec::new(),
            };
            Ok(vec![case("plcs=1"), case("plcs=50")])
        }

        fn plan(
            &self,
            _: &Path,
            _: &[(String, String)],
            _: Option<Seed>,
            _: usize,
        ) -> Result<Vec<PlannedCase>, LibraryError> {
            Ok(Vec::new())
        }

        fn schema(&self) -> serde_json::Value {
            serde_json::Value::Null
        }
    }

    fn names(selection: Selection) -> Vec<String> {
        let paths = vec!["s/gate/flap.yaml".into(), "s/soak/storm.yaml".into()];
        let jobs = select(&Shelf, &Selection { paths, ..selection }).unwrap();
        jobs.iter().map(Job::name).collect()
    }

    #[test]
    fn the_first_engine_is_played_unless_others_are_asked_for() {
        let filters = vec!["flap::plcs=1".to_owned()];
        let of = |engines| names(Selection { engines, filters: filters.clone(), ..Selection::default() });
        assert_eq!(of(Engines::First), ["sim::gate::flap::plcs=1"]);
        assert_eq!(of(Engines::All), ["sim::gate::flap::plcs=1", "process::gate::flap::plcs=1"]);
        assert_eq!(of(Engines::Only(vec![EngineKind::Process])), ["process::gate::flap::plcs=1"]);
        let contained = of(Engines::Only(vec![EngineKind::Container]));
        assert_eq!(contained, ["container::gate::flap::plcs=1"], "what plays in processes does");
    }

    #[test]
    fn tags_and_filters_narrow_the_choice() {
        assert_eq!(
            names(Selection { tags: vec!["soak".to_owned()], ..Selection::default() }),
            ["sim::soak::storm::plcs=1", "sim::soak::storm::plcs=50"]
        );
        assert_eq!(
            names(Selection { filters: vec!["sim::*::plcs=50".to_owned()], ..Selection::default() }),
            ["sim::gate::flap::plcs=50", "sim::soak::storm::plcs=50"]
        );
        assert_eq!(
            names(Selection { filters: vec!["fl*=50".to_owned()], ..Selection::default() }),
            ["sim::gate::flap::plcs=50"],
            "the engine may be left out"
        );
    }

    #[test]
    fn a_pattern_is_a_part_or_with_a_star_the_whole() {
        assert!(matches("storm", "sim::storm::plcs=1"));
        assert!(matches("sim::*", "sim::storm"));
        assert!(matches("*st*rm*=1", "sim::storm::plcs=1"));
        assert!(!matches("storm*", "sim::storm"));
        assert!(!matches("sim::*::plcs=5", "sim::storm::plcs=50"));
        assert!(!matches("a*a", "a"), "a character is matched once");
    }

    #[test]
    fn every_broken_file_is_named_and_nothing_is_played() {
        let paths = vec!["a/broken.yaml".into(), "b/flap.yaml".into(), "c/broken.yaml".into()];
        let error = select(&Shelf, &Selection { paths, ..Selection::default() }).unwrap_err();
        assert_eq!(error.to_string(), "a/broken.yaml: broken\nc/broken.yaml: broken");
    }

    #[test]
    fn a_choice_that_leaves_nothing_says_so() {
        let selection = Selection {
            paths: vec!["gate/flap.yaml".into()],
            filters: vec!["no-such".to_owned()],
            ..Selection::default()
        };
        assert_eq!(select(&Shelf, &selection), Err(SelectError::Nothing { cases: 2 }));
    }
}
