//! What a PLC counts about itself: as values, and as Prometheus text. Counting never blocks and never fails.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use s7_wire::ConnectionType;
use serde::{Deserialize, Serialize};

use crate::slots::Refused;

/// A PLC's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlcStats {
    /// Streams being served, with or without a slot.
    pub connections: u64,
    /// Sessions that hold a slot.
    pub sessions: u64,
    /// The most that `sessions` ever was.
    pub sessions_peak: u64,
    /// Sessions that ever got a slot.
    pub sessions_opened: u64,
    /// CRs refused, and connections closed unheard because too many were half made; the next four add up to it.
    pub refused: u64,
    /// Refused because no slot was free.
    #[serde(default)]
    pub refused_full: u64,
    /// Refused because no slot of their connection type was free.
    #[serde(default)]
    pub refused_type_full: u64,
    /// Closed unheard because too many were half made.
    #[serde(default)]
    pub refused_half_made: u64,
    /// Refused by a fault.
    #[serde(default)]
    pub refused_fault: u64,
    /// Sessions that hold a slot and are of type PG.
    #[serde(default)]
    pub sessions_pg: u64,
    /// Sessions that hold a slot and are of type OP.
    #[serde(default)]
    pub sessions_op: u64,
    /// Sessions that hold a slot and are of type basic.
    #[serde(default)]
    pub sessions_basic: u64,
    /// Sessions closed by a timeout, in the handshake or idle.
    pub timeouts: u64,
    /// S7 jobs received, answered or not.
    pub requests: u64,
    /// Items read with success.
    pub items_read: u64,
    /// Items written with success.
    pub items_written: u64,
    /// Items and jobs answered with an error.
    pub errors: u64,
    /// Sessions ended because their bytes made no sense.
    pub protocol_errors: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// The counters as sessions share them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub connections: AtomicU64,
    pub sessions: AtomicU64,
    pub sessions_peak: AtomicU64,
    pub sessions_opened: AtomicU64,
    pub refused: AtomicU64,
    pub refused_full: AtomicU64,
    pub refused_type_full: AtomicU64,
    pub refused_half_made: AtomicU64,
    pub refused_fault: AtomicU64,
    pub sessions_pg: AtomicU64,
    pub sessions_op: AtomicU64,
    pub sessions_basic: AtomicU64,
    pub timeouts: AtomicU64,
    pub requests: AtomicU64,
    pub items_read: AtomicU64,
    pub items_written: AtomicU64,
    pub errors: AtomicU64,
    pub protocol_errors: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
}

impl Counters {
    /// How many sessions of this type hold a slot.
    pub(crate) fn sessions_of(&self, connection: ConnectionType) -> &AtomicU64 {
        match connection {
            ConnectionType::Pg => &self.sessions_pg,
            ConnectionType::Op => &self.sessions_op,
            ConnectionType::Basic => &self.sessions_basic,
        }
    }

    /// Counts a refusal, in all and by its reason.
    pub(crate) fn refuse(&self, why: Refused) {
        add(&self.refused, 1);
        let reason = match why {
            Refused::Full => &self.refused_full,
            Refused::TypeFull => &self.refused_type_full,
            Refused::HalfMade => &self.refused_half_made,
            Refused::Fault => &self.refused_fault,
        };
        add(reason, 1);
    }

    pub(crate) fn snapshot(&self) -> PlcStats {
        PlcStats {
            connections: self.connections.load(Relaxed),
            sessions: self.sessions.load(Relaxed),
            sessions_peak: self.sessions_peak.load(Relaxed),
            sessions_opened: self.sessions_opened.load(Relaxed),
            refused: self.refused.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
            refused_type_full: self.refused_type_full.load(Relaxed),
            refused_half_made: self.refused_half_made.load(Relaxed),
            refused_fault: self.refused_fault.load(Relaxed),
            sessions_pg: self.sessions_pg.load(Relaxed),
            sessions_op: self.sessions_op.load(Relaxed),
            sessions_basic: self.sessions_basic.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            requests: self.requests.load(Relaxed),
            items_read: self.items_read.load(Relaxed),
            items_written: self.items_written.load(Relaxed),
            errors: self.errors.load(Relaxed),
            protocol_errors: self.protocol_errors.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }
}

/// Adds to a counter that only ever grows.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Relaxed);
}

