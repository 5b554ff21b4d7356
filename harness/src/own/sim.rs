//! A service of one's own in the simulation: a task on the run's thread, over in-memory streams.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, yield_now};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use watertight_probe::gauges;

use super::order::{Order, hand_over, settings};
use super::{Failure, Net, Own};
use crate::chaos::SimNet;
use crate::scenario::model::PeerSpec;
use crate::world::{BoxFuture, SIM_TARGET_ADDRESS, Setting, SimTarget, WorldError};

/// How long a service may take until it listens, on the simulation's clock.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How often others may run before a service that was killed must have let go of its address.
const YIELDS_MAX: usize = 1000;

/// Starts `T` in sim; `peers` gives the addresses of its server peers ([`sim_addresses`](crate::world::sim_addresses)).
///
/// # Errors
/// It has ended before it was ready, or was not ready in time.
pub async fn start_in_sim<T: Own, P: PeerSpec>(
    setting: Setting<'_, P>,
    net: &SimNet,
    peers: BTreeMap<String, Vec<String>>,
) -> Result<Box<dyn SimTarget>, WorldError> {
    let cannot = |why: String| WorldError::Start { what: T::NAME.to_owned(), why };
    until_let_go(net).await;
    let (net, stop) = (Net::simulated(net, &peers), CancellationToken::new());
    let order = Order::new(&setting, peers);
    let (start, reload) = order.start::<T>(net.clone(), stop.clone()).map_err(WorldError::Unknown)?;
    let mut task = tokio::spawn(T::serve(start));
    tokio::select! {
        biased;
        _ = net.ready() => Ok(Box::new(Target::<T> { task: Some(task), stop, reload })),
        ended = &mut task => Err(cannot(end(ended))),
        () = sleep(READY_WITHIN) => Err(cannot(format!(
            "it has not listened within {READY_WITHIN:?}; if it serves nobody, it must say so (`Net::serves_nobody`)"
        ))),
    }
}

/// A task that was ended lets go of what it holds when it is its turn.
async fn until_let_go(net: &SimNet) {
    for _ in 0..YIELDS_MAX {
        if !net.is_listening(SIM_TARGET_ADDRESS) {
            return;
        }
        yield_now().await;
    }
}

/// The service while it runs. Dropping it drops its future.
struct Target<T: Own> {
    /// `None` once it has ended.
    task: Option<JoinHandle<Result<(), Failure>>>,
    stop: CancellationToken,
    reload: mpsc::Sender<T::Settings>,
}

impl<T: Own> Drop for Target<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<T: Own> SimTarget for Target<T> {
    fn gauges(&self) -> BTreeMap<String, f64> {
        gauges::read()
    }

    fn stop(mut self: Box<Self>) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            self.stop.cancel();
            let Some(task) = &mut self.task else { return Ok(()) };
            match task.await {
                Ok(Ok(())) => Ok(()),
                ended => Err(end(ended)),
            }
        })
    }

    fn reload(&mut self, config: String) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let with: Map<String, Value> =
                serde_json::from_str(&config).map_err(|error| error.to_string())?;
            hand_over(&self.reload, settings::<T>(with)?).await
        })
    }

    fn ended(&mut self) -> Option<String> {
        let task = self.task.take_if(|task| task.is_finished())?;
        task.now_or_never().map(|ended| format!("{}: {}", T::NAME, end(ended)))
    }
}

/// How a service ended, in words.
pub(super) fn end(ended: Result<Result<(), Failure>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "it ended although nobody asked it to".to_owned(),
        Ok(Err(failure)) => failure.to_string(),
        Err(panic) => panic.to_string(),
    }
}
