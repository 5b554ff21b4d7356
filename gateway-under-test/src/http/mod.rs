//! The HTTP side: connections accepted within a limit, each with its deadlines, over whatever network there is.

mod connection;
mod events;
mod json;
mod metrics;
mod patience;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

use crate::gateway::Shared;
use crate::net::Listener;
use crate::tasks::TaskKind;

/// The wait after a failed accept: without it, a process out of file descriptors would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Starts the accept loop.
pub fn start(shared: &Arc<Shared>, listener: Box<dyn Listener>) {
    shared.tasks.spawn(TaskKind::Accept, accept_until_stopped(Arc::clone(shared), listener));
}

async fn accept_until_stopped(shared: Arc<Shared>, listener: Box<dyn Listener>) {
    let stop = shared.stop.accepting.clone();
    let _ = stop.run_until_cancelled(accept_all(shared, listener)).await;
}

async fn accept_all(shared: Arc<Shared>, mut listener: Box<dyn Listener>) {
    let router = routes::router(&shared);
    let places = Arc::new(Semaphore::new(shared.config.http.max_connections));
    loop {
        // The place first: a connection that cannot be served waits in the network's queue, not in our memory.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        shared.meters.http_accepted.up();
        let serving = connection::serve(Arc::clone(&shared), router.clone(), stream, peer);
        shared.tasks.spawn(TaskKind::Connection, async move {
            serving.await;
            drop(place);
        });
    }
}
