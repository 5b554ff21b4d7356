//! Segments: a soak that went on after it was cut off has several, each with a target of its own.

use rusqlite::{Row, params};

use super::{Store, StoreError, from_json, now};
use crate::report::soak::{Checkpoint, ClockJump, Ground};

/// One process's share of a soak.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Counted from 0.
    pub number: usize,
    /// When it began, in RFC 3339.
    pub began: String,
    /// What it is judged by; `None`: it never got so far as to say.
    pub ground: Option<Ground>,
    /// The last that was heard of it beside its cycles.
    pub checkpoint: Option<Checkpoint>,
    /// Where the wall clock jumped.
    pub jumps: Vec<ClockJump>,
    /// How it ended; `None`: it was cut off, or goes on.
    pub ended: Option<String>,
}

impl Store {
    /// Begins the next segment of a run; its number.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn begin_segment(&self, run: i64) -> Result<usize, StoreError> {
        let number = self.segments(run)?.len();
        let values = params![run, number as i64, now()];
        self.execute("INSERT INTO segments (run, segment, began) VALUES (?1, ?2, ?3)", values)?;
        Ok(number)
    }

    /// Keeps what a segment is judged by.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn set_ground(&self, run: i64, segment: usize, ground: &Ground) -> Result<(), StoreError> {
        self.set(run, segment, "ground", &self.json(ground)?)
    }

    /// Keeps what was heard beside cycles, in the place of what was heard before.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn set_checkpoint(&self, run: i64, segment: usize, said: &Checkpoint) -> Result<(), StoreError> {
        self.set(run, segment, "checkpoint", &self.json(said)?)
    }

    /// Keeps where the wall clock jumped.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn set_jumps(&self, run: i64, segment: usize, jumps: &[ClockJump]) -> Result<(), StoreError> {
        self.set(run, segment, "jumps", &self.json(&jumps)?)
    }

    /// Keeps how a segment ended.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn end_segment(&self, run: i64, segment: usize, how: &str) -> Result<(), StoreError> {
        self.set(run, segment, "ended", how)
    }

    fn set(&self, run: i64, segment: usize, column: &'static str, value: &str) -> Result<(), StoreError> {
        let sql = format!("UPDATE segments SET {column} = ?3 WHERE run = ?1 AND segment = ?2");
        self.execute(&sql, params![run, segment as i64, value]).map(drop)
    }

    /// The segments of a run, in order.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn segments(&self, run: i64) -> Result<Vec<Segment>, StoreError> {
        let sql = "SELECT segment, began, ground, checkpoint, jumps, ended FROM segments WHERE run = ?1 ORDER BY segment";
        self.rows(sql, params![run], read)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment {
        number: usize::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        began: row.get(1)?,
        ground: from_json(row, 2)?,
        checkpoint: from_json(row, 3)?,
        jumps: from_json(row, 4)?.unwrap_or_default(),
        ended: row.get(5)?,
    })
}
