//! Stations: each has its latest values, its status, and a task that keeps a session with its PLC up.

pub mod backoff;
pub mod blink;
mod breaker;
mod calibrate;
pub mod carry_out;
pub mod command;
pub mod connect;
pub mod dial;
pub mod directory;
pub mod pool;
pub mod retry;
pub mod status;
mod supervise;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_lifecycle::{Cancel, Generations};
use tokio_util::sync::CancellationToken;

pub use directory::Directory;
pub use supervise::report_online;

use self::breaker::Breaker;
use self::command::Commands;
use self::pool::Pool;
use self::status::Status;
use crate::buffers::{Buffers, BuffersPart};
use crate::cache::Cache;
use crate::config::StationConfig;
use crate::shared::Shared;
use crate::tasks::TaskKind;
use crate::tenant::Tenant;

/// One PLC as the gateway knows it.
pub struct Station {
    /// What was configured.
    pub config: StationConfig,
    /// Its number among all stations that this gateway ever had; the stream of its chance.
    pub ordinal: u64,
    /// Whom its heap and its tasks belong to.
    pub tenant: Tenant,
    /// The latest value of each tag.
    pub cache: Cache,
    /// Where it stands.
    pub status: Status,
    /// The memory of its events.
    pub buffers: Box<dyn Buffers>,
    /// Connections to its PLC.
    pub pool: Pool,
    breaker: Mutex<Breaker>,
    /// Tells its sessions apart: nothing of an old one reaches a new one.
    pub sessions: Generations,
    /// Writes that wait for their turn.
    pub commands: Commands,
    /// Ends the session of now, and no other.
    session: Mutex<Cancel>,
    /// Ends its task: the root of a tree of its own, in which its session is, and in that the session's heartbeat. One tree for all
    /// stations would be looked after under one lock.
    pub stop: Cancel,
    /// Cancelled when its task has ended, and its session with it.
    pub ended: CancellationToken,
}

impl Station {
    fn new(config: StationConfig, ordinal: u64, tenant: Tenant, parents: &Parents) -> Self {
        Self {
            tenant,
            cache: Cache::new(config.tags.len(), config.max_age()),
            status: Status::default(),
            buffers: parents.buffers.open(),
            pool: Pool::new(config.pool.connections, parents.cores),
            breaker: Mutex::new(Breaker::new()),
            commands: Commands::new(config.commands.queue),
            sessions: Generations::new(),
            session: Mutex::default(),
            stop: Cancel::new(),
            ended: CancellationToken::new(),
            ordinal,
            config,
        }
    }

    /// Whether its PLC is worth trying.
    pub fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an attempt at a session begins; the token is cancelled when that session is to end.
    fn begin_session(&self) -> Cancel {
        let session = self.stop.child();
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session.clone();
        session
    }

    /// Ends the session of now, and whatever else is connected to the PLC; another one is set up as after any that ended.
    pub fn evict(&self) {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        self.pool.evict();
    }

    /// The index of the tag with this name.
    pub fn tag(&self, name: &str) -> Option<usize> {
        self.config.tags.iter().position(|tag| tag.name == name)
    }
}

/// What a station takes from the gateway it belongs to.
#[derive(Clone)]
pub struct Parents {
    /// Cores of the machine.
    pub cores: usize,
    /// Makes buffers.
    pub buffers: Arc<dyn BuffersPart>,
}

/// Starts a supervisor for each station.
pub fn start_all(shared: &Arc<Shared>) {
    for station in shared.stations.list().iter() {
        start(shared, station);
    }
}

/// Starts the supervisor of a station; it ends with the station's token.
pub fn start(shared: &Arc<Shared>, station: &Arc<Station>) {
    // Of the station's tenant is the task itself, and whatever it does.
    let _station = station.tenant.enter();
    let supervised = supervise::supervise(Arc::clone(shared), Arc::clone(station));
    shared.tasks.spawn(TaskKind::Station, station.tenant.scope(supervised));
}
