//! From a file to a checked configuration; the parser stands behind this module alone.

use std::io;
use std::path::{Path, PathBuf};

use garde::Validate as _;
use thiserror::Error;

use super::Config;

/// Errors that are shown of one file; the rest is counted.
const ERRORS_SHOWN: usize = 20;

/// A configuration file larger than this is not one.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than a configuration can be.
    #[error("{}: {bytes} bytes, a configuration has at most {FILE_BYTES_MAX}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The text is no configuration. The message has line, column and snippet.
    #[error("{name}: {message}")]
    Invalid {
        /// The file's name.
        name: String,
        /// What is wrong, and where.
        message: String,
    },
    /// A configuration made in code breaks a rule.
    #[error("{0}")]
    Broken(String),
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned(), bytes });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::from_yaml(&path.display().to_string(), &text)
    }

    /// Reads and checks YAML; `name` stands for the file in errors.
    pub fn from_yaml(name: &str, text: &str) -> Result<Self, ConfigError> {
        serde_saphyr::from_str_valid(text).map_err(|error| ConfigError::Invalid {
            name: name.to_owned(),
            // The parser knows no file names; an editor that opens `file:line:column` needs one.
            message: first_errors(&error.to_string().replace("<input>", name)),
        })
    }

    /// Checks a configuration that was made in code.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.validate().map_err(|report| ConfigError::Broken(report.to_string().trim_end().to_owned()))
    }
}

/// The first errors of a text in which each begins with a line `error: ..`, and how many more there are.
fn first_errors(text: &str) -> String {
    const NEXT: &str = "\nerror: ";
    let text = text.trim_end();
    match text.match_indices(NEXT).nth(ERRORS_SHOWN - 1) {
        None => text.to_owned(),
        Some((end, _)) => {
            let more = text[end..].matches(NEXT).count();
            format!("{}\nand {more} more errors: correct these first", text[..end].trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_errors_the_first_are_shown_and_the_rest_is_counted() {
        let text = |errors: usize| {
            (0..errors).map(|n| format!("error: number {n}\n  | snippet\n")).collect::<String>()
        };
        assert_eq!(first_errors(&text(ERRORS_SHOWN)), text(ERRORS_SHOWN).trim_end());
        let many = first_errors(&text(300));
        assert!(many.contains("error: number 19\n") && !many.contains("number 20\n"), "{many}");
        assert!(many.ends_with("\nand 280 more errors: correct these first"), "{many}");
    }
}
