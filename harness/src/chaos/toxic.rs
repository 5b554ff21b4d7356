//! What a toxic can decide. Values in, values out: no clock, no sockets, no shared chance.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::chaos::toxics::half_open::Gone;
use crate::seed::Seed;

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the side that connected to the side that accepted.
    Up,
    /// From the side that accepted to the side that connected.
    Down,
}

impl Direction {
    /// Both, upstream first.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// Its name in stream names and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The directions a fault works in, as a scenario says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dir {
    /// Only what the connecting side sends.
    Up,
    /// Only what the accepting side sends.
    Down,
    /// Both directions.
    #[default]
    Both,
}

impl Dir {
    /// Whether `direction` is one of these.
    pub fn covers(self, direction: Direction) -> bool {
        match self {
            Self::Up => direction == Direction::Up,
            Self::Down => direction == Direction::Down,
            Self::Both => true,
        }
    }
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The side that connected.
    Client,
    /// The side that accepted.
    Server,
}

impl Side {
    /// The direction in which this side writes.
    pub const fn writes(self) -> Direction {
        match self {
            Self::Client => Direction::Up,
            Self::Server => Direction::Down,
        }
    }

    /// The direction from which this side reads.
    pub const fn reads(self) -> Direction {
        self.other().writes()
    }

    /// The side at the far end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What becomes of a connection when the fault that held it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnHeal {
    /// What the fault held back arrives at once, in order.
    #[default]
    Deliver,
    /// What the fault held back is lost; the connection goes on.
    Drop,
    /// The connection is reset.
    Reset,
}

/// What becomes of a connect. The worse of two faults wins; the order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// It goes through.
    Accept,
    /// It succeeds, and the accepting side hears of it so much later.
    AcceptLate(Duration),
    /// It succeeds, and the accepting side hears of it when the fault heals.
    AcceptHang,
    /// It hears nothing until the fault heals or the caller gives up.
    Hang,
    /// It is refused.
    Refuse,
}

impl Admission {
    /// Whether the connect succeeds before the accepting side hears of it.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::AcceptLate(_) | Self::AcceptHang)
    }
}

/// How a fault ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// A FIN in this direction, after the bytes already under way.
    Fin(#[serde(skip)] Direction),
    /// A FIN in both directions: each end reads the bytes already under way, then end of file.
    Close,
    /// A RST to both ends: bytes under way are lost.
    Reset,
}

/// Some bytes that enter a lane together; 0 bytes stand for the FIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes that entered this lane before, since the connection opened.
    pub offset: u64,
    /// Bytes in the chunk.
    pub bytes: usize,
}

/// What may leave a lane now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Everything that has arrived.
    Open,
    /// At most `bytes`; the FIN passes when nothing is before it.
    UpTo {
        /// Bytes that may leave.
        bytes: usize,
        /// When more may leave; `None`: not before something changes.
        again: Option<Instant>,
    },
    /// Nothing, not even the FIN, until the fault heals.
    Shut,
}

impl Gate {
    /// Whether not even a FIN passes.
    pub fn is_shut(self) -> bool {
        self == Self::Shut
    }

    /// What both gates let through.
    pub fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shut, _) | (_, Self::Shut) => Self::Shut,
            (Self::Open, gate) | (gate, Self::Open) => gate,
            (Self::UpTo { bytes: a, again: at_a }, Self::UpTo { bytes: b, again: at_b }) => {
                // The narrower gate decides; of two closed ones, the one that opens last.
                let again = if a == b {
                    at_a.max(at_b)
                } else if a < b {
                    at_a
                } else {
                    at_b
                };
                Self::UpTo { bytes: a.min(b), again }
            }
        }
    }
}

/// What a toxic sees of its lane.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now, on the scenario clock.
    pub now: Instant,
    /// When the fault took hold of this connection.
    pub since: Instant,
    /// When the last byte moved on this connection, or `since` if none did.
    pub idle_since: Instant,
    /// Bytes that left this lane since `since`.
    pub passed: u64,
    /// Bytes that have arrived and wait to leave.
    pub waiting: usize,
}

/// A fault at work on one lane. Whatever it does not say is left alone.
///
/// Every answer follows from the arguments, the settings and (for pacing) what the same toxic let through before.
pub trait Toxic: fmt::Debug + Send {
    /// What becomes of a connect.
    fn on_connect(&self) -> Admission {
        Admission::Accept
    }

    /// By how much a chunk arrives later. `dice` is this connection's and direction's own.
    ///
    /// Asked again for what is under way when another fault heals, so it must answer the same for the same chunk.
    fn delay(&self, _chunk: Chunk, _dice: Seed) -> Duration {
        Duration::ZERO
    }

    /// What may leave now.
    fn gate(&mut self, _moment: &Moment) -> Gate {
        Gate::Open
    }

    /// `bytes` have left through the gate.
    fn took(&mut self, _bytes: usize) {}

    /// When this connection ends, and how, if nothing else happens.
    fn cut(&self, _moment: &Moment) -> Option<(Instant, Cut)> {
        None
    }

    /// Who is gone from the moment the fault takes hold: its own end is reset, the far end hears nothing.
    fn gone(&self) -> Gone {
        Gone::Nobody
    }

    /// Bytes that ever get through, counted from when the fault took hold; what lies behind them when it ends the
    /// connection is lost.
    fn most(&self) -> Option<u64> {
        None
    }

    /// Whether bytes that have arrived wait behind this toxic's gate, so that `on_heal: drop` loses them too.
    fn holds_arrived(&self) -> bool {
        false
    }

    /// Whether a connection once held stays so after the fault has healed.
    fn outlives_heal(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gates_let_through_what_both_let_through() {
        let paced = |bytes| Gate::UpTo { bytes, again: None };
        assert_eq!(Gate::Open.meet(paced(5)), paced(5));
        assert_eq!(paced(9).meet(paced(5)), paced(5));
        assert_eq!(paced(9).meet(Gate::Shut), Gate::Shut);
        assert_eq!(Gate::Open.meet(Gate::Open), Gate::Open);
    }
}
