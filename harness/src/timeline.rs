//! What a run measured, in order: the plain value that an engine hands to the judge.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::seconds;
use crate::units::Size;

/// One run of one case, measured and not yet judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// Whether counts are exact (one thread, paused clock) or sampled from a live process.
    pub exact: bool,
    /// Leading entries of `cycles` that are warm-up and not judged.
    pub warm_up: usize,
    /// One entry per cycle, warm-up first.
    pub cycles: Vec<CycleRecord>,
    /// The highest figures seen at any sample of the whole run, disturbances included.
    pub peak: Census,
    /// What became of resident pages when the target's allocator was asked, after the last cycle, to give back what is free;
    /// `None`: it could not be asked, or had nothing to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<Trimmed>,
    /// What the engine checked about the run itself.
    pub audit: Vec<Audit>,
    /// Cycles that the scenario asked for, warm-up included; fewer in `cycles` means the run was cut short.
    pub planned: usize,
    /// Why the run ended before its last cycle, if it did.
    pub ended: Option<Ended>,
}

/// One settled cycle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct CycleRecord {
    /// Counted from 0, warm-up included.
    pub cycle: usize,
    /// Scenario time at the census, since the run began.
    #[serde(rename = "at_seconds", with = "seconds")]
    #[cfg_attr(feature = "scenarios", schemars(with = "f64"))]
    pub at: Duration,
    /// How long the target needed to come to rest; `None`: it missed the bound.
    #[serde(rename = "settled_after_seconds", with = "seconds::optional")]
    #[cfg_attr(feature = "scenarios", schemars(with = "Option<f64>"))]
    pub settled_after: Option<Duration>,
    /// The floor over the settle window.
    pub census: Census,
}

/// Resident pages around a request to the allocator to give back what is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct Trimmed {
    /// RSS before it was asked.
    pub rss_before_bytes: u64,
    /// RSS after.
    pub rss_after_bytes: u64,
}

impl Trimmed {
    /// What came back: pages in which nothing was alive.
    pub fn given_back_bytes(&self) -> u64 {
        self.rss_before_bytes.saturating_sub(self.rss_after_bytes)
    }
}

/// One control of the run: did the load land, did the disturbance disturb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
pub struct Audit {
    /// What was checked, in words: `polls answered by plc`.
    pub what: String,
    /// The figure found.
    pub found: u64,
    /// The least that makes the run valid.
    pub at_least: u64,
    /// The most that makes the run valid, where there is a most (`wrong values: 0`).
    pub at_most: Option<u64>,
}

impl Audit {
    /// Whether the control passed.
    pub fn holds(&self) -> bool {
        self.found >= self.at_least && self.at_most.is_none_or(|most| self.found <= most)
    }
}

/// Why a run ended early. The cycles measured before it are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// The target ended by itself.
    #[error("the target ended by itself: {how}")]
    TargetDied {
        /// Exit status or panic message, with the tail of its stderr.
        how: String,
    },
    /// The kernel ended the target, since it had reached the bound of its memory.
    #[error("the target was killed by the kernel at its limit of {}: {evidence}", Size(*limit_bytes))]
    OutOfMemory {
        /// The bound, in bytes.
        limit_bytes: u64,
        /// What was seen, in words, with the tail of its stderr.
        evidence: String,
    },
    /// A peer could not be ended in order, or not be brought back.
    #[error("peer `{peer}` failed: {how}")]
    PeerFailed {
        /// Its name in the scenario.
        peer: String,
        /// What went wrong.
        how: String,
    },
    /// The target never became ready.
    #[error("the target was not ready within {within:?}: {why}")]
    NeverReady {
        /// The bound that was missed.
        #[serde(rename = "within_seconds", with = "seconds")]
        #[cfg_attr(feature = "scenarios", schemars(with = "f64"))]
        within: Duration,
        /// What was waited for, and what was seen instead.
        why: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A task polled on and on without letting the clock move (sim).
    #[error("spin: {polls} polls without time moving")]
    Spin {
        /// Polls counted before the run was stopped.
        polls: u64,
    },
}
