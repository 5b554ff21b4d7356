//! Simulated PLCs: tasks in sim, a program of their own on the wall clock.

use std::ffi::OsString;
use std::time::Duration;

use s7_sim::config::{DataBlock, PlcConfig};
use s7_sim::generator::{Generator, Signal};
use s7_sim::http::NamedStats;
use s7_sim::stats::PlcStats;
use s7_sim::{Faults, Plc};
use s7_wire::ValueType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use watertight::chaos::sim::{SimListener, SimNet};
use watertight::world::{
    Announced, BoxFuture, Load, Party, Program, ReadyWhen, ServerPlace, Setting, WorldError,
};

use crate::peers::{Plcs, S7Peer};
use crate::roles;

/// Each tag of a simulated PLC has so many bytes of `DB1` to itself.
pub const BYTES_PER_TAG: usize = 8;

/// An answer of `/stats` larger than this is not one.
const STATS_BYTES_MAX: u64 = 64 << 20;

/// How long the PLCs' counters may take to be read.
const STATS_WITHIN: Duration = Duration::from_secs(5);

/// The PLC's configuration, with every time at the run's pace.
fn config(setting: &Setting<'_, S7Peer>, name: String, plcs: &Plcs, ordinal: usize) -> PlcConfig {
    let defaults = PlcConfig::default();
    PlcConfig {
        seed: setting.seed.stream(&name, ordinal as u64).0,
        name,
        slots: plcs.slots,
        pdu_length: plcs.pdu,
        scan: setting.paced(plcs.scan.0),
        handshake_timeout: setting.paced(defaults.handshake_timeout),
        idle_timeout: setting.paced(plcs.idle.0),
        data_blocks: vec![data_block(plcs.tags)],
        faults: Faults { answer_delay: setting.paced(plcs.delay.0), ..Faults::default() },
        ..defaults
    }
}

/// `DB1` with a value of changing type for each tag, as the gateway's configuration names them.
fn data_block(tags: usize) -> DataBlock {
    let generators = (0..tags).map(|n| {
        let at = n * BYTES_PER_TAG;
        let random = Signal::Random { min: 0.0, max: 100.0 };
        match n % 4 {
            0 => Generator::new(at, ValueType::Int, Signal::Counter { start: 0, step: 1 }),
            1 => {
                let sine = Signal::Sine { amplitude: 10.0, period: Duration::from_secs(60), offset: 20.0 };
                Generator::new(at, ValueType::Real, sine)
            }
            2 => Generator::new(at, ValueType::Dint, random),
            _ => Generator::new(at, ValueType::Bool, random),
        }
    });
    DataBlock { number: 1, bytes: (tags * BYTES_PER_TAG).max(1), generators: generators.collect() }
}

fn refused(name: &str, error: impl std::fmt::Display) -> WorldError {
    WorldError::Start { what: name.to_owned(), why: error.to_string() }
}

/// PLCs that run as tasks; they end when this is dropped.
pub struct SimPlcs {
    plcs: Vec<Plc>,
    _cancel: DropGuard,
}

impl SimPlcs {
    /// Starts the PLCs of the peer `name`, each at its address.
    pub fn start(
        setting: &Setting<'_, S7Peer>,
        net: &SimNet,
        name: &str,
        plcs: &Plcs,
        address: impl Fn(usize) -> String,
    ) -> Result<Self, WorldError> {
        let cancel = CancellationToken::new();
        let mut running = Vec::new();
        for ordinal in 0..plcs.count {
            let plc = Plc::new(config(setting, format!("{name}-{ordinal}"), plcs, ordinal))
                .map_err(|error| refused(name, error))?;
            let listener = net
                .listen(watertight::world::SIM_WORLD_PARTY, &address(ordinal))
                .map_err(|error| refused(name, error))?;
            spawn(accept(plc.clone(), listener, cancel.clone()));
            running.push(plc);
        }
        Ok(Self { plcs: running, _cancel: cancel.drop_guard() })
    }
}

/// The task ends with the token that [`SimPlcs`] holds.
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

