//! `proxy`: the chaos proxy by itself, with a control API.

mod api;
mod guard;
mod listener;
mod problem;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use watertight::chaos::rig::{Rig, RigFile};
use watertight::exit::Exit;
use watertight::scenario::Look;

use crate::proxy::guard::Token;
use crate::screen;

const EXAMPLES: &str = "\
Example of a file:
  version: 1
  proxies:
    plc: { listen: 127.0.0.1:10102, upstream: 127.0.0.1:102 }
  faults:
    - latency: { link: plc, delay: 50ms, jitter: 20ms }
    - flap: { link: plc, up: 20s, down: 2s, mode: reset }

Control, with --control 127.0.0.1:8474:
  curl 127.0.0.1:8474/v1/proxies
  curl 127.0.0.1:8474/v1/faults -d 'stall: { link: plc, for: 5s }'
  curl 127.0.0.1:8474/v1/faults/3 -X DELETE

harness/PROXY.md has all of it.";

/// The arguments of `proxy`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Proxies, and the faults that are at work from the first connection on
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Serve the control API here; beyond loopback only with --token-file
    #[arg(long, value_name = "ADDR")]
    control: Option<SocketAddr>,
    /// Ask every request of the control API for the bearer token that this file holds
    #[arg(long, value_name = "FILE", requires = "control")]
    token_file: Option<PathBuf>,
}

/// How long an orderly end may take.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Runs until it is told to end.
pub fn proxy(args: &Args) -> Exit {
    let file = match RigFile::read(&args.config) {
        Ok(file) => file,
        Err(errors) => {
            screen::err(&errors.render(Look::Detect));
            return Exit::Usage;
        }
    };
    let token = match args.token() {
        Ok(token) => token,
        Err(error) => return fail(Exit::Usage, &error),
    };
    allow_descriptors();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Harness, &format!("cannot start a runtime: {error}")),
    };
    let exit = runtime.block_on(run(args.control, token, &file));
    runtime.shutdown_timeout(END_WITHIN);
    exit
}

impl Args {
    /// The token, if one is asked for; an API that others can reach must ask for one.
    fn token(&self) -> Result<Option<Token>, String> {
        match (&self.token_file, self.control) {
            (Some(path), _) => read_token(path).map(Some),
            (None, Some(at)) if !at.ip().is_loopback() => Err(format!(
                "--control {at} can be reached from other machines: give --token-file, or an address of loopback"
            )),
            _ => Ok(None),
        }
    }
}

fn read_token(path: &Path) -> Result<Token, String> {
    let place = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {place}: {error}"))?;
    Token::new(text.trim()).map_err(|error| format!("{place}: {error}"))
}

fn fail(exit: Exit, error: &str) -> Exit {
    screen::err(&format!("error: {error}"));
    exit
}

/// A connection takes two descriptors, and many machines allow 1,024.
fn allow_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it may not be raised, what there is must do.
    _ = setrlimit(Resource::Nofile, limit);
}

async fn run(control: Option<SocketAddr>, token: Option<Token>, file: &RigFile) -> Exit {
    // Before the first line is out: whoever reads it may send a signal at once.
    let stopped = match stopped() {
        Ok(stopped) => stopped,
        Err(error) => return fail(Exit::Harness, &format!("cannot listen for signals: {error}")),
    };
    let rig = match Rig::start(file).await {
        Ok(rig) => Arc::new(rig),
        Err(errors) => {
            errors.iter().for_each(|error| screen::err(&format!("error: {error}")));
            return Exit::Harness;
        }
    };
    let listener = match control {
        None => None,
        Some(at) => match TcpListener::bind(at).await {
            Ok(listener) => Some(listener),
            Err(error) => {
                return fail(Exit::Harness, &format!("cannot serve the control API at {at}: {error}"));
            }
        },
    };
    announce(&rig, listener.as_ref().and_then(|listener| listener.local_addr().ok()));
    match listener {
        Some(listener) => serve(listener, Arc::clone(&rig), token, stopped).await,
        None => stopped.await,
    }
    let all: u64 = rig.proxies().iter().map(|proxy| proxy.counters.connections_opened).sum();
    if tokio::time::timeout(END_WITHIN, rig.shutdown()).await.is_err() {
        return fail(Exit::Harness, "tasks are left that do not end");
    }
    screen::out(&format!("ended after {all} connections"))
}

/// Says where everything listens: what is started by a script is read by it.
fn announce(rig: &Rig, control: Option<SocketAddr>) {
    for proxy in rig.proxies() {
        screen::out(&format!("proxy {}: {} -> {}", proxy.name, proxy.listen, proxy.upstream));
    }
    if let Some(at) = control {
        screen::out(&format!("control: http://{at}/v1"));
    }
    screen::out(&format!("ready, {} faults", rig.faults().len()));
}

async fn serve(
    listener: TcpListener,
    rig: Arc<Rig>,
    token: Option<Token>,
    stopped: impl Future<Output = ()>,
) {
    let served = axum::serve(listener::Bounded::new(listener), api::router(rig, token));
    // A request under way may be answered or not: whoever ends the proxy does not wait for it.
    tokio::select! {
        _ = served => {}
        () = stopped => {}
    }
}

/// Resolves when the process is told to end, from now on: Ctrl-C, or SIGTERM.
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
