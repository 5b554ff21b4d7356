//! Where each fault is at work: bars and moments on the lane of its link or party.

use std::time::Duration;

use crate::chaos::{Change, FaultId};
use crate::scenario::plan::Plan;

/// What one kind of fault does on one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The link, or the party whose process it is about.
    pub(super) lane: String,
    /// The fault's name.
    pub(super) fault: &'static str,
    /// From when to when it is at work.
    pub(super) bars: Vec<(Duration, Duration)>,
    /// When something happens at once: a connection of a storm, a signal.
    pub(super) moments: Vec<Duration>,
}

/// The rows of a plan, in the order in which their faults first do something.
pub(super) fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut open: Vec<(usize, FaultId, usize, Duration)> = Vec::new();
    for event in &plan.events {
        let lane = event.link.as_deref().or(event.fault.party()).unwrap_or_default();
        let row = row_of(&mut rows, lane, event.fault.name());
        match event.change {
            Change::Begin | Change::Down | Change::Pause | Change::Partition => {
                open.push((row, event.id, event.phase, event.at));
            }
            Change::End | Change::Up | Change::Resume | Change::Repair => {
                let is_it = |begun: &(usize, FaultId, usize, Duration)| {
                    (begun.0, begun.1, begun.2) == (row, event.id, event.phase)
                };
                if let Some(at) = open.iter().position(is_it) {
                    let (.., from) = open.swap_remove(at);
                    rows[row].bars.push((from, event.at));
                }
            }
            Change::OpenConnection { .. } | Change::Kill { .. } | Change::Reload => {
                rows[row].moments.push(event.at);
            }
        }
    }
    rows
}

fn row_of(rows: &mut Vec<Row>, lane: &str, fault: &'static str) -> usize {
    let known = rows.iter().position(|row| row.lane == lane && row.fault == fault);
    known.unwrap_or_else(|| {
        rows.push(Row { lane: lane.to_owned(), fault, bars: Vec::new(), moments: Vec::new() });
        rows.len() - 1
    })
}

impl Row {
    /// Which part of the time from `from` to `to` it is at work, and how many moments fall into it.
    pub(super) fn within(&self, from: Duration, to: Duration) -> (f64, usize) {
        let covered: Duration =
            self.bars.iter().map(|(begin, end)| (*end).min(to).saturating_sub((*begin).max(from))).sum();
        let share = covered.as_secs_f64() / to.saturating_sub(from).as_secs_f64().max(f64::MIN_POSITIVE);
        (share, self.moments.iter().filter(|at| (from..to).contains(at)).count())
    }
}