async fn accept(plc: Plc, listener: SimListener, cancel: CancellationToken) {
    let sessions = TaskTracker::new();
    while let Some(Ok(stream)) = cancel.run_until_cancelled(listener.accept()).await {
        let (plc, cancel) = (plc.clone(), cancel.clone());
        sessions.spawn(async move {
            // How a session ends is in the PLC's counters.
            let _end = cancel.run_until_cancelled(plc.serve(stream)).await;
        });
    }
}

impl Party for SimPlcs {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        let load = load(self.plcs.iter().map(Plc::stats));
        Box::pin(async { Ok(load) })
    }
}

/// What must have landed on PLCs for a run to say anything: each of them was asked in every cycle.
fn load(stats: impl ExactSizeIterator<Item = PlcStats>) -> Vec<Load> {
    let plcs = stats.len() as u64;
    let (requests, errors, slots) = stats.fold((0, 0, 0), |(requests, errors, slots), stats| {
        (requests + stats.requests, errors + stats.protocol_errors, stats.sessions_peak.max(slots))
    });
    vec![
        Load { what: "requests answered", count: requests, at_least_per_cycle: plcs, at_most: None },
        Load { what: "requests that made no sense", count: errors, at_least_per_cycle: 0, at_most: None },
        // The audit takes off what it was after warm-up: a service that keeps its connections for itself shows here.
        Load {
            what: "slots of one in use at most, above warm-up",
            count: slots,
            at_least_per_cycle: 0,
            at_most: None,
        },
    ]
}

/// The program that plays the PLCs of the peer `name`: this binary in another role.
pub fn program(setting: &Setting<'_, S7Peer>, name: &str, plcs: &Plcs) -> Result<Program, WorldError> {
    let path = setting.scratch.join(format!("{name}.json"));
    let config = config(setting, name.to_owned(), plcs, 0);
    let text = serde_json::to_vec(&config).map_err(|error| refused(name, error))?;
    std::fs::write(&path, text).map_err(|error| refused(name, error))?;
    let mut argv = roles::argv(roles::PLC).map_err(|error| refused(name, error))?;
    argv.extend(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--count"].map(OsString::from));
    argv.extend([plcs.count.to_string().into(), "--config".into(), path.into()]);
    let mut ready = vec!["listening on ".to_owned(); plcs.count];
    ready.push("metrics on ".to_owned());
    Ok(Program {
        name: name.to_owned(),
        argv,
        env: Vec::new(),
        ready: ReadyWhen::Lines(ready),
        has_probe: false,
    })
}

/// Where the PLCs listen, from what their program announced: one line each, then their counters.
pub fn place(announced: &Announced) -> Result<ServerPlace, WorldError> {
    let missing = || refused("plc", "its program announced no address for its counters");
    let (stats, instances) = announced.0.split_last().ok_or_else(missing)?;
    let stats = stats.strip_prefix("http://").and_then(|url| url.split('/').next()).ok_or_else(missing)?;
    Ok(ServerPlace { instances: instances.to_vec(), stats: Some(stats.to_owned()) })
}

/// Reads the load of PLCs that run as a program.
pub async fn read_load(place: &ServerPlace) -> Result<Vec<Load>, WorldError> {
    let failed = |why: String| WorldError::Figures { what: "plc".to_owned(), why };
    let Some(stats) = &place.stats else { return Ok(Vec::new()) };
    let answer = tokio::time::timeout(STATS_WITHIN, get(stats, "/stats"))
        .await
        .map_err(|_| failed(format!("no answer within {STATS_WITHIN:?}")))?
        .map_err(|error| failed(error.to_string()))?;
    let named: Vec<NamedStats> = serde_json::from_str(&answer).map_err(|error| failed(error.to_string()))?;
    Ok(load(named.iter().map(|named| named.stats)))
}

/// The body of `path` at `address`; HTTP/1.0, so that the end of the body is the end of the stream.
async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(STATS_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_shows_the_most_slots_that_one_plc_had_in_use() {
        let peaks = [2, 5, 3].map(|sessions_peak| PlcStats { sessions_peak, ..PlcStats::default() });
        let load = load(peaks.into_iter());
        let slots = load.iter().find(|load| load.what.starts_with("slots")).expect("among the load");
        assert_eq!((slots.count, slots.at_least_per_cycle, slots.at_most), (5, 0, None));
    }
}
