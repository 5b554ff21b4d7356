//! D10: a timer re-arms itself in a new task, and every reconnect arms another.
//!
//! What it looks like: tasks grow by one with every reconnect, and none of them is ever older than one period: a list of
//! long-lived tasks shows nothing. What each of them costs grows with their number: a thousand timers that fire and spawn
//! are a load on their own, at a gateway that has nothing to do.
//!
//! Why it passes review: it has no loop that could fail to end. Each task waits once, sends once, ends. "A heartbeat must
//! not stop by itself" is the comment that makes the last line look right. But a chain of tasks is a loop, and this one
//! never asks whether its session is still there.
//!
//! The fix: one task with a loop that ends with its session; or re-arm only while the session's token says so.

use std::time::Duration;

use gateway_lifecycle::Cancel;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::session::heartbeat::{Beat, Heartbeat};
use crate::tasks::{TaskKind, Tasks};

/// Arms a timer for the session.
pub struct SelfRearmingTimer;

impl Heartbeat for SelfRearmingTimer {
    fn start(&self, tasks: &Tasks, _session: Cancel, period: Duration, beats: mpsc::Sender<Beat>) {
        arm(tasks, period, beats);
    }
}

/// One beat after `period`; then the timer for the next.
fn arm(tasks: &Tasks, period: Duration, beats: mpsc::Sender<Beat>) {
    let next = tasks.clone();
    tasks.spawn(TaskKind::Heartbeat, async move {
        sleep(period).await;
        // A full channel holds a beat that the session has not come to yet; that one serves.
        let _ = beats.try_send(Beat);
        // Whatever became of this one: a heartbeat must not stop by itself.
        arm(&next, period, beats);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_over_has_one_task_for_ever_and_always_another() {
        let (tasks, session) = (Tasks::default(), Cancel::new());
        let (beats, wishes) = mpsc::channel(1);
        let period = Duration::from_secs(5);
        SelfRearmingTimer.start(&tasks, session.clone(), period, beats.clone());
        session.cancel();
        drop(wishes);
        for _ in 0..100 {
            sleep(period).await;
            // Ours, and that of the one task which waits.
            assert_eq!((tasks.alive(), beats.strong_count()), (1, 2));
        }
    }
}
