//! A service of one's own as a program: the runner's binary, started again in the role of the target.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use watertight_probe::tasks;

use super::net::Place;
use super::order::{Order, hand_over, settings};
use super::sim::end;
use super::{Failure, Net, Own};
use crate::engine::{EXEC_ROLE, exec_role};
use crate::peers::{SERVER_ROLE, server_role};
use crate::runner::roles::Role;
use crate::scenario::model::PeerSpec;
use crate::world::{Announced, Program, ReadyWhen, Setting, WorldError};

/// The hidden first argument that makes a binary its own target.
pub const TARGET_ROLE: &str = "__target";

/// What the program says once it listens; the address follows.
const LISTENING: &str = "listening at ";

/// What it says in the place of an address, if it serves nobody.
const NOWHERE: &str = "no address";

/// The roles of a binary with the target `T`, for its dispatcher.
pub const fn roles<T: Own>() -> [Role; 3] {
    [
        Role { name: TARGET_ROLE, main: serve::<T> },
        Role { name: SERVER_ROLE, main: server_role },
        Role { name: EXEC_ROLE, main: |args| exec_role(args.into_iter()) },
    ]
}

/// The program that is `T`: this binary again. `peers` gives the address of each server peer's instances.
///
/// # Errors
/// Its orders could not be written into the run's folder.
pub fn program<T: Own, P: PeerSpec>(
    setting: &Setting<'_, P>,
    peers: &BTreeMap<String, Vec<String>>,
) -> Result<Program, WorldError> {
    let path = write_order::<T, P>(setting, peers)?;
    let itself = std::env::current_exe().map_err(|error| cannot::<T>(error.to_string()))?;
    Ok(Program {
        name: T::NAME.to_owned(),
        argv: vec![itself.into(), TARGET_ROLE.into(), path.into()],
        env: Vec::new(),
        ready: ReadyWhen::Lines(vec![LISTENING.to_owned()]),
        has_probe: true,
    })
}

/// Where the program listens, from what it announced.
pub(super) fn place(announced: &Announced) -> Option<String> {
    announced.0.first().filter(|place| *place != NOWHERE).cloned()
}

/// Writes what the program is to do into the run's folder, and says where that is.
pub(super) fn write_order<T: Own, P: PeerSpec>(
    setting: &Setting<'_, P>,
    peers: &BTreeMap<String, Vec<String>>,
) -> Result<PathBuf, WorldError> {
    let path = setting.scratch.join("target.json");
    let written = std::fs::write(&path, Order::new(setting, peers.clone()).text());
    written.map_err(|error| cannot::<T>(format!("{}: {error}", path.display())))?;
    Ok(path)
}

fn cannot<T: Own>(why: String) -> WorldError {
    WorldError::Start { what: T::NAME.to_owned(), why }
}

/// Plays the target until SIGTERM or SIGINT.
fn serve<T: Own>(args: Vec<OsString>) -> ExitCode {
    let [path] = args.as_slice() else {
        eprintln!("{TARGET_ROLE}: expected the file with its orders");
        return ExitCode::from(2);
    };
    match run::<T>(Path::new(path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}: {failure}", T::NAME);
            ExitCode::FAILURE
        }
    }
}

fn run<T: Own>(path: &Path) -> Result<(), Failure> {
    let order = read(path)?;
    let mut builder = Builder::new_multi_thread();
    tasks::install(&mut builder);
    let runtime = builder.enable_all().build()?;
    let _probe = watertight_probe::serve_with(runtime.handle().clone())?;
    let ended = runtime.block_on(until_told::<T>(order, path));
    // What has not ended by now must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn read(path: &Path) -> Result<Order, Failure> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

async fn until_told<T: Own>(order: Order, path: &Path) -> Result<(), Failure> {
    // Before the first line is out: whoever reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (net, stop) = (Net::tcp(order.listen), CancellationToken::new());
    let (start, reload) = order.start::<T>(net.clone(), stop.clone())?;
    let mut service = tokio::spawn(T::serve(start));
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut service => return Err(end(ended).into()),
        never = announced(&net) => match never {},
        never = take_reloads::<T>(&mut hangup, path, &reload) => match never {},
    }
    stop.cancel();
    service.await?
}

/// Hands the settings that stand in `path` to the service, at each SIGHUP.
async fn take_reloads<T: Own>(
    hangup: &mut Signal,
    path: &Path,
    reload: &mpsc::Sender<T::Settings>,
) -> Infallible {
    loop {
        hangup.recv().await;
        let settings = read(path).and_then(|order| Ok(settings::<T>(order.with)?));
        let taken = match settings {
            Ok(settings) => hand_over(reload, settings).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = taken {
            eprintln!("{}: not reloaded: {failure}", T::NAME);
        }
    }
}

/// Says where the service is reached, once it is.
async fn announced(net: &Net) -> Infallible {
    let place = match net.ready().await {
        Place::At(address) => address.to_string(),
        Place::Nowhere => NOWHERE.to_owned(),
    };
    // Whoever started it may not read any more.
    let _ = writeln!(io::stdout(), "{LISTENING}{place}");
    std::future::pending().await
}
