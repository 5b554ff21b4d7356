//! Cycles: a row each as it is played, floors of several once they are old.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Row, params};

use super::blob::{self, NAMES_MAX};
use super::{Store, StoreError};
use crate::census::Census;
use crate::timeline::CycleRecord;

/// Rows kept of one segment: eight hours of a census a second, and half as many again. Beyond that old ones are thinned.
pub const ROWS_MAX: usize = 43_200;

/// What a segment's rows come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cycles that were played, warm-up included.
    pub cycles: usize,
    /// Counted ones whose target did not come to rest within its bound.
    pub restless: usize,
    /// Scenario time at the last census.
    pub lasted: Duration,
    /// The most cycles that one row stands for.
    pub each_max: usize,
    /// Rows.
    pub rows: usize,
}

impl Store {
    /// Keeps a cycle. Once this returns, the end of the process loses nothing of it.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn add_cycle(&self, run: i64, segment: usize, record: &CycleRecord) -> Result<(), StoreError> {
        let census = &record.census;
        let count = |figure: Option<u64>| figure.map(|figure| i64::try_from(figure).unwrap_or(i64::MAX));
        let gauges = self.pack(&census.gauges)?;
        self.execute(
            "INSERT OR REPLACE INTO cycles VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                run,
                segment as i64,
                record.cycle as i64,
                micros(record.at),
                record.settled_after.map(micros),
                count(census.tasks),
                count(census.fds),
                count(census.threads),
                count(census.heap_blocks),
                count(census.heap_bytes),
                count(census.rss_bytes),
                gauges,
            ],
        )
        .map(drop)
    }

    fn pack(&self, gauges: &BTreeMap<String, f64>) -> Result<Vec<u8>, StoreError> {
        let mut figures = Vec::new();
        for (name, value) in gauges.iter().take(NAMES_MAX) {
            figures.extend(self.gauge(name)?.map(|number| (number, *value)));
        }
        Ok(blob::packed(figures.into_iter()))
    }

    /// The number of a gauge's name. Names beyond what a number holds are not kept: no target has so many on purpose.
    fn gauge(&self, name: &str) -> Result<Option<u16>, StoreError> {
        if let Some(number) = self.gauges.borrow().get(name) {
            return Ok(Some(*number));
        }
        self.execute("INSERT OR IGNORE INTO gauges (name) VALUES (?1)", [name])?;
        let find = || self.db.query_row("SELECT id FROM gauges WHERE name = ?1", [name], |row| row.get(0));
        let number: i64 = find().map_err(|error| self.error(error))?;
        let number = u16::try_from(number).ok();
        self.gauges.borrow_mut().extend(number.map(|number| (name.to_owned(), number)));
        Ok(number)
    }

    /// What the rows of a segment come to; `warm_up` cycles of it are not counted.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn tally(&self, run: i64, segment: usize, warm_up: usize) -> Result<Tally, StoreError> {
        let sql = "SELECT coalesce(max(cycle + each), 0), coalesce(sum(each) FILTER (WHERE settled_us IS NULL AND cycle >= ?3), 0), \
                   coalesce(max(at_us), 0), coalesce(max(each), 1), count(*) FROM cycles WHERE run = ?1 AND segment = ?2";
        let size =
            |row: &Row<'_>, at| row.get::<_, i64>(at).map(|count| usize::try_from(count).unwrap_or_default());
        let read = |row: &Row<'_>| {
            Ok(Tally {
                cycles: size(row, 0)?,
                restless: size(row, 1)?,
                lasted: from_micros(row.get(2)?),
                each_max: size(row, 3)?,
                rows: size(row, 4)?,
            })
        };
        let values = params![run, segment as i64, warm_up as i64];
        self.db.query_row(sql, values, read).map_err(|error| self.error(error))
    }

    /// The floors of every `each` counted cycles of a segment, after its warm-up cycles one by one, without the target's own
    /// figures. `restless`: with the cycles that did not come to rest.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn floors(
        &self,
        run: i64,
        segment: usize,
        warm_up: usize,
        each: usize,
        restless: bool,
    ) -> Result<Vec<CycleRecord>, StoreError> {
        // A figure that one of the cycles lacks is none of the floor's either.
        let floor = |column: &str| format!("CASE WHEN count({column}) = count(*) THEN min({column}) END");
        let floors = ["tasks", "fds", "threads", "blocks", "bytes", "rss"].map(floor).join(", ");
        let sql = format!(
            "SELECT min(cycle), max(at_us), CASE WHEN count(settled_us) = count(*) THEN max(settled_us) END, {floors} \
             FROM cycles WHERE run = ?1 AND segment = ?2 AND (cycle < ?3 OR ?5 OR settled_us IS NOT NULL) \
             GROUP BY CASE WHEN cycle < ?3 THEN cycle - ?3 ELSE (cycle - ?3) / ?4 END ORDER BY 1"
        );
        let values = params![run, segment as i64, warm_up as i64, each.max(1) as i64, restless];
        self.rows(&sql, values, record)
    }

    /// The cycles of a segment as they are kept, with the target's own figures.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn cycles(&self, run: i64, segment: usize) -> Result<Vec<CycleRecord>, StoreError> {
        let names =
            self.rows("SELECT id, name FROM gauges", (), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
        let names =
            names.into_iter().filter_map(|(id, name)| Some((u16::try_from(id).ok()?, name))).collect();
        let sql = "SELECT cycle, at_us, settled_us, tasks, fds, threads, blocks, bytes, rss, gauges FROM cycles \
                   WHERE run = ?1 AND segment = ?2 ORDER BY cycle";
        let read = |row: &Row<'_>| {
            let mut record = record(row)?;
            let gauges: Option<Vec<u8>> = row.get(9)?;
            record.census.gauges = blob::unpacked(&gauges.unwrap_or_default(), &names);
            Ok(record)
        };
        self.rows(sql, params![run, segment as i64], read)
    }

    /// Thins the cycles of a segment that has more than `rows_max` rows, so that they take half as many: each row then is the
    /// floor of a power of two of them, and floors of floors fit.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn thin(&self, run: i64, segment: usize, warm_up: usize, rows_max: usize) -> Result<(), StoreError> {
        let tally = self.tally(run, segment, warm_up)?;
        if tally.rows <= rows_max {
            return Ok(());
        }
        let counted = tally.cycles.saturating_sub(warm_up);
        let each = (2 * counted).div_ceil(rows_max.max(1)).next_power_of_two().max(tally.each_max);
        let old = counted / each * each;
        let values = [run, segment as i64, warm_up as i64, each as i64, (warm_up + old) as i64];
        let thin = || {
            let all = self.db.unchecked_transaction()?;
            let which = "run = ?1 AND segment = ?2 AND cycle >= ?3 AND cycle < ?5 AND ?4 > 0";
            all.execute_batch("DROP TABLE IF EXISTS temp.thinned")?;
            all.execute(
                &format!(
                    "CREATE TEMP TABLE thinned AS SELECT run, segment, min(cycle), sum(each), max(at_us), \
                     CASE WHEN count(settled_us) = count(*) THEN max(settled_us) END, min(tasks), min(fds), min(threads), \
                     min(blocks), min(bytes), min(rss), NULL FROM cycles WHERE {which} \
                     GROUP BY (cycle - ?3) / ?4, settled_us IS NULL"
                ),
                values,
            )?;
            all.execute(&format!("DELETE FROM cycles WHERE {which}"), values)?;
            all.execute_batch("INSERT INTO cycles SELECT * FROM temp.thinned; DROP TABLE temp.thinned")?;
            all.commit()
        };
        thin().map_err(|error| self.error(error))
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<CycleRecord> {
    let count = |at| row.get::<_, Option<i64>>(at).map(|figure| figure.map(i64::unsigned_abs));
    Ok(CycleRecord {
        cycle: usize::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        at: from_micros(row.get(1)?),
        settled_after: row.get::<_, Option<i64>>(2)?.map(from_micros),
        census: Census {
            tasks: count(3)?,
            fds: count(4)?,
            threads: count(5)?,
            heap_blocks: count(6)?,
            heap_bytes: count(7)?,
            rss_bytes: count(8)?,
            gauges: BTreeMap::new(),
        },
    })
}

pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn from_micros(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}
