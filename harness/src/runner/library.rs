//! The cases to play, as the runner sees them: names and settings, without the types of their world.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::scenario::Ignore;
use crate::scenario::advice::Advice;
use crate::scenario::draft::OwnTarget;
use crate::scenario::model::EngineKind;
use crate::scenario::picture::PlannedCase;
use crate::seed::Seed;
use crate::units::Day;

/// One case of a scenario file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The scenario's name.
    pub scenario: String,
    /// The matrix case, `plcs=50`; empty without a matrix.
    pub case: String,
    /// The scenario's `about`.
    pub about: String,
    /// The scenario's tags.
    pub tags: Vec<String>,
    /// The engines it plays in; the first is the default.
    pub engines: Vec<EngineKind>,
    /// The scenario's seed.
    pub seed: Seed,
    /// Counted cycles.
    pub cycles: usize,
    /// The target and its defect.
    pub target: String,
    /// Programs that must be on this machine where the engine starts programs: a path, or a name in `PATH`.
    pub needs: Vec<String>,
    /// Whether it storms a target of the runner's own: such a case gets a network of its own where that is permitted.
    #[serde(default)]
    pub storms: bool,
    /// Leaks that the scenario puts up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignore>,
}

impl CaseInfo {
    /// What this machine lacks to play the case in `engine`, in words; `None`: nothing. The simulation starts no program.
    pub fn missing(&self, engine: EngineKind) -> Option<String> {
        if engine == EngineKind::Sim {
            return None;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let missing: Vec<&str> =
            self.needs.iter().map(String::as_str).filter(|program| !is_program(program, &path)).collect();
        (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
    }
}

/// Whether `program` is there: as a file where it is a path, else in one of the folders of `path`.
fn is_program(program: &str, path: &OsStr) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    std::env::split_paths(path).any(|folder| folder.join(program).is_file())
}

/// Finds and reads scenarios. The scenario module implements it for every world.
pub trait Library {
    /// The scenario files at `paths`: files as they are, folders with all that they hold, sorted.
    fn discover(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError>;

    /// The cases of one file, in the order of its matrix.
    fn cases(&self, file: &Path, overrides: &[(String, String)]) -> Result<Vec<CaseInfo>, LibraryError>;

    /// What cycle `cycle` (from 0, warm-up included) of each case of one file compiles to.
    fn plan(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        seed: Option<Seed>,
        cycle: usize,
    ) -> Result<Vec<PlannedCase>, LibraryError>;

    /// The JSON Schema of the language.
    fn schema(&self) -> serde_json::Value;

    /// The cases of `text`, as if it stood in `file`, which need not be there.
    fn cases_of_text(&self, file: &Path, text: &str) -> Result<Vec<CaseInfo>, LibraryError> {
        let _ = text;
        self.cases(file, &[])
    }

    /// What may be wrong with the cases of one file that is well formed: where it cannot find what it is written for.
    fn advice(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        today: Day,
    ) -> Result<Vec<Advice>, LibraryError> {
        let _ = (file, overrides, today);
        Ok(Vec::new())
    }

    /// The target built into its world, for scenarios that are written anew; `None`: there is none.
    fn own_target(&self) -> Option<OwnTarget> {
        None
    }

    /// What this machine lacks for `engine` whatever the case, in words; `None`: nothing.
    fn lacks(&self, engine: EngineKind) -> Option<String> {
        let _ = engine;
        None
    }
}

/// What is wrong with a path or a scenario file: everything, in one go, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LibraryError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_lacks_its_program_only_where_programs_are_started() {
        let case = CaseInfo {
            file: "a.yaml".into(),
            scenario: "a".into(),
            case: String::new(),
            about: String::new(),
            tags: Vec::new(),
            engines: vec![EngineKind::Sim, EngineKind::Process],
            seed: Seed(1),
            cycles: 20,
            target: String::new(),
            needs: vec!["/no/such/program".into()],
            storms: false,
            ignore: Vec::new(),
        };
        assert_eq!(case.missing(EngineKind::Sim), None);
        assert_eq!(case.missing(EngineKind::Process).as_deref(), Some("needs /no/such/program"));
    }

    #[test]
    fn a_program_is_a_path_or_a_name_in_the_search_path() {
        let here = std::env::current_exe().unwrap();
        let folder = here.parent().unwrap().as_os_str();
        let name = here.file_name().unwrap().to_str().unwrap();
        assert!(is_program(here.to_str().unwrap(), OsStr::new("")));
        assert!(is_program(name, folder));
        assert!(!is_program(name, OsStr::new("/nowhere")));
        assert!(!is_program("./no-such-program", folder));
    }
}
