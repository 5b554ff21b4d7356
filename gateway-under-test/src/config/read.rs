//! From a file to a checked configuration; the parser stands behind this module alone.

use std::io;
use std::path::{Path, PathBuf};

use garde::Validate as _;
use thiserror::Error;

use super::Config;

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
            message: error.to_string().replace("<input>", name).trim_end().to_owned(),
        })
    }

    /// Checks a configuration that was made in code.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.validate().map_err(|report| ConfigError::Broken(report.to_string().trim_end().to_owned()))
    }
}
