//! The figures of a link.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::chaos::lane::Entry;
use crate::chaos::toxic::Direction;

/// What happened on a link, as an audit: whether the disturbance disturbed and the load landed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStats {
    /// Connections that were established.
    pub connections_opened: u64,
    /// Connects that a fault refused. Over TCP the kernel refuses while nothing listens, and counts none.
    pub refused: u64,
    /// Connects that had to wait for a fault to heal, and accepted connections that had to wait to be served. Over TCP the
    /// kernel drops connects into a black hole: each attempt counts.
    pub hung: u64,
    /// Connections that a fault reset or closed.
    pub cut: u64,
    /// Connections that are established now.
    pub open_now: u64,
    /// Bytes delivered to the accepting side.
    pub bytes_up: u64,
    /// Bytes delivered to the connecting side.
    pub bytes_down: u64,
    /// Chunks that a fault delayed.
    pub chunks_delayed: u64,
    /// Bytes that a fault swallowed.
    pub bytes_swallowed: u64,
    /// Connections opened by storms.
    pub storm_connections: u64,
    /// Times that a fault took effect, each spell of a flap counted.
    pub faults_begun: u64,
}

/// [`LinkStats`] as they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    connections_opened: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) hung: AtomicU64,
    cut: AtomicU64,
    pub(super) open_now: AtomicU64,
    bytes: [AtomicU64; 2],
    chunks_delayed: AtomicU64,
    bytes_swallowed: AtomicU64,
    pub(super) storm_connections: AtomicU64,
    pub(super) faults_begun: AtomicU64,
}

impl Counters {
    pub(super) fn opened(&self) {
        self.connections_opened.fetch_add(1, Relaxed);
        self.open_now.fetch_add(1, Relaxed);
    }

    pub(super) fn cut(&self) {
        self.cut.fetch_add(1, Relaxed);
    }

    pub(super) fn delivered(&self, direction: Direction, bytes: usize) {
        self.bytes[direction as usize].fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn entered(&self, entry: Entry, lost: bool) {
        if entry.delayed {
            self.chunks_delayed.fetch_add(1, Relaxed);
        }
        if lost {
            self.bytes_swallowed.fetch_add(entry.taken as u64, Relaxed);
        }
    }

    pub(super) fn read(&self) -> LinkStats {
        LinkStats {
            connections_opened: self.connections_opened.load(Relaxed),
            refused: self.refused.load(Relaxed),
            hung: self.hung.load(Relaxed),
            cut: self.cut.load(Relaxed),
            open_now: self.open_now.load(Relaxed),
            bytes_up: self.bytes[Direction::Up as usize].load(Relaxed),
            bytes_down: self.bytes[Direction::Down as usize].load(Relaxed),
            chunks_delayed: self.chunks_delayed.load(Relaxed),
            bytes_swallowed: self.bytes_swallowed.load(Relaxed),
            storm_connections: self.storm_connections.load(Relaxed),
            faults_begun: self.faults_begun.load(Relaxed),
        }
    }
}
