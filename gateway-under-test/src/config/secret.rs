//! A word that opens something. It is in no log, no error and no dump.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// A secret of more bytes is a file given by mistake.
const SECRET_BYTES_MAX: u64 = 4 * 1024;

/// A token or a password; its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// Why a file gives no secret.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{}: {why}", path.display())]
pub struct SecretError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Secret {
    /// A secret made in code.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Reads the secret that is all of a file's text; white space around it does not count.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let wrong = |why: String| SecretError { path: path.to_owned(), why };
        let unreadable = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > SECRET_BYTES_MAX {
            return Err(wrong(format!("{bytes} bytes, a secret has at most {SECRET_BYTES_MAX}")));
        }
        let secret = Self::new(std::fs::read_to_string(path).map_err(unreadable)?.trim());
        secret.complaint().map_or(Ok(secret), |why| Err(wrong(why.to_owned())))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is wrong with it as a word in a header.
    pub fn complaint(&self) -> Option<&'static str> {
        if self.0.len() < 8 {
            return Some("a secret has at least 8 characters");
        }
        let printable = self.0.bytes().all(|byte| byte.is_ascii_graphic());
        (!printable).then_some("a secret is of visible ASCII characters, without white space")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("correct horse")), "Secret(..)");
    }

    #[test]
    fn the_line_end_of_a_file_is_no_part_of_its_secret() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "open-sesame\n").expect("a temporary file");
        assert_eq!(Secret::read(&path), Ok(Secret::new("open-sesame")));
        std::fs::write(&path, "short\n").expect("a temporary file");
        let error = Secret::read(&path).expect_err("too short").to_string();
        assert!(error.ends_with("token: a secret has at least 8 characters"), "{error}");
    }
}
