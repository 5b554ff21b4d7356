//! One PLC: its memory, its slots, its knobs. Sessions borrow from it; what they hold they give back when dropped.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::DateTime;
use s7_wire::userdata::UserdataError;
use s7_wire::{DecodeError, JobError};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::config::{ConfigError, PlcConfig, Refusal};
use crate::cpu::Cpu;
use crate::faults::Faults;
use crate::generator::Moment;
use crate::memory::Memory;
use crate::recorder::Recorder;
use crate::registry::{Ends, Registry, SessionList};
use crate::session::Session;
use crate::slots::Refused;
use crate::stats::{Counters, PlcStats};

/// A simulated PLC. A clone is the same PLC: hand one to each task that serves it.
///
/// Its clock starts when it is made, in tokio's time: paused with it, and as repeatable.
#[derive(Clone)]
pub struct Plc {
    shared: Arc<Shared>,
}

struct Shared {
    config: PlcConfig,
    started: Instant,
    memory: Mutex<Memory>,
    cpu: Mutex<Cpu>,
    faults: Mutex<Arc<Faults>>,
    counters: Counters,
    registry: Registry,
    recorder: Option<Recorder>,
}

/// Why a session is over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The client closed the stream.
    #[error("the client closed the stream")]
    Closed,
    /// The client said goodbye with a DR.
    #[error("the client disconnected")]
    Disconnected,
    /// No slot was free, or a fault refuses the connection.
    #[error("refused: {}", why.reason())]
    Refused {
        /// Why.
        why: Refused,
        /// How.
        by: Refusal,
    },
    /// A fault rule closed it.
    #[error("closed on purpose, by a fault rule")]
    ClosedOnPurpose,
    /// A fault rule asks for a reset: whoever owns the stream resets it.
    #[error("reset on purpose, by a fault rule")]
    Reset,
    /// [`Plc::end_session`] ended it.
    #[error("ended from outside")]
    Ended,
    /// CR and setup did not come in time.
    #[error("the handshake was not over after {after:?}")]
    HandshakeTimeout {
        /// The limit.
        after: Duration,
    },
    /// Nothing came, or nothing was taken, for too long.
    #[error("idle for {after:?}")]
    IdleTimeout {
        /// The limit.
        after: Duration,
    },
    /// Bytes that make no sense.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A job that makes no sense.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A request for a service that makes no sense.
    #[error(transparent)]
    Userdata(#[from] UserdataError),
    /// The right thing at the wrong time.
    #[error("expected {expected}, found {found}")]
    OutOfOrder {
        /// What could have come.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
}

impl SessionEnd {
    /// Whether the stream is to end by a reset; otherwise it was shut down in order.
    pub fn asks_for_reset(&self) -> bool {
        matches!(self, Self::Reset | Self::Refused { by: Refusal::Reset, .. })
    }
}

impl Plc {
    /// A PLC with this configuration.
    pub fn new(config: PlcConfig) -> Result<Self, ConfigError> {
        Self::build(config, None)
    }

    /// A PLC with this configuration, whose sessions are recorded.
    pub fn recorded(config: PlcConfig, recorder: Recorder) -> Result<Self, ConfigError> {
        Self::build(config, Some(recorder))
    }

    fn build(config: PlcConfig, recorder: Option<Recorder>) -> Result<Self, ConfigError> {
        config.validate()?;
        let shared = Shared {
            started: Instant::now(),
            memory: Mutex::new(Memory::new(&config)),
            cpu: Mutex::new(Cpu::new(config.clock)),
            faults: Mutex::new(Arc::new(config.faults.clone())),
            counters: Counters::default(),
            registry: Registry::default(),
            recorder,
            config,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs one session over `stream` until it is over; spawns nothing.
    ///
    /// To end it early, drop the future: stream and slot are free at once.
    ///
    /// Where the end [asks for a reset](SessionEnd::asks_for_reset), the stream was not shut down: lend it as `&mut stream`, and
    /// reset it.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> SessionEnd {
        self.serve_between(stream, None).await
    }

    /// [`serve`](Self::serve) for a stream with addresses: they stand in the [list of sessions](Self::sessions).
    pub async fn serve_between<S>(&self, stream: S, ends: Option<Ends>) -> SessionEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match Session::admit(self, stream, ends) {
            Ok(session) => session.run().await,
            Err(end) => end,
        }
    }

    /// The sessions there are, oldest first.
    pub fn sessions(&self) -> SessionList {
        self.shared.registry.list()
    }

    /// Ends the session with this [id](crate::SessionInfo::id), at its next chance to run; whether there is one.
    pub fn end_session(&self, id: u64) -> bool {
        self.shared.registry.end(id)
    }

    /// What the PLC was made from.
    pub fn config(&self) -> &PlcConfig {
        &self.shared.config
    }

    /// The counters now.
    pub fn stats(&self) -> PlcStats {
        self.shared.counters.snapshot()
    }

    /// Whether the CPU runs. Stopped, it still answers; only what moves in its memory stands still.
    pub fn is_running(&self) -> bool {
        self.cpu().is_running()
    }

    /// Starts or stops the CPU; `false` when it was so already.
    pub fn switch(&self, running: bool) -> bool {
        lock(&self.shared.cpu).switch(running)
    }

    /// Sets the clock.
    pub fn set_clock(&self, clock: DateTime) {
        lock(&self.shared.cpu).set_clock(clock);
    }

    /// The CPU as it is now.
    pub(crate) fn cpu(&self) -> Cpu {
        *lock(&self.shared.cpu)
    }

    /// Gives the memory its initial values again, as a cold start does; blocks that were loaded since are gone.
    pub(crate) fn reset_memory(&self) {
        *lock(&self.shared.memory) = Memory::new(&self.shared.config);
    }

    /// What is wrong with the PLC now.
    pub fn faults(&self) -> Faults {
        Faults::clone(&lock(&self.shared.faults))
    }

    /// Sets all fault knobs; sessions obey from their next message on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = Arc::new(faults);
    }

    /// Turns single knobs: `plc.update_faults(|faults| faults.silence = true)`.
    pub fn update_faults(&self, update: impl FnOnce(&mut Faults)) {
        update(Arc::make_mut(&mut lock(&self.shared.faults)));
    }

    /// The knobs as they stand, shared: sessions look at every message, and rules are many.
    pub(crate) fn shared_faults(&self) -> Arc<Faults> {
        lock(&self.shared.faults).clone()
    }

    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.shared.recorder.as_ref()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The memory as it is at this moment of the PLC's clock. Never hold it across an await.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        let elapsed = self.shared.started.elapsed();
        let scan_time = self.shared.config.scan;
        // Both are far below 2^64 nanoseconds (584 years).
        let scan = (elapsed.as_nanos() / scan_time.as_nanos()) as u64;
        let begun = Duration::from_nanos(scan.saturating_mul(scan_time.as_nanos() as u64));
        let is_running = self.is_running();
        let mut memory = lock(&self.shared.memory);
        if is_running {
            memory.move_to(Moment { scan, elapsed: begun });
        }
        memory
    }

    /// Counts a stream being served; `None` when too many are half made.
    pub(crate) fn take_connection(&self) -> Option<Connected> {
        let counters = &self.shared.counters;
        let limit = self.shared.config.half_made_max as u64;
        let room = |connections: u64| {
            (connections.saturating_sub(counters.sessions.load(Relaxed)) < limit).then_some(connections + 1)
        };
        counters.connections.fetch_update(Relaxed, Relaxed, room).ok()?;
        Some(Connected { plc: self.clone() })
    }
}

impl std::fmt::Debug for Plc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plc").field("name", &self.shared.config.name).field("stats", &self.stats()).finish()
    }
}

/// One stream being served, counted until dropped.
pub(crate) struct Connected {
    plc: Plc,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.plc.counters().connections.fetch_sub(1, Relaxed);
    }
}

/// A panic elsewhere leaves plain bytes and knobs behind, all of them still usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
