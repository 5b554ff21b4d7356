//! A target of one's own with the least code: [`Own`], one function that serves, whatever the engine.
//!
//! A scenario says `target: NAME`. In sim the service runs in the run's own process, over in-memory streams and under the paused clock;
//! in the process engine the same binary starts itself again and serves over TCP, with the probe. Its peers are those that come with the
//! harness ([`OwnPeer`]): clients and servers that say what the scenario has them say, and, for programs, any TCP service. A target
//! whose peers speak a protocol implements [`World`](crate::world::World), and may use [`start_in_sim`] and [`program()`] for its own part.
//!
//! ```no_run
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
//! use tokio_util::net::Listener as _;
//! use watertight::own::{Failure, NoSettings, Own, OwnWorld, Start, Stream, roles};
//!
//! struct Echo;
//!
//! impl Own for Echo {
//!     const NAME: &'static str = "echo";
//!     type Settings = NoSettings;
//!
//!     async fn serve(start: Start<NoSettings>) -> Result<(), Failure> {
//!         let mut listener = start.net.listen().await?;
//!         let mut sessions = tokio::task::JoinSet::new();
//!         loop {
//!             tokio::select! {
//!                 () = start.stop.cancelled() => return Ok(()),
//!                 Some(_) = sessions.join_next() => {}
//!                 accepted = listener.accept() => drop(sessions.spawn(echo(accepted?.0))),
//!             }
//!         }
//!     }
//! }
//!
//! async fn echo(stream: Stream) -> std::io::Result<()> {
//!     let (mut stream, mut line) = (BufStream::new(stream), String::new());
//!     while stream.read_line(&mut line).await? > 0 {
//!         stream.write_all(line.as_bytes()).await?;
//!         stream.flush().await?;
//!         line.clear();
//!     }
//!     Ok(())
//! }
//!
//! // With the crate `watertight-cli` all of `main` is `watertight_cli::own::<Echo>()`; without it, these are the parts of a runner.
//! let world = OwnWorld::<Echo>::default();
//! let (player, roles) = (watertight::engine::WorldPlayer(world), roles::<Echo>());
//! # let _ = (player, roles);
//! ```

mod net;
mod order;
mod peers;
mod program;
mod sim;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

pub use net::{Listener, Net, Stream};
pub use peers::OwnPeer;
pub use program::{TARGET_ROLE, program, roles};
pub use sim::start_in_sim;
pub use world::OwnWorld;

/// Why a service could not go on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A service as a target of scenarios.
pub trait Own: Send + Sync + 'static {
    /// Its name in scenario files: `target: NAME`.
    const NAME: &'static str;

    /// What a scenario may set under `target: { with: .. }`, and what its `reload` changes. Settings that a file leaves out need a
    /// default; [`NoSettings`] for none at all.
    type Settings: DeserializeOwned + Send + 'static;

    /// What is wrong with settings whose types are right, one message each.
    fn check(settings: &Self::Settings) -> Vec<String> {
        let _ = settings;
        Vec::new()
    }

    /// Serves until [`Start::stop`] is cancelled, and then ends in order. When this future ends, or is dropped in the place of a kill, its tasks must
    /// end: what runs on is counted as the target's.
    ///
    /// It is ready once it listens, or says [`Net::serves_nobody`]. Its figures, which `until:` names, are those that it
    /// registers with `watertight_probe::gauges`. If it ends by itself, the run ends and says why.
    fn serve(start: Start<Self::Settings>) -> impl Future<Output = Result<(), Failure>> + Send + 'static;
}

/// What a service is given when it starts.
#[derive(Debug)]
pub struct Start<S> {
    /// How it listens and connects.
    pub net: Net,
    /// What the scenario set.
    pub settings: S,
    /// Settings to take over while it runs: one for each `reload` of the scenario.
    pub reloads: mpsc::Receiver<S>,
    /// For each server peer the addresses of its instances, for [`Net::connect`]: they lead through its link.
    pub peers: BTreeMap<String, Vec<String>>,
    /// The seed of the run: all chance comes from it.
    pub seed: Seed,
    /// How many times faster than written the clock runs.
    pub pace: f64,
    /// Cancelled when it is to end in order.
    pub stop: CancellationToken,
}

impl<S> Start<S> {
    /// `written` at this run's pace: for periods and deadlines that the scenario's times must fit.
    pub fn paced(&self, written: Duration) -> Duration {
        written.div_f64(self.pace)
    }
}

/// No settings: anything under `with:` is an error.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}
