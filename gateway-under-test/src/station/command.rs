//! Writes that northbound sides ask of a station: checked, queued within a bound, carried out in order, each confirmed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_lifecycle::pending::{KEYS_MAX, Limits, Replied};
use gateway_lifecycle::{PendingTable, Ticket};
use s7_wire::{Item, Value};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Station;
use super::calibrate::SIZE_MAX;
use super::status::Phase;
use crate::client::ClientError;
use crate::config::{Area, TagConfig, TagType};
use crate::shared::Shared;

/// The longest value: a double word.
const VALUE_BYTES_MAX: usize = 4;

/// Why a write was not confirmed.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// No such station.
    #[error("no station `{0}`")]
    NoStation(String),
    /// No such tag.
    #[error("station `{station}` has no tag `{tag}`")]
    NoTag {
        /// The station.
        station: String,
        /// The tag asked for.
        tag: String,
    },
    /// The configuration does not say that the tag may be written.
    #[error("tag `{0}` is read-only: set `writable: true` in the configuration to allow writes")]
    ReadOnly(String),
    /// The value does not fit the tag.
    #[error("tag `{tag}` takes {}, found {found}", range(*expected))]
    WrongValue {
        /// The tag.
        tag: String,
        /// Its type.
        expected: TagType,
        /// What came, as JSON.
        found: String,
    },
    /// As many commands wait as may.
    #[error("{limit} commands wait for station `{station}` already: try again later")]
    QueueFull {
        /// The station.
        station: String,
        /// How many may wait.
        limit: usize,
    },
    /// The station is not connected. Nothing was sent.
    #[error("station `{0}` is offline: nothing was written")]
    Offline(String),
    /// Its turn did not come in time. Nothing was sent.
    #[error("not begun within {}: nothing was written", humantime::format_duration(*.0))]
    NotBegun(Duration),
    /// The PLC was asked, and did not confirm in time: it may have written the value, or may still.
    #[error("not confirmed: {0}; the PLC may have written the value")]
    Unconfirmed(String),
    /// The PLC refused.
    #[error("refused by the PLC: {0}")]
    Refused(String),
    /// The gateway stops.
    #[error("the gateway is stopping: nothing was written")]
    Stopping,
}

/// The values that a type takes, for messages.
const fn range(kind: TagType) -> &'static str {
    match kind {
        TagType::Bool => "true or false",
        TagType::Byte => "a whole number from 0 to 255",
        TagType::Word => "a whole number from 0 to 65535",
        TagType::Dword => "a whole number from 0 to 4294967295",
        TagType::Int => "a whole number from -32768 to 32767",
        TagType::Dint => "a whole number from -2147483648 to 2147483647",
        TagType::Real => "a number that a 32-bit float holds",
    }
}

/// What became of a command.
pub type Outcome = Result<(), CommandError>;

/// Commands of one station that are being carried out at once: as many as a pool has connections.
const UNDER_WAY_MAX: usize = SIZE_MAX;

/// A write that waits for its turn, or is being carried out.
#[derive(Debug)]
pub struct Job {
    /// Under which its caller waits for the outcome.
    key: u16,
    tag: usize,
    value: Value,
}

/// The commands of one station, in the order in which they came.
#[derive(Debug)]
pub struct Commands {
    queue: Mutex<VecDeque<Job>>,
    came: Notify,
    /// Callers that wait for an outcome.
    pending: PendingTable<Outcome>,
}

impl Commands {
    /// No commands; at most `queue_max` will wait for their turn. Room is made when the first one comes.
    pub fn new(queue_max: usize) -> Self {
        let waiting = queue_max + UNDER_WAY_MAX;
        // The outcomes of those that are under way may come late, all of them.
        let limits = Limits { waiting, keys: (waiting + UNDER_WAY_MAX).min(KEYS_MAX) };
        Self { queue: Mutex::default(), came: Notify::new(), pending: PendingTable::new(limits, 1) }
    }

    /// How many wait for their turn.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// Waits until there is a command, and `is_mine` says yes: who carries it out depends on how many connections there are.
    pub async fn there_is_one(&self, is_mine: impl Fn() -> bool) {
        loop {
            // Before the look: a command that comes between the two must not be missed.
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            if is_mine() && self.waiting() > 0 {
                return;
            }
            came.await;
        }
    }

    /// Takes the next command, to ask the PLC at once.
    pub fn begin(&self) -> Option<Job> {
        self.lock().pop_front()
    }

    /// Tells the caller of a command what became of it; `false` when it waits no longer.
    pub fn settle(&self, job: &Job, outcome: Outcome) -> bool {
        self.pending.reply(job.key, outcome) == Replied::Delivered
    }

    /// Has those who look after the commands look again whether they are theirs.
    pub fn look_again(&self) {
        self.came.notify_waiters();
    }