type Figure = fn(&PlcStats) -> u64;

/// Name, kind, help and figure of each metric.
const METRICS: [(&str, &str, &str, Figure); 20] = [
    ("connections", "gauge", "Streams being served, with or without a slot.", |stats| stats.connections),
    ("sessions", "gauge", "Sessions that hold a slot.", |stats| stats.sessions),
    ("sessions_peak", "gauge", "The most sessions there ever were.", |stats| stats.sessions_peak),
    ("sessions_opened_total", "counter", "Sessions that got a slot.", |stats| stats.sessions_opened),
    ("refused_total", "counter", "Connections refused.", |stats| stats.refused),
    ("refused_full_total", "counter", "Connections refused for want of a slot.", |stats| stats.refused_full),
    (
        "refused_type_full_total",
        "counter",
        "Connections refused for want of a slot of their type.",
        |stats| stats.refused_type_full,
    ),
    ("refused_half_made_total", "counter", "Connections closed unheard: too many were half made.", |stats| {
        stats.refused_half_made
    }),
    ("refused_fault_total", "counter", "Connections refused by a fault.", |stats| stats.refused_fault),
    ("sessions_pg", "gauge", "Sessions of type PG that hold a slot.", |stats| stats.sessions_pg),
    ("sessions_op", "gauge", "Sessions of type OP that hold a slot.", |stats| stats.sessions_op),
    ("sessions_basic", "gauge", "Sessions of type basic that hold a slot.", |stats| stats.sessions_basic),
    ("timeouts_total", "counter", "Sessions closed by a timeout.", |stats| stats.timeouts),
    ("requests_total", "counter", "S7 jobs received.", |stats| stats.requests),
    ("items_read_total", "counter", "Items read with success.", |stats| stats.items_read),
    ("items_written_total", "counter", "Items written with success.", |stats| stats.items_written),
    ("errors_total", "counter", "Items and jobs answered with an error.", |stats| stats.errors),
    ("protocol_errors_total", "counter", "Sessions ended by bytes without sense.", |stats| {
        stats.protocol_errors
    }),
    ("bytes_in_total", "counter", "Bytes received.", |stats| stats.bytes_in),
    ("bytes_out_total", "counter", "Bytes sent.", |stats| stats.bytes_out),
];

/// The counters of all these PLCs in Prometheus' text format, one label `plc`.
pub fn prometheus<'a>(plcs: impl Iterator<Item = (&'a str, PlcStats)> + Clone) -> String {
    let mut text = String::new();
    for (name, kind, help, figure) in METRICS {
        let _ = writeln!(text, "# HELP s7_sim_{name} {help}\n# TYPE s7_sim_{name} {kind}");
        for (plc, stats) in plcs.clone() {
            let label = plc.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = writeln!(text, "s7_sim_{name}{{plc=\"{label}\"}} {}", figure(&stats));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plc_has_its_line_under_each_metric() {
        let stats = PlcStats { sessions: 3, requests: 17, ..PlcStats::default() };
        let text = prometheus([("a", stats), ("b \"two\"", PlcStats::default())].into_iter());
        assert!(text.contains("# TYPE s7_sim_sessions gauge\ns7_sim_sessions{plc=\"a\"} 3\n"), "{text}");
        assert!(text.contains("s7_sim_requests_total{plc=\"a\"} 17\n"), "{text}");
        assert!(text.contains("s7_sim_requests_total{plc=\"b \\\"two\\\"\"} 0\n"), "{text}");
    }

    #[test]
    fn no_figure_is_missing_from_the_text() {
        let fields = serde_json::to_value(PlcStats::default()).unwrap().as_object().unwrap().len();
        assert_eq!(METRICS.len(), fields);
    }
}
