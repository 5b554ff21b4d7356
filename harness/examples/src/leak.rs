//! Two leaks that are built into the server on purpose, and chosen by its settings.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::interval;

/// Which leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leak {
    /// A task for each connection that does not end with it.
    Heartbeat,
    /// The place of a session that watches a key outlives it.
    Watcher,
}

/// Ticks for ever: nobody keeps its handle, nothing cancels it.
pub fn heartbeat() {
    tokio::spawn(async {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
    });
}
