//! What could not be read: never silently left out, since a run that has not seen everything is not clean.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::source::ParseError;

/// A file, or a folder, that was not analysed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{}:{line}:{column}: {what}", file.display())]
pub struct Problem {
    /// Which.
    pub file: PathBuf,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// Why not.
    pub what: String,
}

impl Problem {
    pub(crate) fn of_file(file: &Path, what: String) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, what }
    }

    pub(crate) fn of_parser(file: &Path, error: ParseError) -> Self {
        Self { file: file.to_owned(), line: error.line, column: error.column, what: error.what }
    }

    pub(crate) fn at_offset(file: &Path, text: &str, offset: usize, what: String) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let line = number(before.matches('\n').count() + 1);
        let column = number(before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
        Self { file: file.to_owned(), line, column, what }
    }
}
