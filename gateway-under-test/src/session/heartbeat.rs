//! A sign of life from a quiet PLC: the loop that asks for it lives as long as its session.

use std::time::Duration;

use gateway_lifecycle::Cancel;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};

use crate::tasks::{TaskKind, Tasks};

/// The wish for a sign of life, from the loop to its session.
#[derive(Debug)]
pub struct Beat;

/// Wishes that wait for the session: one is as good as ten.
pub const BEATS: usize = 1;

/// Starts the heartbeat of a session.
pub trait Heartbeat: Send + Sync {
    /// Starts a loop that sends a [`Beat`] every `period`. `session` is cancelled when the session ends.
    fn start(&self, tasks: &Tasks, session: Cancel, period: Duration, beats: mpsc::Sender<Beat>);
}

/// The loop that ends with its session.
pub struct BoundToSession;

impl Heartbeat for BoundToSession {
    fn start(&self, tasks: &Tasks, session: Cancel, period: Duration, beats: mpsc::Sender<Beat>) {
        tasks.spawn(TaskKind::Heartbeat, async move {
            let mut ticks = time::interval_at(time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while session.run(ticks.tick()).await.is_some() {
                // A full channel holds a beat that the session has not come to yet; that one serves.
                let _ = beats.try_send(Beat);
            }
        });
    }
}
