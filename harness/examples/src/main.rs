//! `watertight` for the key-value server: all the code that playing scenarios with it takes.

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
        Self { ttl: Time(Duration::from_secs(10)), patience: Time(Duration::from_secs(15)), leak: None }
    }
}

impl Own for KvServer {
    const NAME: &'static str = "kv";
    type Settings = With;

    async fn serve(start: Start<With>) -> Result<(), Failure> {
        let With { ttl, patience, leak } = start.settings;
        let (ttl, patience) = (start.paced(ttl.0), start.paced(patience.0));
        let kv = Kv::new(kv::Settings { ttl, patience, leak });
        let listener = start.net.listen().await?;
        let seen = Arc::clone(&kv);
        let _sessions = gauges::register("sessions", move || seen.sessions() as f64);
        kv::serve(kv, listener, start.stop.cancelled_owned()).await;
        Ok(())
    }
}

fn main() -> ExitCode {
    watertight_cli::own::<KvServer>()
}
