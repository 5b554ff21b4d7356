//! The tables, and which version of them a file has.

use super::{Store, StoreError};

/// The version of the tables. A store of an older one is brought up to it; one of a newer one is refused.
const VERSION: i64 = 1;

/// Marks a SQLite file as a store of watertight: `wtgt`. Source: sqlite.org/pragma.html#pragma_application_id.
const APPLICATION_ID: i64 = 0x7774_6774;

/// Columns that end in `_us` are microseconds. Seeds are text: they have 64 bits and no sign.
///
/// A row of `cycles` stands for `each` cycles from `cycle` on: one, until old ones are thinned; then figures are their floors.
const TABLES: &str = "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, scenario TEXT NOT NULL, case_name TEXT NOT NULL, engine TEXT NOT NULL,
    file TEXT NOT NULL, seed TEXT NOT NULL, target TEXT NOT NULL, commit_id TEXT, environment TEXT NOT NULL,
    options TEXT NOT NULL, asked_us INTEGER, began TEXT NOT NULL, ended TEXT
) STRICT;
CREATE TABLE segments (
    run INTEGER NOT NULL REFERENCES runs(id), segment INTEGER NOT NULL, began TEXT NOT NULL, ground TEXT,
    checkpoint TEXT, jumps TEXT, ended TEXT, PRIMARY KEY (run, segment)
) STRICT, WITHOUT ROWID;
CREATE TABLE cycles (
    run INTEGER NOT NULL, segment INTEGER NOT NULL, cycle INTEGER NOT NULL, each INTEGER NOT NULL, at_us INTEGER NOT NULL,
    settled_us INTEGER, tasks INTEGER, fds INTEGER, threads INTEGER, blocks INTEGER, bytes INTEGER, rss INTEGER,
    gauges BLOB, PRIMARY KEY (run, segment, cycle)
) STRICT, WITHOUT ROWID;
CREATE TABLE gauges (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE captures (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, segment INTEGER NOT NULL, why TEXT NOT NULL, capture TEXT NOT NULL
) STRICT;
CREATE INDEX captures_of_run ON captures (run);
CREATE TABLE reports (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL UNIQUE REFERENCES runs(id), at TEXT NOT NULL, resting TEXT NOT NULL,
    report TEXT NOT NULL
) STRICT;
";

/// Makes a new store of an empty file, and checks any other.
pub(super) fn prepare(store: &Store) -> Result<(), StoreError> {
    // A log beside the file: readers do not wait, and a killed writer leaves a whole store.
    let _mode: String = store
        .db
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| store.error(error))?;
    // A killed process loses nothing; the machine's end at most the last cycles.
    store.db.pragma_update(None, "synchronous", "NORMAL").map_err(|error| store.error(error))?;
    // Immediate: of two processes that find the file empty, one waits and finds it made.
    let begun = store.execute("BEGIN IMMEDIATE", ());
    begun?;
    let made = make(store);
    store.execute(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }, ())?;
    made
}

fn make(store: &Store) -> Result<(), StoreError> {
    let tables: i64 = store
        .db
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(|error| store.error(error))?;
    if tables > 0 {
        return check(store);
    }
    let make = || {
        store.db.execute_batch(TABLES)?;
        store.db.pragma_update(None, "application_id", APPLICATION_ID)?;
        store.db.pragma_update(None, "user_version", VERSION)
    };
    make().map_err(|error| store.error(error))
}

/// Whether the file is a store that this version can read.
pub(super) fn check(store: &Store) -> Result<(), StoreError> {
    let path = store.path.clone();
    if store.pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::NotAStore { path, what: "it is a database of something else" });
    }
    match store.pragma("user_version")? {
        found if found > VERSION => Err(StoreError::Newer { path, found, known: VERSION }),
        _ => Ok(()),
    }
}
