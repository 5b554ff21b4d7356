//! Services of one's own that do not do what a target should, and one that is a client of its peers.
//!
//! Each test plays `polls.yaml` with a service that does what the settings say. This binary is runner and target, as `kv` is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use watertight::engine::WorldPlayer;
use watertight::exit::Exit;
use watertight::own::{Failure, Net, Own, OwnWorld, Start, roles};
use watertight::report::CaseReport;
use watertight::report::terminal::{self, Look};
use watertight::runner::{
    Engines, Options, Selection, Stop, WorldLibrary, play_one, roles::dispatch, select,
};
use watertight::scenario::model::EngineKind;
use watertight_probe::gauges;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

/// Columns of a report: nothing that is looked for is broken.
const WIDTH: usize = 400;

/// A service that does as its settings say.
struct Service;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct With {
    does: Does,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Does {
    /// Asks each server of `db` again and again.
    Polls,
    /// Fails before it is ready.
    Fails,
    /// Neither listens nor says that it serves nobody.
    KeepsSilent,
    /// Is ready, and ends a while later.
    Ends,
    /// The same, by a panic.
    Panics,
    /// Asks for somebody who is not there.
    Strays,
}

impl Own for Service {
    const NAME: &'static str = "service";
    type Settings = With;

    async fn serve(start: Start<With>) -> Result<(), Failure> {
        match start.settings.does {
            Does::Polls => polls(start).await,
            Does::Fails => return Err("no disk".into()),
            Does::KeepsSilent => start.stop.cancelled().await,
            Does::Ends => {
                start.net.serves_nobody();
                sleep(Duration::from_secs(3)).await;
                return Err("the disk is full".into());
            }
            Does::Panics => {
                start.net.serves_nobody();
                sleep(Duration::from_secs(3)).await;
                panic!("on purpose");
            }
            Does::Strays => drop(start.net.connect("nowhere:1").await?),
        }
        Ok(())
    }
}

async fn polls(start: Start<With>) {
    start.net.serves_nobody();
    let connected = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&connected);
    let _connected = gauges::register("connected", move || seen.load(Relaxed) as f64);
    let (period, pause) = (start.paced(Duration::from_millis(250)), start.paced(Duration::from_millis(500)));
    let mut polls = JoinSet::new();
    for address in start.peers.into_values().flatten() {
        let (net, connected) = (start.net.clone(), Arc::clone(&connected));
        polls.spawn(async move {
            loop {
                let _ended = poll(&net, &address, period, &connected).await;
                sleep(pause).await;
            }
        });
    }
    start.stop.cancelled().await;
}

/// How long an answer is waited for, at any pace: a machine that has much else to do answers no sooner. So it is in sim alone
/// that the black hole outlasts it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks until it is not answered in time or not as it should be.
async fn poll(net: &Net, address: &str, period: Duration, connected: &AtomicUsize) -> Result<(), Failure> {
    let mut stream = BufStream::new(timeout(PATIENCE, net.connect(address)).await??);
    expect(&mut stream, "READY").await?;
    connected.fetch_add(1, Relaxed);
    let ended = ask(&mut stream, period).await;
    connected.fetch_sub(1, Relaxed);
    ended
}

async fn ask(stream: &mut BufStream<watertight::own::Stream>, period: Duration) -> Result<(), Failure> {
    loop {
        stream.write_all(b"GET x\n").await?;
        stream.flush().await?;
        expect(stream, "VALUE").await?;
        expect(stream, "1").await?;
        sleep(period).await;
    }
}

async fn expect(stream: &mut BufStream<watertight::own::Stream>, wanted: &str) -> Result<(), Failure> {
    let mut line = String::new();
    timeout(PATIENCE, stream.read_line(&mut line)).await??;
    if line.trim_end() == wanted { Ok(()) } else { Err(format!("expected {wanted}, found {line}").into()) }
}

fn world() -> OwnWorld<Service> {
    OwnWorld::default()
}

/// The service that polls, in a scenario that has it reload.
const DEAF: &str = "polls_and_is_told_to_reload";

/// What the service does, in which engine, how that ends, and what is said.
const TESTS: [(&str, EngineKind, Exit, &[&str]); 11] = [
    ("polls", EngineKind::Sim, Exit::Clean, &["nothing grows over 20 cycles"]),
    ("polls", EngineKind::Process, Exit::Clean, &["clean"]),
    // It holds on to its reloads and never looks at them.
    (DEAF, EngineKind::Sim, Exit::Inconclusive, &["told to reload, it did not"]),
    ("fails", EngineKind::Sim, Exit::Harness, &["cannot start service: no disk"]),
    ("fails", EngineKind::Process, Exit::Inconclusive, &["no disk"]),
    ("keeps_silent", EngineKind::Sim, Exit::Harness, &["it has not listened within 20s"]),
    ("ends", EngineKind::Sim, Exit::Inconclusive, &["service: the disk is full"]),
    ("ends", EngineKind::Process, Exit::Inconclusive, &["the disk is full"]),
    ("panics", EngineKind::Sim, Exit::Leak, &["1 panics, at most 0 allowed", "on purpose"]),
    ("panics", EngineKind::Process, Exit::Leak, &["1 panics, at most 0 allowed", "on purpose"]),
    ("strays", EngineKind::Sim, Exit::Harness, &["no peer at `nowhere:1`; there are: db-0:1, db-1:1"]),
];

fn main() -> ExitCode {
    if let Some(exit) = dispatch(&roles::<Service>(), &WorldPlayer(world())) {
        return exit;
    }
    let trials = TESTS.map(|(does, engine, exit, said)| {
        Trial::test(format!("{}::{does}", engine.name()), move || played(does, engine, exit, said))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn played(does: &str, engine: EngineKind, exit: Exit, said: &[&str]) -> Result<(), Failed> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/polls.yaml");
    let set = match does {
        DEAF => ("cycle.0.faults.1", "{ reload: { at: 4s } }"),
        does => ("target.with.does", does),
    };
    let overrides = vec![(set.0.to_owned(), set.1.to_owned())];
    let (ended, text) = outcome(file, overrides, engine)?;
    let missing: Vec<&&str> = said.iter().filter(|said| !text.contains(**said)).collect();
    if ended != exit || !missing.is_empty() {
        return Err(format!("expected {exit:?} and {said:?}, found {ended:?}:\n{text}").into());
    }
    Ok(())
}

/// How the case ends, and what is said of it.
fn outcome(
    file: PathBuf,
    overrides: Vec<(String, String)>,
    engine: EngineKind,
) -> Result<(Exit, String), Failed> {
    let engines = Engines::Only([engine].into());
    let selection =
        Selection { paths: vec![file], engines, overrides: overrides.clone(), ..Selection::default() };
    let jobs = select(&WorldLibrary(world()), &selection)?;
    let job = jobs.first().ok_or("the scenario has this engine")?;
    let options = Options { overrides, ..Options::default() };
    let report: CaseReport = play_one(job, &options.request(job), &options, &Stop::never())?;
    Ok((report.exit, terminal::block(&report, Look::plain(WIDTH))))
}
