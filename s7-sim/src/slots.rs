//! Connection slots: few, apart by connection type, given back when dropped.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use s7_wire::ConnectionType;
use serde::{Deserialize, Serialize};

use crate::plc::Plc;
use crate::stats::add;

/// Slots for one connection type alone; `None`: as many as the PLC has. The type is the called TSAP's first byte; a client
/// with any other byte there counts towards the total only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlotsByType {
    /// For programming devices (1).
    pub pg: Option<usize>,
    /// For operator panels (2).
    pub op: Option<usize>,
    /// For basic communication (3).
    pub basic: Option<usize>,
}

/// Why a client has no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// All slots are taken.
    Full,
    /// All slots of its connection type are taken.
    TypeFull,
    /// Too many connections are half made.
    HalfMade,
    /// A fault refuses it.
    Fault,
}

impl Refused {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Full => "no slot is free",
            Self::TypeFull => "no slot of its connection type is free",
            Self::HalfMade => "too many connections are half made",
            Self::Fault => "a fault refuses it",
        }
    }
}

/// One connection slot, given back when dropped.
pub(crate) struct Slot {
    plc: Plc,
    connection: Option<ConnectionType>,
}

impl SlotsByType {
    /// Each with its name in a PLC's file.
    pub(crate) fn fields(&self) -> [(&'static str, Option<usize>); 3] {
        [("slots_by_type.pg", self.pg), ("slots_by_type.op", self.op), ("slots_by_type.basic", self.basic)]
    }

    fn limit(&self, connection: ConnectionType) -> Option<usize> {
        match connection {
            ConnectionType::Pg => self.pg,
            ConnectionType::Op => self.op,
            ConnectionType::Basic => self.basic,
        }
    }
}

impl Slot {
    /// Takes a slot of this type, if one is free.
    pub(crate) fn take(plc: &Plc, connection: Option<ConnectionType>) -> Result<Self, Refused> {
        let (config, counters) = (plc.config(), plc.counters());
        let limit = |connection| config.slots_by_type.limit(connection).unwrap_or(config.slots);
        if let Some(connection) = connection
            && raise(counters.sessions_of(connection), limit(connection)).is_none()
        {
            return Err(Refused::TypeFull);
        }
        let Some(sessions) = raise(&counters.sessions, config.slots) else {
            lower(plc, connection);
            return Err(Refused::Full);
        };
        counters.sessions_peak.fetch_max(sessions, Relaxed);
        add(&counters.sessions_opened, 1);
        Ok(Self { plc: plc.clone(), connection })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.plc.counters().sessions.fetch_sub(1, Relaxed);
        lower(&self.plc, self.connection);
    }
}

/// Counts one more, up to `limit`: how many there are now.
fn raise(count: &AtomicU64, limit: usize) -> Option<u64> {
    let more = |count: u64| (count < limit as u64).then_some(count + 1);
    count.fetch_update(Relaxed, Relaxed, more).ok().map(|before| before + 1)
}

fn lower(plc: &Plc, connection: Option<ConnectionType>) {
    if let Some(connection) = connection {
        plc.counters().sessions_of(connection).fetch_sub(1, Relaxed);
    }
}
