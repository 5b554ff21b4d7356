//! Stations: each has its latest values, its status, and a task that keeps a session with its PLC up.

pub mod backoff;
pub mod command;
pub mod directory;
pub mod status;
mod supervise;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use directory::Directory;
pub use supervise::report_online;

use self::command::Commands;
use self::status::Status;
use crate::cache::Cache;
use crate::config::StationConfig;
use crate::shared::Shared;
use crate::tasks::TaskKind;

/// One PLC as the gateway knows it.
#[derive(Debug)]
pub struct Station {
    /// What was configured.
    pub config: StationConfig,
    /// Its number among all stations that this gateway ever had; the stream of its chance.
    pub ordinal: u64,
    /// The latest value of each tag.
    pub cache: Cache,
    /// Where it stands.
    pub status: Status,
    /// Writes that wait for their turn.
    pub commands: Commands,
    /// Ends its task.
    pub stop: CancellationToken,
    /// Cancelled when its task has ended, and its session with it.
    pub ended: CancellationToken,
}

impl Station {
    fn new(config: StationConfig, ordinal: u64, sessions: &CancellationToken) -> Self {
        Self {
            cache: Cache::new(config.tags.len()),
            status: Status::default(),
            commands: Commands::new(),
            stop: sessions.child_token(),
            ended: CancellationToken::new(),
            ordinal,
            config,
        }
    }

    /// The index of the tag with this name.
    pub fn tag(&self, name: &str) -> Option<usize> {
        self.config.tags.iter().position(|tag| tag.name == name)
    }
}

/// Starts a supervisor for each station.
pub fn start_all(shared: &Arc<Shared>) {
    for station in shared.stations.list().iter() {
        start(shared, station);
    }
}

/// Starts the supervisor of a station; it ends with the station's token.
pub fn start(shared: &Arc<Shared>, station: &Arc<Station>) {
    shared.tasks.spawn(TaskKind::Station, supervise::supervise(Arc::clone(shared), Arc::clone(station)));
}
