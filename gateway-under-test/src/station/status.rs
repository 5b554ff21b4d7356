//! Where a station stands, for health and metrics. Plain atomics: looking disturbs nobody.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::meters::Meter;

/// What a station is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before its first attempt, or between two.
    Waiting,
    /// Connecting or shaking hands.
    Connecting,
    /// Connected, not every tag read yet.
    Connected,
    /// Connected and polled.
    Online,
    /// The gateway stops.
    Stopped,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Waiting, Self::Connecting, Self::Connected, Self::Online, Self::Stopped];

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Online => "online",
            Self::Stopped => "stopped",
        }
    }
}

/// The status of one station.
#[derive(Debug, Default)]
pub struct Status {
    phase: AtomicU8,
    last_error: Mutex<Option<&'static str>>,
    /// The longest time in which requests were answered since someone looked, in microseconds; 0: none.
    latency: AtomicU64,
    /// Sessions set up.
    pub connects: Meter,
    /// Polls that published every tag.
    pub polls: Meter,
    /// Sessions and attempts that ended in an error.
    pub failures: Meter,
}

impl Status {
    /// Notes what the station does now.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// What the station does.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    /// Notes a session that was set up; how many there were, with this one.
    pub fn connected(&self) -> u64 {
        self.enter(Phase::Connected);
        self.connects.up();
        self.connects.read()
    }

    /// Notes a poll that published every tag; whether it is the session's first.
    pub fn polled(&self) -> bool {
        self.polls.up();
        let first = self.phase() != Phase::Online;
        self.enter(Phase::Online);
        first
    }

    /// Notes how long the PLC took for a request.
    pub fn note_latency(&self, latency: Duration) {
        self.latency.fetch_max(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The longest latency noted since the last look; `None` if nothing was.
    pub fn take_latency(&self) -> Option<Duration> {
        let micros = self.latency.swap(0, Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Notes the end of a session or attempt.
    pub fn failed(&self, error: &'static str) {
        self.enter(Phase::Waiting);
        self.failures.up();
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// The word for the error that ended the last session or attempt.
    pub fn last_error(&self) -> Option<&'static str> {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