    fn put(&self, station: &Station, tag: usize, value: Value) -> Result<Call<'_>, CommandError> {
        let limit = station.config.commands.queue;
        let full = || CommandError::QueueFull { station: station.config.name.clone(), limit };
        let mut queue = self.lock();
        if queue.len() >= limit {
            return Err(full());
        }
        let ticket = self.pending.register().map_err(|_full| full())?;
        queue.push_back(Job { key: ticket.key(), tag, value });
        drop(queue);
        self.came.notify_waiters();
        Ok(Call { commands: self, ticket: Some(ticket) })
    }

    /// Takes a command out of the queue, if its turn has not come.
    fn withdraw(&self, key: u16) -> bool {
        let mut queue = self.lock();
        let place = queue.iter().position(|job| job.key == key);
        place.and_then(|place| queue.remove(place)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        // Each change is one push or pop.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller that waits. Dropping it takes the command back, if its turn has not come.
struct Call<'c> {
    commands: &'c Commands,
    ticket: Option<Ticket<Outcome>>,
}

impl Call<'_> {
    /// The outcome, once there is one.
    async fn outcome(&mut self) -> Outcome {
        let ticket = self.ticket.as_mut().expect("polled until the outcome is there");
        let outcome = ticket.await;
        self.ticket = None;
        outcome.unwrap_or(Err(CommandError::Stopping))
    }

    /// Ends the wait. An outcome that came first counts; else it is `not_begun` if the PLC was not asked, and unconfirmed, for
    /// the reason given, if it was.
    fn give_up(mut self, not_begun: CommandError, why: String) -> Outcome {
        let ticket = self.ticket.take().expect("given up once, and only without an outcome");
        if self.commands.withdraw(ticket.key()) {
            ticket.withdraw();
            return Err(not_begun);
        }
        ticket.expire().unwrap_or(Err(CommandError::Unconfirmed(why)))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && self.commands.withdraw(ticket.key())
        {
            ticket.withdraw();
        }
    }
}

impl Job {
    /// What is written, and where.
    pub fn write(&self, tags: &[TagConfig]) -> (Item, [u8; VALUE_BYTES_MAX], usize) {
        let tag = &tags[self.tag];
        let (area, db) = (tag.area.wire(), tag.db as u16);
        let mut bytes = [0; VALUE_BYTES_MAX];
        if let Value::Bool(on) = self.value {
            bytes[0] = u8::from(on);
            return (Item::bit(area, db, tag.offset, tag.bit), bytes, 1);
        }
        let length = tag.kind.bytes() as usize;
        self.value.write(&mut bytes, 0, 0).expect("the longest value fits");
        (Item::bytes(area, db, tag.offset, length as u16), bytes, length)
    }
}

/// What a failed request means for whoever asked for the write.
pub fn failed(error: &ClientError) -> CommandError {
    if error.is_final() || matches!(error, ClientError::RequestTimeout { .. }) {
        CommandError::Unconfirmed(error.to_string())
    } else {
        CommandError::Refused(error.to_string())
    }
}

/// Writes `value`, as JSON has it, to a tag. Returns once the PLC has confirmed.
///
/// Dropped before its turn has come, nothing is written.
pub async fn write(shared: &Shared, station: &str, tag: &str, value: &serde_json::Value) -> Outcome {
    shared.meters.commands.up();
    let mut ended = CountsEnd { shared, outcome: None };
    let outcome = write_checked(shared, station, tag, value).await;
    ended.outcome = Some(outcome.is_ok());
    shared.log_line(|| audit(station, tag, value, &outcome));
    outcome
}

/// What is logged of a command. Names are as somebody sent them, so they are shown as JSON has them, and shortened.
fn audit(station: &str, tag: &str, value: &serde_json::Value, outcome: &Outcome) -> String {
    let [station, tag] = [station, tag].map(|name| shortened(&name.into()));
    let outcome = outcome.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string);
    format!("command station={station} tag={tag} value={} outcome={outcome}", shortened(value))
}

/// Counts how a command ended, also when its caller went away.
struct CountsEnd<'a> {
    shared: &'a Shared,
    outcome: Option<bool>,
}

impl Drop for CountsEnd<'_> {
    fn drop(&mut self) {
        let meters = &self.shared.meters;
        match self.outcome {
            Some(true) => {}
            Some(false) => meters.commands_failed.up(),
            None => meters.commands_cancelled.up(),
        }
    }
}

async fn write_checked(shared: &Shared, name: &str, tag: &str, value: &serde_json::Value) -> Outcome {
    let station = shared.stations.find(name).ok_or_else(|| CommandError::NoStation(name.to_owned()))?;
    let no_tag = || CommandError::NoTag { station: name.to_owned(), tag: tag.to_owned() };
    let index = station.tag(tag).ok_or_else(no_tag)?;
    let value = value_for(&station.config.tags[index], value)?;
    // Whoever is in is waited for before the sessions end.
    let _inside = shared.commands.enter().ok_or(CommandError::Stopping)?;
    if !matches!(station.status.phase(), Phase::Connected | Phase::Online) {
        return Err(CommandError::Offline(name.to_owned()));
    }
    let mut call = station.commands.put(&station, index, value)?;
    let within = station.config.commands.timeout;
    let answered = async {
        tokio::select! {
            biased;
            outcome = call.outcome() => Some(outcome),
            () = station.stop.cancelled() => None,
        }
    };
    match timeout(within, answered).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => call.give_up(CommandError::Stopping, "the station was stopped".to_owned()),
        Err(_elapsed) => {
            let why = format!("no answer within {}", humantime::format_duration(within));
            call.give_up(CommandError::NotBegun(within), why)
        }
    }
}

