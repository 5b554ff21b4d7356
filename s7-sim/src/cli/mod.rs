//! The command line of `s7-sim`, callable from another binary that plays the PLC.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use jiff::civil::DateTime;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ConfigError, PlcConfig};
use crate::http::Token;
use crate::plc::Plc;
use crate::profile::PROFILES;
use crate::recorder::RECORDING_BYTES_MAX;
use crate::{http, listener};

mod record;
mod replay;

/// The program did not run as told, or could not start.
const EXIT_FAILED: u8 = 1;
/// The command line or the configuration makes no sense.
const EXIT_USAGE: u8 = 2;

/// A simulated S7 PLC.
#[derive(Debug, Parser)]
#[command(name = "s7-sim", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where a PLC listens; repeat it for several. Port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1102")]
    listen: Vec<SocketAddr>,
    /// How many PLCs, on consecutive ports from the one `--listen`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Connection slots of each PLC
    #[arg(long, value_name = "N")]
    slots: Option<usize>,
    /// Longest PDU that setup agrees to, 240..=960
    #[arg(long, value_name = "BYTES")]
    pdu: Option<u16>,
    /// Most outstanding jobs that setup agrees to
    #[arg(long, value_name = "N")]
    amq: Option<u16>,
    /// From a job to its answer, such as `20ms`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// Where values' chance comes from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Serve /metrics, /stats, /faults and /sessions here
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// A PLC as JSON: limits, data blocks, generators, faults; `profile` in it names a model
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A model: its limits, identity and services
    #[arg(long, value_name = "NAME", conflicts_with = "config", value_parser = PROFILES.map(|(name, _)| name))]
    profile: Option<String>,
    /// What every request to --http must bring as `Authorization: Bearer TOKEN`; beyond loopback there must be one
    #[arg(long, value_name = "TOKEN", env = "S7_SIM_TOKEN", hide_env_values = true, value_parser = Token::new)]
    token: Option<Token>,
    /// Record all sessions as a pcap file; with several PLCs FILE-1, FILE-2 and so on
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How large a recording grows before it stops
    #[arg(long, value_name = "BYTES", default_value_t = RECORDING_BYTES_MAX, requires = "record")]
    record_max: u64,
    /// Worker threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Allow addresses other than loopback: anybody who reaches them can read and write
    #[arg(long)]
    expose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the client's side of a recording against a server and compare its answers
    Replay(replay::ReplayArgs),
}

