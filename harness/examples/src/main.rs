//! `watertight` for the key-value server: all the code that playing scenarios with it takes.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use watertight::own::{Failure, Own, Start};
use watertight::units::Time;
use watertight_examples::kv::{self, Kv};
use watertight_examples::leak::Leak;
use watertight_probe::gauges;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

/// The target.
struct KvServer;

/// What a scenario may set under `target: { with: .. }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    ttl: Time,
    patience: Time,
    leak: Option<Leak>,
}

impl Default for With {
    fn default() -> Self {
        Self { ttl: Time(Duration::from_secs(10)), patience: Time(Duration::from_secs(5)), leak: None }
    }
}

impl Own for KvServer {
    const NAME: &'static str = "kv";
    type Settings = With;

    async fn serve(mut start: Start<With>) -> Result<(), Failure> {
        let kv = Kv::new(settings(&start.settings, start.pace));
        let listener = start.net.listen().await?;
        let seen = Arc::clone(&kv);
        let _sessions = gauges::register("sessions", move || seen.sessions() as f64);
        let mut served = pin!(kv::serve(Arc::clone(&kv), listener, start.stop.cancelled_owned()));
        loop {
            tokio::select! {
                () = &mut served => return Ok(()),
                Some(with) = start.reloads.recv() => kv.configure(settings(&with, start.pace)),
            }
        }
    }
}

/// The server's settings, with its times at the run's pace.
fn settings(with: &With, pace: f64) -> kv::Settings {
    let (ttl, patience) = (with.ttl.0.div_f64(pace), with.patience.0.div_f64(pace));
    kv::Settings { ttl, patience, leak: with.leak }
}

fn main() -> ExitCode {
    watertight_cli::own::<KvServer>()
}
