//! The program `s7-gateway`. It is a function, so that another binary can start itself again in this role.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Config, ConfigError};
use crate::embedding::Embedding;
use crate::gateway::{Gateway, ShutdownError, StartError};
use crate::log::feed::Feed;
use crate::net::TcpNet;
use crate::observe::ProcessVitals;

/// Stopped in order, everything ended.
const CLEAN: u8 = 0;
/// The shutdown's deadline passed before everything had ended.
const UNFINISHED: u8 = 1;
/// A wrong command line or configuration, or no place to listen.
const USAGE: u8 = 2;

/// Polls S7 stations and serves their latest values over HTTP.
#[derive(Debug, Parser)]
#[command(name = "s7-gateway", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration (YAML).
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// The seed of every random wait; two gateways on one network should differ in it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a configuration and says what it would poll.
    CheckConfig {
        /// The configuration (YAML).
        file: PathBuf,
    },
}

/// Runs the program with `args`, the program's name first, until SIGTERM or SIGINT.
///
/// Exit codes: 0 stopped in order, 1 something had not ended at the deadline, 2 wrong usage or configuration.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed stderr must not turn a usage error into a panic.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { CLEAN });
        }
    };
    let code = match (arguments.command, arguments.config) {
        (Some(Command::CheckConfig { file }), _) => check_config(&file),
        (None, Some(file)) => serve(&file, arguments.seed),
        (None, None) => unreachable!("clap requires --config without a subcommand"),
    };
    ExitCode::from(code)
}

fn check_config(file: &Path) -> u8 {
    match Config::load(file) {
        Ok(config) => {
            let tags: usize = config.stations.iter().map(|station| station.tags.len()).sum();
            say(&format!("{}: {} stations, {tags} tags", file.display(), config.stations.len()));
            config.warnings().iter().for_each(|warning| warn_of(warning));
            CLEAN
        }
        Err(error) => complain(&error, USAGE),
    }
}

fn serve(file: &Path, seed: u64) -> u8 {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return complain(&error, USAGE),
    };
    config.warnings().iter().for_each(|warning| warn_of(warning));
    let feed = Feed::default();
    log_to(&feed, &config);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start the runtime: {error}"), USAGE),
    };
    #[cfg(feature = "probe")]
    if let Err(error) = watertight_probe::serve_with(runtime.handle().clone()) {
        return complain(&error, USAGE);
    }
    let code = match runtime.block_on(serve_until_told(file, config, seed, &feed)) {
        Ok(()) => CLEAN,
        Err(Failure::Unfinished(error)) => complain(&error, UNFINISHED),
        Err(error) => complain(&error, USAGE),
    };
    // What would not end has been named; waiting for it here would hide that.
    runtime.shutdown_background();
    code
}

fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all();
    #[cfg(feature = "probe")]
    watertight_probe::tasks::install(&mut builder);
    builder.build()
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Unfinished(#[from] ShutdownError),
}

async fn serve_until_told(file: &Path, mut config: Config, seed: u64, feed: &Feed) -> Result<(), Failure> {
    // Before the first line is out: whoever reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    let net = TcpNet { send_buffer: config.http.send_buffer };
    config.log.get_or_insert_default();
    let embedding = Embedding { vitals: Arc::new(ProcessVitals::start()), ..Embedding::default() };
    let gateway = Gateway::start_with(config, Arc::new(net), seed, embedding).await?;
    gateway.take_lines_of(feed);
    #[cfg(feature = "probe")]
    let _gauges = gateway.register_gauges();
    if let Some(address) = gateway.http_addr() {
        say(&format!("http on http://{address}"));
    }
    say("ready");
    loop {
        tokio::select! {
            biased;
            () = told_to_stop(&mut terminate, &mut interrupt) => break,
            _ = reload.recv() => take_new_config(&gateway, file).await,
        }
    }
    say("stopping");
    Ok(gateway.shutdown().await?)
}

/// Reads the configuration again. One that cannot be taken is said so, and changes nothing.
async fn take_new_config(gateway: &Gateway, file: &Path) {
    let taken = match Config::load(file) {
        Ok(config) => gateway.reload(config).await.map_err(|error| error.to_string()),
        Err(error) => {
            gateway.note_unreadable_config();
            Err(error.to_string())
        }
    };
    match taken {
        Ok(()) => say("reloaded"),
        Err(error) => complain_of_reload(&error),
    }
}

fn complain_of_reload(error: &str) {
    let _ = writeln!(io::stderr().lock(), "s7-gateway: not reloaded, everything goes on as before: {error}");
}

fn warn_of(warning: &str) {
    let _ = writeln!(io::stderr().lock(), "s7-gateway: warning: {warning}");
}

async fn told_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Logs what `RUST_LOG` asks for, sessions lost and found unless it is set; to stderr until the gateway takes it.
fn log_to(feed: &Feed, config: &Config) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let colours = config.log.as_ref().is_none_or(|log| log.file.is_none() && log.collector.is_none());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(feed.clone()).without_time();
    // Another role in this process may have installed its own: that one stays.
    let coloured = colours && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = lines.with_ansi(coloured).try_init();
}

/// Prints a line at once. A reader that has gone away is no reason to stop.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(error: &dyn std::fmt::Display, code: u8) -> u8 {
    let _ = writeln!(io::stderr().lock(), "s7-gateway: {error}");
    code
}
