//! One look at a process that is watched.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::census::Census;

/// What a process held at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Since the watch began.
    #[serde(rename = "after_seconds", serialize_with = "as_seconds")]
    pub after: Duration,
    /// The figures that are looked at every time.
    #[serde(flatten)]
    pub census: Census,
    /// What costs more to look at, from the last time that it was.
    #[serde(flatten)]
    pub details: Details,
}

/// What costs more to look at: it is looked at less often where there is much of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Details {
    /// Open file descriptors by kind: `socket`, `file`, ...
    pub fds_by_kind: BTreeMap<&'static str, u64>,
    /// Its TCP sockets by state, as `ss` prints it: `ESTAB`, `CLOSE-WAIT`, ...
    pub tcp: BTreeMap<String, u64>,
    /// Closed connections that the kernel still remembers, of everybody in the same network namespace.
    pub tcp_time_wait: Option<u64>,
    /// Places in the code that hold most of the heap; only where a probe tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
}

/// A place in the code that holds heap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Site {
    /// `file:line`.
    pub place: String,
    /// Bytes alive.
    pub live_bytes: u64,
    /// Blocks alive.
    pub live_blocks: u64,
}

fn as_seconds<S: Serializer>(after: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((after.as_secs_f64() * 1000.0).round() / 1000.0)
}
