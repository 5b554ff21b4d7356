//! The way to the engine, and whether there is one.

use std::fmt::Display;
use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// How long the engine may take to say that it is there.
const PING_WITHIN: Duration = Duration::from_secs(3);

/// What to do about an engine that is not there.
const ADVICE: &str =
    "start one (`ci/docker.sh` does), install it (`apt-get install docker.io`), or name it in DOCKER_HOST";

/// The engine that `DOCKER_HOST` names, or the one where it is by default.
pub(crate) async fn connect() -> io::Result<Docker> {
    let docker = docker_client_instance().await.map_err(failed("find the engine"))?;
    match timeout(PING_WITHIN, docker.ping()).await {
        Ok(answered) => answered.map(|_| docker).map_err(failed("ask the engine")),
        Err(_) => Err(io::Error::other(format!("it says nothing for {PING_WITHIN:?}"))),
    }
}

/// Why there is no engine to be had, with what to do about it; `None`: there is one. Asked once a process.
pub(crate) fn lacks() -> Option<String> {
    static LACKS: OnceLock<Option<String>> = OnceLock::new();
    LACKS
        .get_or_init(|| ping().err().map(|error| format!("needs a Docker engine: {error}; {ADVICE}")))
        .clone()
}

fn ping() -> io::Result<()> {
    aside(async || connect().await.map(drop))
}

/// Asks the engine on a thread of its own: whoever waits for the answer may be inside a runtime.
pub(crate) fn aside<T: Send + 'static>(
    ask: impl AsyncFnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let asked = thread::spawn(|| Builder::new_current_thread().enable_all().build()?.block_on(ask()));
    asked.join().unwrap_or_else(|_| Err(io::Error::other("its client panicked")))
}

/// What could not be done, and what the engine says of it.
pub(crate) fn failed<E: Display>(what: &'static str) -> impl FnOnce(E) -> io::Error {
    move |error| io::Error::other(format!("cannot {what}: {error}"))
}
