//! D04: each reconnect starts a heartbeat loop that never ends.
//!
//! What it looks like: tasks grow by one with every reconnect of every station, and with each its timer and its half
//! of a channel. A quiet network hides it for months; the first flapping switch shows it overnight.
//!
//! Why it passes review: the loop ignores a failed `try_send` for the right reason (a full channel holds a beat
//! already) and so ignores the wrong one as well: a closed channel, whose session is gone. While the first connection
//! lasts, it does exactly what the healthy loop does, and so do its tests.
//!
//! The fix: end with the session, by its token. Ending at `TrySendError::Closed` would do as well, one period later.

use std::time::Duration;

use gateway_lifecycle::Cancel;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};

use crate::session::heartbeat::{Beat, Heartbeat};
use crate::tasks::{TaskKind, Tasks};

/// Starts a loop for the session, and never ends it.
pub struct HeartbeatOutlivesConnection;

impl Heartbeat for HeartbeatOutlivesConnection {
    fn start(&self, tasks: &Tasks, _session: Cancel, period: Duration, beats: mpsc::Sender<Beat>) {
        tasks.spawn(TaskKind::Heartbeat, async move {
            let mut ticks = time::interval_at(time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A full channel holds a beat that the session has not come to yet; that one serves.
                let _ = beats.try_send(Beat);
            }
        });
    }
}