#[derive(Debug, Error)]
enum CliError {
    #[error(
        "{address} is not a loopback address: give --expose if anybody who reaches it may read and write"
    )]
    Exposed { address: SocketAddr },
    #[error(
        "--http {address} is not a loopback address: give --token or S7_SIM_TOKEN, or whoever reaches it can break the PLC"
    )]
    NoToken { address: SocketAddr },
    #[error("--count {count} needs one --listen, found {found}")]
    CountAndListens { count: u16, found: usize },
    #[error("--count {count} from port {port} goes past port 65535: start lower, or take port 0")]
    Ports { count: u16, port: u16 },
    #[error("cannot read {}: {error}", path.display())]
    ConfigFile { path: PathBuf, error: io::Error },
    #[error("{}:{}:{}: {error}", path.display(), error.line(), error.column())]
    ConfigSyntax { path: PathBuf, error: serde_json::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address}: {error}: {}", advice(error))]
    Listen { address: SocketAddr, error: io::Error },
    #[error("cannot record to {}: {error}", path.display())]
    Record { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Replay(#[from] replay::ReplayCliError),
    #[error("{what}: {error}")]
    Io { what: &'static str, error: io::Error },
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Listen { .. } | Self::Io { .. } | Self::Record { .. } => EXIT_FAILED,
            Self::Replay(error) if !error.is_usage() => EXIT_FAILED,
            _ => EXIT_USAGE,
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "end the program that has the port, choose another, or take port 0",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another",
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
        _ => "choose another address",
    }
}

/// Runs the program with these arguments, the first of them its name, and says how it ended.
///
/// 0: ended by SIGTERM or SIGINT, or replayed without a difference. 1: could not listen, or failed, or a replay differs. 2: bad
/// usage, configuration or recording. Messages go to stderr; the addresses it listens on go to stdout, one line each, as soon as
/// clients can connect.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let ended = match &args.command {
        Some(Command::Replay(args)) => replay::run(args).map_err(CliError::from),
        None => start(&args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("s7-sim: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(args: &Args) -> Result<(), CliError> {
    let addresses = addresses(args)?;
    let plcs = (0..addresses.len()).map(|index| plc(args, index, addresses.len()));
    let plcs = plcs.collect::<Result<Vec<Plc>, CliError>>()?;
    let mut builder = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(usize::from(args.threads)).enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Io { what: "cannot start the runtime", error })?;
    runtime.block_on(serve(&addresses, plcs.into(), args))
}

/// Where each PLC listens.
fn addresses(args: &Args) -> Result<Vec<SocketAddr>, CliError> {
    let listed = args.listen.iter().chain(&args.http);
    if let Some(&address) = listed.into_iter().find(|address| !address.ip().is_loopback())
        && !args.expose
    {
        return Err(CliError::Exposed { address });
    }
    if let Some(address) = args.http.filter(|address| !address.ip().is_loopback())
        && args.token.is_none()
    {
        return Err(CliError::NoToken { address });
    }
    if args.count == 1 {
        return Ok(args.listen.clone());
    }
    let &[first] = args.listen.as_slice() else {
        return Err(CliError::CountAndListens { count: args.count, found: args.listen.len() });
    };
    let port_of = |index| if first.port() == 0 { Some(0) } else { first.port().checked_add(index) };
    let ports = (0..args.count).map(port_of).collect::<Option<Vec<u16>>>();
    let ports = ports.ok_or(CliError::Ports { count: args.count, port: first.port() })?;
    Ok(ports.into_iter().map(|port| SocketAddr::new(first.ip(), port)).collect())
}

/// One PLC, recorded if asked for.
fn plc(args: &Args, index: usize, plcs: usize) -> Result<Plc, CliError> {
    let config = config(args, index, plcs)?;
    config.validate()?;
    let Some(path) = &args.record else { return Ok(Plc::new(config)?) };
    let path = record::path_of(path, index, plcs);
    let recorder = record::recorder(&path, args.record_max);
    Ok(Plc::recorded(config, recorder.map_err(|error| CliError::Record { path, error })?)?)
}

/// The configuration of one PLC: the file's, or the default, with the command line's words on top.
fn config(args: &Args, index: usize, plcs: usize) -> Result<PlcConfig, CliError> {
    let mut config = match (&args.config, &args.profile) {
        (Some(path), _) => read_config(path)?,
        (None, Some(name)) => PlcConfig::of_profile(name).expect("the command line takes known names alone"),
        (None, None) => PlcConfig::default(),
    };
    if config.clock == PlcConfig::default().clock {
        config.clock = system_clock();
    }
    if plcs > 1 {
        config.name = format!("{}-{}", config.name, index + 1);
    }
    // PLCs of one seed would all play the same values.
    config.seed = args.seed.unwrap_or(config.seed).wrapping_add(index as u64);
    config.slots = args.slots.unwrap_or(config.slots);
    config.pdu_length = args.pdu.unwrap_or(config.pdu_length);
    config.amq = args.amq.unwrap_or(config.amq);
    config.faults.answer_delay = args.delay.unwrap_or(config.faults.answer_delay);
    Ok(config)
}

/// The machine's time, as a PLC that was set by hand has it. In the library a clock starts at a fixed time, so that runs are alike.
#[expect(
    clippy::disallowed_methods,
    reason = "a program's PLC shows people's time; nothing is decided by it"
)]
fn system_clock() -> DateTime {
    let now = jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default();
    now.to_zoned(jiff::tz::TimeZone::system()).datetime()
}

