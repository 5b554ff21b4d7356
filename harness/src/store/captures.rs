//! Captures: what a target held when it was first suspected, and later.

use rusqlite::params;

use super::{Store, StoreError, from_json};
use crate::report::soak::Capture;

/// Captures kept of one run: the first ones, which are nearest to the cause, and the latest.
pub const CAPTURES_MAX: usize = 12;

impl Store {
    /// Keeps a capture; of more than [`CAPTURES_MAX`] the second-latest make room.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn add_capture(&self, run: i64, capture: &Capture) -> Result<(), StoreError> {
        let (segment, why) = (capture.segment as i64, capture.why.name());
        let values = params![run, segment, why, self.json(capture)?];
        self.execute("INSERT INTO captures (run, segment, why, capture) VALUES (?1, ?2, ?3, ?4)", values)?;
        let sql = "DELETE FROM captures WHERE id = (SELECT id FROM captures WHERE run = ?1 ORDER BY id DESC LIMIT 1 OFFSET 1) \
                   AND (SELECT count(*) FROM captures WHERE run = ?1) > ?2";
        self.execute(sql, params![run, CAPTURES_MAX as i64]).map(drop)
    }

    /// The captures of a run, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn captures(&self, run: i64) -> Result<Vec<Capture>, StoreError> {
        let sql = "SELECT capture FROM captures WHERE run = ?1 ORDER BY id";
        let read = |row: &rusqlite::Row<'_>| from_json(row, 0);
        Ok(self.rows(sql, params![run], read)?.into_iter().flatten().collect())
    }
}
