//! What runs measured, kept on disk: one SQLite file that a soak fills while it goes on, and that outlives it.
//!
//! Every cycle is a transaction of its own in a write-ahead log, so that a process that is killed loses at most the cycle in
//! flight. Several processes may write to one store at once, each to runs of its own: a run belongs to whoever holds its
//! [`RunLock`].

mod blob;
mod captures;
mod cycles;
mod error;
mod lock;
mod reports;
mod runs;
mod schema;
mod segments;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use captures::CAPTURES_MAX;
pub use cycles::{ROWS_MAX, Tally};
pub use error::StoreError;
pub use lock::RunLock;
pub use reports::StoredReport;
pub use runs::{NewRun, Run, RunKind, environment};
pub use segments::Segment;

/// Where runs are kept unless said.
pub const DEFAULT_PATH: &str = "watertight.db";

/// A store takes no more of a disk than this, whatever is put into it.
pub const BYTES_MAX: u64 = 4 << 30;

/// How long a write waits for another process's.
const BUSY: Duration = Duration::from_secs(10);

/// A file of runs.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
    /// Numbers of the names of targets' own figures, as far as they are known here.
    gauges: RefCell<BTreeMap<String, u16>>,
}

impl Store {
    /// Opens the store at `path` for writing; makes it if there is none.
    ///
    /// # Errors
    /// A disk or a file that cannot be written, a file that is no store, a store of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |error| StoreError::of(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(at)?;
        let store = Self { path: path.to_owned(), db, gauges: RefCell::default() };
        store.db.busy_timeout(BUSY).map_err(at)?;
        schema::prepare(&store)?;
        store.limit(BYTES_MAX)?;
        Ok(store)
    }

    /// Opens the store at `path` to be read.
    ///
    /// # Errors
    /// No such file, a file that is no store, a store of a newer version.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let at = |error| StoreError::of(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(at)?;
        let store = Self { path: path.to_owned(), db, gauges: RefCell::default() };
        store.db.busy_timeout(BUSY).map_err(at)?;
        schema::check(&store)?;
        Ok(store)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it takes of the disk, its log apart.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let pages = self.pragma("page_count")?;
        Ok((pages * self.pragma("page_size")?).unsigned_abs())
    }

    /// Has writes fail with [`StoreError::Full`] before the store takes more than `bytes`.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn limit(&self, bytes: u64) -> Result<(), StoreError> {
        let pages = bytes / self.pragma("page_size")?.unsigned_abs().max(1);
        // The answer is the limit that holds: never below what is there.
        let _held: i64 = self
            .db
            .pragma_update_and_check(None, "max_page_count", pages.cast_signed(), |row| row.get(0))
            .map_err(|error| self.error(error))?;
        Ok(())
    }

    fn pragma(&self, name: &str) -> Result<i64, StoreError> {
        self.db.pragma_query_value(None, name, |row| row.get(0)).map_err(|error| self.error(error))
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::of(&self.path, error)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.db.execute(sql, values).map_err(|error| self.error(error))
    }

    /// Every row that `sql` gives, as `read` reads it.
    fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read_all = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.db.prepare(sql)?;
            statement.query_map(values, read)?.collect()
        };
        read_all().map_err(|error| self.error(error))
    }

    /// `value` as it is kept in a column.
    fn json(&self, value: &impl serde::Serialize) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|error| self.error(to_sql(error)))
    }
}

/// A value that SQLite cannot be given.
fn to_sql(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// What a column holds as JSON; `None` where it holds nothing.
fn from_json<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let wrong = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    };
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

/// The moment it is now, for people: `2026-11-21T17:05:00Z`.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

#[cfg(test)]
mod tests;
