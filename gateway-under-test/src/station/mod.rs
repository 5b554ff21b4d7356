//! One station: its session is set up, kept, and set up again after a wait when it has ended.

use std::sync::Arc;

use crate::gateway::Shared;
use crate::tasks::TaskKind;

/// Starts a supervisor per station.
pub fn start_all(shared: &Arc<Shared>) {
    for station in 0..shared.config.stations.len() {
        shared.tasks.spawn(TaskKind::Station, supervise(Arc::clone(shared), station));
    }
}

async fn supervise(shared: Arc<Shared>, station: usize) {
    let config = &shared.config.stations[station];
    let stop = shared.stop.sessions.child_token();
    let connecting = shared.net.connect(&config.address);
    let _ = stop.run_until_cancelled(connecting).await;
    stop.cancelled().await;
}
