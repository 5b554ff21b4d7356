//! What a service is told to do, as text: the same for a simulation and for a program.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Net, Own, Start};
use crate::scenario::model::PeerSpec;
use crate::seed::Seed;
use crate::world::Setting;

/// What a service starts with, and where to send the settings of a reload.
pub(super) type Started<S> = (Start<S>, mpsc::Sender<S>);

/// What [`Start`] is made of, where it has to pass from one process to another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub with: Map<String, Value>,
    pub peers: BTreeMap<String, Vec<String>>,
    pub seed: u64,
    pub pace: f64,
    pub listen: IpAddr,
}

impl Order {
    pub(super) fn new<P: PeerSpec>(setting: &Setting<'_, P>, peers: BTreeMap<String, Vec<String>>) -> Self {
        Self {
            with: with(setting.scenario.target.with.iter()),
            peers,
            seed: setting.seed.0,
            pace: setting.pace,
            listen: setting.listen,
        }
    }

    /// As JSON.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("maps of strings to JSON can be written as JSON")
    }

    /// What `T` starts with, and where to send the settings of a reload.
    pub(super) fn start<T: Own>(
        self,
        net: Net,
        stop: CancellationToken,
    ) -> Result<Started<T::Settings>, String> {
        let settings = settings::<T>(self.with)?;
        // One that has not been taken yet; the next waits.
        let (reload, reloads) = mpsc::channel(1);
        let (peers, seed, pace) = (self.peers, Seed(self.seed), self.pace);
        Ok((Start { net, settings, reloads, peers, seed, pace, stop }, reload))
    }
}

/// The settings under `with:`.
pub(super) fn with<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> Map<String, Value> {
    entries.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Reads the settings of `T`; else a sentence that says what is wrong.
pub(super) fn settings<T: Own>(with: Map<String, Value>) -> Result<T::Settings, String> {
    serde_json::from_value(Value::Object(with)).map_err(|error| format!("`with` of `{}`: {error}", T::NAME))
}

/// Hands `settings` to a service that runs, and waits until it has taken them.
///
/// # Errors
/// It does not listen to reloads.
pub(super) async fn hand_over<S>(reload: &mpsc::Sender<S>, settings: S) -> Result<(), String> {
    let deaf = || "it has dropped `Start::reloads`".to_owned();
    reload.send(settings).await.map_err(|_| deaf())?;
    // There is room again once it has been taken.
    reload.reserve().await.map(drop).map_err(|_| deaf())
}
