//! The HTTP side: connections accepted within a limit, each with its deadlines, over whatever network there is.

mod accept;
mod body;
mod connection;
mod credentials;
#[cfg(feature = "probe")]
mod debug;
mod events;
mod gate;
pub mod headcount;
mod json;
pub mod pace;
mod patience;
pub mod reception;
mod refusal;
mod routes;
mod websocket;
mod writes;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::credentials::{CredentialError, Credentials};
use self::headcount::Headcount;
use crate::config::{HttpConfig, is_loopback};
use crate::net::Listener;
use crate::shared::{Shared, Stop};
use crate::tasks::TaskKind;

/// The HTTP side of a gateway, as configured once; a new configuration starts a new one.
pub struct HttpSide {
    shared: Arc<Shared>,
    config: HttpConfig,
    /// Those of the last reload.
    credentials: Mutex<Arc<Credentials>>,
    /// Whether only this machine can connect.
    loopback: bool,
    /// Ends it, before or with the gateway.
    stop: Stop,
    connections: Arc<dyn Headcount>,
}

/// An HTTP side that runs.
pub struct Running {
    side: Arc<HttpSide>,
    addr: String,
    /// Gives the listener back when no more connections are accepted.
    listener: oneshot::Receiver<Box<dyn Listener>>,
}

/// Starts the accept loop.
pub fn start(
    shared: &Arc<Shared>,
    config: HttpConfig,
    credentials: Credentials,
    listener: Box<dyn Listener>,
) -> Running {
    let (give_back, given_back) = oneshot::channel();
    let addr = listener.local_addr();
    let side = Arc::new(HttpSide {
        shared: Arc::clone(shared),
        config,
        credentials: Mutex::new(Arc::new(credentials)),
        loopback: is_loopback(&addr),
        stop: shared.stop.child(),
        connections: shared.parts.headcount.open(&shared.tasks),
    });
    shared.tasks.spawn(TaskKind::Accept, accept::until_stopped(Arc::clone(&side), listener, give_back));
    Running { side, addr, listener: given_back }
}

impl HttpSide {
    /// What opens the gate, and how the next connection is secured.
    fn credentials(&self) -> Arc<Credentials> {
        Arc::clone(&self.credentials.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Running {
    /// Takes what was read from its files anew. Connections that are there stay as they are secured.
    pub fn renew(&self, credentials: Credentials) {
        let credentials = Arc::new(credentials);
        let mut kept = self.side.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = credentials;
    }

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
        let Self(side) = self;
        side.connections.see_out(patience, side.stop.connections.clone()).await;
    }
}
