//! The HTTP side: connections accepted within a limit, each with its deadlines, over whatever network there is.

mod connection;
mod events;
mod json;
mod patience;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::config::HttpConfig;
use crate::net::Listener;
use crate::shared::{Shared, Stop};
use crate::tasks::TaskKind;

/// The wait after a failed accept: without it, a process out of file descriptors would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The HTTP side of a gateway, as configured once; a new configuration starts a new one.
pub struct HttpSide {
    shared: Arc<Shared>,
    config: HttpConfig,
    /// Ends it, before or with the gateway.
    stop: Stop,
    connections: TaskTracker,
}

/// An HTTP side that runs.
pub struct Running {
    side: Arc<HttpSide>,
    addr: String,
    /// Gives the listener back when no more connections are accepted.
    listener: oneshot::Receiver<Box<dyn Listener>>,
}

/// Starts the accept loop.
pub fn start(shared: &Arc<Shared>, config: HttpConfig, listener: Box<dyn Listener>) -> Running {
    let (give_back, given_back) = oneshot::channel();
    let addr = listener.local_addr();
    let side = Arc::new(HttpSide {
        shared: Arc::clone(shared),
        config,
        stop: shared.stop.child(),
        connections: TaskTracker::new(),
    });
    shared.tasks.spawn(TaskKind::Accept, accept_until_stopped(Arc::clone(&side), listener, give_back));
    Running { side, addr, listener: given_back }
}

impl Running {
    /// What it was configured with.
    pub fn config(&self) -> &HttpConfig {
        &self.side.config
    }

    /// Where it listens, with the port the network chose.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Accepts no more connections. The place where it listened is handed on without being closed in between: whoever
    /// connects meanwhile waits in the network's queue.
    pub async fn stop_accepting(self) -> (Option<Box<dyn Listener>>, Draining) {
        self.side.stop.accepting.cancel();
        (self.listener.await.ok(), Draining(self.side))
    }
}

/// An HTTP side whose last connections are still there.
pub struct Draining(Arc<HttpSide>);

impl Draining {
    /// Waits for the connections to end by themselves, closes those that are left after `patience`, and waits for these.
    pub async fn drain(self, patience: Duration) {
        let connections = &self.0.connections;
        connections.close();
        if timeout(patience, connections.wait()).await.is_err() {
            self.0.stop.connections.cancel();
            connections.wait().await;
        }
    }
}

async fn accept_until_stopped(
    side: Arc<HttpSide>,
    mut listener: Box<dyn Listener>,
    give_back: oneshot::Sender<Box<dyn Listener>>,
) {
    let stop = side.stop.accepting.clone();
    let _ = stop.run_until_cancelled(accept_all(side, &mut listener)).await;
    // Nobody takes it back when the whole gateway stops.
    let _ = give_back.send(listener);
}

async fn accept_all(side: Arc<HttpSide>, listener: &mut Box<dyn Listener>) {
    let router = routes::router(&side);
    let places = Arc::new(Semaphore::new(side.config.max_connections));
    let shared = &side.shared;
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
        let serving = connection::serve(Arc::clone(&side), router.clone(), stream, peer);
        let serving = side.connections.track_future(serving);
        shared.tasks.spawn(TaskKind::Connection, async move {
            serving.await;
            drop(place);
        });
    }
}