fn read_config(path: &Path) -> Result<PlcConfig, CliError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| CliError::ConfigFile { path: path.to_owned(), error })?;
    PlcConfig::from_json(&text).map_err(|error| CliError::ConfigSyntax { path: path.to_owned(), error })
}

async fn serve(addresses: &[SocketAddr], plcs: Arc<[Plc]>, args: &Args) -> Result<(), CliError> {
    let signals = |error| CliError::Io { what: "cannot watch for signals", error };
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let listeners = addresses.iter().map(|&address| bind(address)).collect::<Result<Vec<_>, _>>()?;
    let http = args.http.map(bind).transpose()?;
    announce(&listeners, http.as_ref()).map_err(|error| CliError::Io { what: "cannot say where", error })?;

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    for (plc, listener) in plcs.iter().zip(listeners) {
        tasks.spawn(listener::serve(plc.clone(), listener, stop.clone()));
    }
    if let Some(listener) = http {
        tasks.spawn(http::serve(plcs, listener, args.token.clone(), stop.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    tasks.close();
    // An HTTP client that keeps its connection open is not waited for.
    let _ = tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await;
    Ok(())
}

fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    listener::bind(address).map_err(|error| CliError::Listen { address, error })
}

/// One line for each address, flushed: whoever started this program waits for them.
fn announce(listeners: &[TcpListener], http: Option<&TcpListener>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for listener in listeners {
        writeln!(out, "listening on {}", listener.local_addr()?)?;
    }
    if let Some(listener) = http {
        writeln!(out, "metrics on http://{}/metrics", listener.local_addr()?)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    fn ports(line: &str) -> Result<Vec<u16>, String> {
        let addresses = addresses(&parse(line)).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(SocketAddr::port).collect())
    }

    #[test]
    fn a_count_takes_consecutive_ports_or_free_ones() {
        assert_eq!(ports("s7-sim --listen 127.0.0.1:2000 --count 3"), Ok(vec![2000, 2001, 2002]));
        assert_eq!(ports("s7-sim --listen 127.0.0.1:0 --count 2"), Ok(vec![0, 0]));
        assert_eq!(ports("s7-sim --listen 127.0.0.1:5 --listen 127.0.0.1:9"), Ok(vec![5, 9]));
        let past = ports("s7-sim --listen 127.0.0.1:65535 --count 2").unwrap_err();
        assert_eq!(past, "--count 2 from port 65535 goes past port 65535: start lower, or take port 0");
        let both = ports("s7-sim --listen 127.0.0.1:5 --listen 127.0.0.1:9 --count 2").unwrap_err();
        assert_eq!(both, "--count 2 needs one --listen, found 2");
    }

    #[test]
    fn addresses_beyond_loopback_need_a_word() {
        let refused = ports("s7-sim --listen 0.0.0.0:5").unwrap_err();
        assert!(refused.starts_with("0.0.0.0:5 is not a loopback address"), "{refused}");
        assert!(ports("s7-sim --http 0.0.0.0:5").is_err());
        assert_eq!(ports("s7-sim --listen 0.0.0.0:5 --expose"), Ok(vec![5]));
    }

    #[test]
    fn http_beyond_loopback_needs_a_token() {
        let refused = ports("s7-sim --http 0.0.0.0:5 --expose").unwrap_err();
        assert!(refused.starts_with("--http 0.0.0.0:5 is not a loopback address: give --token"), "{refused}");
        assert!(ports("s7-sim --http 0.0.0.0:5 --expose --token secret").is_ok());
    }

    #[test]
    fn the_command_line_stands_above_the_defaults() {
        let args = parse("s7-sim --slots 3 --pdu 240 --amq 2 --delay 20ms --seed 7");
        let config = config(&args, 1, 2).unwrap();
        assert_eq!((config.name.as_str(), config.slots, config.pdu_length), ("plc-2", 3, 240));
        assert_eq!((config.amq, config.seed), (2, 8));
        assert_eq!(config.faults.answer_delay, Duration::from_millis(20));
    }
}