/// The value of JSON as the tag's type has it.
fn value_for(tag: &TagConfig, found: &serde_json::Value) -> Result<Value, CommandError> {
    if !tag.writable {
        return Err(CommandError::ReadOnly(tag.name.clone()));
    }
    let whole = found.as_i64();
    let value = match tag.kind {
        TagType::Bool => found.as_bool().map(Value::Bool),
        TagType::Byte => whole.and_then(|value| value.try_into().ok()).map(Value::Byte),
        TagType::Word => whole.and_then(|value| value.try_into().ok()).map(Value::Word),
        TagType::Dword => whole.and_then(|value| value.try_into().ok()).map(Value::Dword),
        TagType::Int => whole.and_then(|value| value.try_into().ok()).map(Value::Int),
        TagType::Dint => whole.and_then(|value| value.try_into().ok()).map(Value::Dint),
        TagType::Real => {
            found.as_f64().map(|value| value as f32).filter(|value| value.is_finite()).map(Value::Real)
        }
    };
    value.ok_or_else(|| CommandError::WrongValue {
        tag: tag.name.clone(),
        expected: tag.kind,
        found: shortened(found),
    })
}

/// Characters of a wrong value that are repeated in an error.
const SHOWN_MAX: usize = 40;

fn shortened(value: &serde_json::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Area {
    /// The codec's name for it.
    pub const fn wire(self) -> s7_wire::Area {
        match self {
            Self::Db => s7_wire::Area::DataBlocks,
            Self::M => s7_wire::Area::Merkers,
            Self::I => s7_wire::Area::Inputs,
            Self::Q => s7_wire::Area::Outputs,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::buffers::PooledPerStation;
    use crate::config::StationConfig;
    use crate::station::Parents;
    use crate::tenant::Tenant;

    fn tag(kind: TagType) -> TagConfig {
        TagConfig { writable: true, ..TagConfig::in_db("t", 1, 4, kind) }
    }

    #[test]
    fn json_becomes_the_tags_type_or_an_error_that_says_what_it_takes() {
        let value = |kind, json| value_for(&tag(kind), &json).map_err(|error| error.to_string());
        assert_eq!(value(TagType::Bool, json!(true)), Ok(Value::Bool(true)));
        assert_eq!(value(TagType::Int, json!(-32_768)), Ok(Value::Int(i16::MIN)));
        assert_eq!(value(TagType::Dword, json!(4_294_967_295_u32)), Ok(Value::Dword(u32::MAX)));
        assert_eq!(value(TagType::Real, json!(21.5)), Ok(Value::Real(21.5)));
        let wrong = [
            (TagType::Bool, json!(1), "tag `t` takes true or false, found 1"),
            (TagType::Byte, json!(256), "tag `t` takes a whole number from 0 to 255, found 256"),
            (TagType::Word, json!(1.5), "tag `t` takes a whole number from 0 to 65535, found 1.5"),
            (TagType::Real, json!(1e300), "tag `t` takes a number that a 32-bit float holds, found 1e+300"),
        ];
        for (kind, json, expected) in wrong {
            assert_eq!(value(kind, json), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_long_value_is_shortened_in_its_error() {
        let error = value_for(&tag(TagType::Word), &json!("x".repeat(10_000))).unwrap_err();
        assert!(error.to_string().len() < 120, "{error}");
    }

    #[test]
    fn a_tag_is_read_only_unless_it_says_otherwise() {
        let tag = TagConfig::in_db("t", 1, 4, TagType::Word);
        assert_eq!(value_for(&tag, &json!(1)), Err(CommandError::ReadOnly("t".to_owned())));
    }

    #[test]
    fn who_gives_up_learns_whether_the_plc_was_asked() {
        let config = StationConfig::new("press", "press:102", vec![tag(TagType::Word)]);
        let parents = Parents { cores: 1, buffers: Arc::new(PooledPerStation) };
        let station = Station::new(config, 0, Tenant::current(), &parents);
        let ask = || station.commands.put(&station, 0, Value::Word(1)).expect("there is room");
        let why = || "stopped".to_owned();
        assert_eq!(ask().give_up(CommandError::Stopping, why()), Err(CommandError::Stopping));
        assert_eq!(station.commands.waiting(), 0);
        let call = ask();
        let job = station.commands.begin().expect("it waits");
        assert_eq!(call.give_up(CommandError::Stopping, why()), Err(CommandError::Unconfirmed(why())));
        assert!(!station.commands.settle(&job, Ok(())), "late");
        let call = ask();
        let job = station.commands.begin().expect("it waits");
        assert!(station.commands.settle(&job, Ok(())));
        assert_eq!(call.give_up(CommandError::Stopping, why()), Ok(()));
    }
}
