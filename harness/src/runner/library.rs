//! The cases to play, as the runner sees them: names and settings, without the types of their world.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::scenario::model::EngineKind;
use crate::seed::Seed;

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
    /// Programs that must be on this machine, as the scenario names them.
    pub needs: Vec<String>,
}

/// Finds and reads scenarios. The scenario module implements it for every world.
pub trait Library {
    /// The scenario files at `paths`: files as they are, folders with all that they hold, sorted.
    fn discover(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError>;

    /// The cases of one file, in the order of its matrix.
    fn cases(&self, file: &Path, overrides: &[(String, String)]) -> Result<Vec<CaseInfo>, LibraryError>;

    /// The matrix and the compiled timeline of one file, for people.
    fn plan(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        seed: Option<Seed>,
    ) -> Result<String, LibraryError>;

    /// The JSON Schema of the language.
    fn schema(&self) -> serde_json::Value;
}

/// What is wrong with a path or a scenario file: everything, in one go, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LibraryError(pub String);
