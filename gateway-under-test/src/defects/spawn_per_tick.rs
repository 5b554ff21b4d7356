//! D09: every tick spawns a check, while earlier ones are still blocked on a slow peer.
//!
//! What it looks like: tasks grow by one with every heartbeat of a station whose PLC is slower than its poll interval, for
//! as long as the session lasts, which may be months. Where PLCs are fast, and in every test, there is never more than one.
//!
//! Why it passes review: the loop looks more careful than the one it replaces: no beat is thrown away, and a busy session
//! does not put the next tick off. That a session may *always* be busy, and so never comes to its beats, is not in this
//! file.
//!
//! The fix: one check at a time. Here that is `try_send`: a full channel holds a beat already, and one is as good as ten.

use std::time::Duration;

use gateway_lifecycle::Cancel;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};

use crate::session::heartbeat::{Beat, Heartbeat};
use crate::tasks::{TaskKind, Tasks};

/// Asks for a sign of life in a new task each time.
pub struct SpawnPerTick;

impl Heartbeat for SpawnPerTick {
    fn start(&self, tasks: &Tasks, session: Cancel, period: Duration, beats: mpsc::Sender<Beat>) {
        let checks = tasks.clone();
        tasks.spawn(TaskKind::Heartbeat, async move {
            let mut ticks = time::interval_at(time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while session.run(ticks.tick()).await.is_some() {
                let beats = beats.clone();
                // Beside the loop: a session that is busy must not put the next tick off.
                checks.spawn(TaskKind::Heartbeat, async move {
                    // An error says that the session is over.
                    let _ = beats.send(Beat).await;
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(5);

    /// Tasks that are alive after 100 beats, when the session takes one beat in `takes_every`, if any.
    async fn alive(takes_every: Option<Duration>) -> usize {
        let (tasks, session) = (Tasks::default(), Cancel::new());
        let (beats, mut wishes) = mpsc::channel(1);
        SpawnPerTick.start(&tasks, session.clone(), PERIOD, beats);
        let end = time::sleep(100 * PERIOD + PERIOD / 2);
        let taking = async {
            loop {
                match takes_every {
                    Some(every) => time::sleep(every).await,
                    None => std::future::pending().await,
                }
                let _ = wishes.try_recv();
            }
        };
        tokio::select! {
            () = end => {}
            () = taking => {}
        }
        let alive = tasks.alive();
        session.cancel();
        drop(wishes);
        tasks.ended().await;
        alive
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_task_beside_a_session_that_keeps_up_and_one_more_each_tick_beside_a_busy_one() {
        assert_eq!(alive(Some(PERIOD / 5)).await, 1);
        // The first beat has room in the channel.
        assert_eq!(alive(None).await, 1 + 99);
    }
}
