//! Why a store cannot be used: where, what was found, what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing can be written there.
    #[error("store {path}: it cannot be written, the file or its disk is read-only: choose another place with `--store`", path = path.display())]
    ReadOnly {
        /// The store.
        path: PathBuf,
    },
    /// No such file, or no such folder.
    #[error("store {path}: it cannot be opened: {why}: check the folder, or choose another place with `--store`", path = path.display())]
    NoSuchFile {
        /// The store.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The disk, or the store's own limit.
    #[error("store {path}: no room is left, on the disk or below the limit of a store: what was measured is kept; make room, then go on with `--resume`", path = path.display())]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// Some other file.
    #[error("{path}: {what}, expected a store of watertight: choose another file with `--store`", path = path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A later version wrote it.
    #[error("store {path}: its schema is version {found}, this watertight knows {known}: use a newer watertight, or another store", path = path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that is known.
        known: i64,
    },
    /// Another process keeps it.
    #[error("store {path}: another process has been writing to it for longer than 10 s: is it stopped?", path = path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// Another process plays this run.
    #[error("store {path}: run {run} is being played by {by}: wait for it, or end it first", path = path.display())]
    Playing {
        /// The store.
        path: PathBuf,
        /// The run.
        run: i64,
        /// Who holds it: its process, and since when.
        by: String,
    },
    /// A lock that can be neither taken nor found taken.
    #[error("cannot lock run {run} by {path}: {why}", path = path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// The run.
        run: i64,
        /// What the system says.
        why: std::io::Error,
    },
    /// Anything else.
    #[error("store {path}: {why}", path = path.display())]
    Other {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        why: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn of(path: &Path, why: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match why.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::NotAStore { path, what: "it is no database, or a broken one" }
            }
            Some(ErrorCode::CannotOpen) => Self::NoSuchFile { path, why: why.to_string() },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Other { path, why },
        }
    }
}
