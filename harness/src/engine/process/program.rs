//! Programs that a wall-clock run starts: started without a shell, watched until ready, ended for sure.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::here;
use super::output::{Tail, read_lines};
use crate::census::inside;
use crate::housing::{End, OutOfMemory, Resident};
use crate::timeline::Ended;
use crate::world::{Announced, Program, ReadyWhen};

/// How long a program may take to become ready.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(20);

/// How long a program may take to end once it is killed: the kernel needs a moment, no more.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// How long it may take to learn of the end of a program that has ended.
const ENDED_WITHIN: Duration = Duration::from_secs(2);

/// How long what it printed last may take to be read: a child of it may hold its output open for ever.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// The hidden first argument under which the harness starts a foreign program: see [`exec_role`].
pub const EXEC_ROLE: &str = "__exec";

/// Becomes the program named by `args`, which then dies with the process that started it, however that one dies.
///
/// Returns only if that fails.
pub fn exec_role(mut args: impl Iterator<Item = OsString>) -> std::process::ExitCode {
    use std::os::unix::process::CommandExt;

    let Some(program) = args.next() else {
        eprintln!("{EXEC_ROLE}: expected a program to become");
        return std::process::ExitCode::from(2);
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("{EXEC_ROLE}: cannot tie {} to its parent: {error}", program.display());
    }
    if let Err(error) = hear_signals() {
        eprintln!("{EXEC_ROLE}: {} may be deaf to signals: {error}", program.display());
    }
    let error = std::process::Command::new(&program).args(args).exec();
    eprintln!("cannot start `{}`: {error}", program.display());
    std::process::ExitCode::from(127)
}

/// Has signals do to the next program what they do to any: whoever started the run may have had it ignore some of them, as
/// `nohup` does, and what is ignored stays so in every program after it.
fn hear_signals() -> io::Result<()> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status")?);
    let inherited = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD];
    for signal in inherited.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 1) {
        // What is caught, unlike what is ignored, begins anew with the next program.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// The signals that the process of this `status` ignores, one bit for each, the lowest for signal 1.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// A program that has been started and is ready. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    resident: Box<dyn Resident>,
    pub(super) announced: Announced,
    said: Tail,
    /// What reads its output; they end with it.
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts `program` as a process of this machine, and waits until it is ready.
    pub(super) async fn start(program: &Program) -> Result<Self, Ended> {
        Self::ready(program, here::spawn(program).map(|process| Box::new(process) as Box<dyn Resident>)).await
    }

    /// Waits until `program` is ready, which `started` is meant to be.
    pub(super) async fn ready(
        program: &Program,
        started: io::Result<Box<dyn Resident>>,
    ) -> Result<Self, Ended> {
        let mut resident = started.map_err(|error| never_ready(program, error.to_string()))?;
        let (said, (lines, announced)) = (Tail::default(), mpsc::channel(1));
        let mut readers = Vec::new();
        if let Some([stdout, stderr]) = resident.outputs() {
            let on_stderr = matches!(program.ready, ReadyWhen::Said(_)).then(|| lines.clone());
            let on_stdout =
                matches!(program.ready, ReadyWhen::Said(_) | ReadyWhen::Lines(_)).then_some(lines);
            readers.push(read_lines(stderr, said.clone(), on_stderr));
            readers.push(read_lines(stdout, said.clone(), on_stdout));
        }
        let mut running =
            Self { name: program.name.clone(), resident, announced: Announced::default(), said, readers };
        running.announced = running.until_ready(program, announced).await?;
        Ok(running)
    }

    async fn until_ready(
        &mut self,
        program: &Program,
        mut lines: mpsc::Receiver<String>,
    ) -> Result<Announced, Ended> {
        let deadline = Instant::now() + READY_WITHIN;
        let address = self.resident.address();
        let ready = async {
            match &program.ready {
                ReadyWhen::Started => Some(Announced::default()),
                ReadyWhen::Port(port) => Some(accepts(&SocketAddr::new(address, *port).to_string()).await),
                ReadyWhen::Accepts(place) => Some(accepts(&reached_at(address, place)).await),
                ReadyWhen::Answers(url) => Some(answers(url).await),
                ReadyWhen::Said(text) => said(text, &mut lines).await,
                ReadyWhen::Lines(wanted) => announced(wanted, &mut lines).await,
            }
        };
        tokio::select! {
            biased;
            ready = timeout_at(deadline, ready) => match ready {
                Ok(Some(announced)) => Ok(announced),
                Ok(None) => Err(self.died().await),
                Err(_) => Err(never_ready(program, self.seen_instead(&program.ready))),
            },
            _ = self.resident.wait() => Err(self.died().await),
        }
    }

    /// What was waited for, where the message does not go without saying, and what it said instead.
    fn seen_instead(&self, ready: &ReadyWhen) -> String {
        let waited_for = match ready {
            ReadyWhen::Accepts(address) => format!("nobody accepts connections at {address}; "),
            ReadyWhen::Answers(url) => format!("{url} is not answered with success; "),
            ReadyWhen::Said(text) => format!("no line contains `{text}`; "),
            ReadyWhen::Started | ReadyWhen::Port(_) | ReadyWhen::Lines(_) => String::new(),
        };
        let output = self.said.text();
        let said = if output.is_empty() {
            "it printed nothing".to_owned()
        } else {
            format!("it printed:\n{output}")
        };
        waited_for + &said
    }

    /// The process id on this machine; `None` once it has been reaped.
    pub(super) fn pid(&self) -> Option<u32> {
        self.resident.pid()
    }

    /// Where this machine reaches what it listens on.
    pub(super) fn address(&self) -> IpAddr {
        self.resident.address()
    }

    /// What its house counts of it.
    pub(super) fn gauges(&self) -> BTreeMap<String, f64> {
        self.resident.gauges()
    }

    /// How it ended, if it has.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        let end = self.resident.ended()?;
        Some(self.describe_end(end).await)
    }

    /// Panics that it has told of so far.
    pub(super) fn panics(&self) -> u64 {
        self.said.panics()
    }

    /// How it ended, if that comes out within a moment: whoever hears nothing from it may have asked too early.
    pub(super) async fn ended_by_now(&mut self) -> Option<Ended> {
        let end = timeout(ENDED_WITHIN, self.resident.wait()).await.ok()?.ok()?;
        Some(self.describe_end(end).await)
    }

    /// Waits for its end and says how that was; killed if it does not end by itself.
    async fn died(&mut self) -> Ended {
        match timeout(KILLED_WITHIN, self.resident.wait()).await {
            Ok(Ok(end)) => self.describe_end(end).await,
            Ok(Err(error)) => Ended::TargetDied { how: format!("{}: {error}", self.name) },
            Err(_) => Ended::TargetDied { how: format!("{} closed its output and lives on", self.name) },
        }
    }

    /// Says how that was; what it printed last may still have to be read.
    async fn describe_end(&mut self, end: End) -> Ended {
        let read = async {
            for reader in self.readers.drain(..) {
                let _read = reader.await;
            }
        };
        let _all_read = timeout(LAST_WORDS_WITHIN, read).await;
        let output = self.said.text();
        let said = if output.is_empty() { String::new() } else { format!("; its last words:\n{output}") };
        match end.out_of_memory {
            Some(OutOfMemory { limit_bytes, evidence }) => {
                Ended::OutOfMemory { limit_bytes, evidence: format!("{evidence}{said}") }
            }
            None => Ended::TargetDied { how: format!("{} ended with {}{said}", self.name, end.how) },
        }
    }

    /// Sends `signal` and waits for the end.
    ///
    /// # Errors
    /// A sentence, when it had to be killed because it did not end `within`, or ended with a failure.
    pub(super) async fn stop(self, signal: Signal, within: Duration) -> Result<(), String> {
        let name = self.name.clone();
        match self.end(signal, within).await? {
            end if end.success || signal == Signal::KILL => Ok(()),
            end => Err(format!("{name} ended with {}", end.how)),
        }
    }

    /// Sends `signal` and waits for the end, however that is.
    ///
    /// # Errors
    /// A sentence, when it had to be killed because it did not end `within`.
    pub(super) async fn end(mut self, signal: Signal, within: Duration) -> Result<End, String> {
        self.signal(signal).await;
        // One that stands still does not hear it before it goes on.
        self.signal(Signal::CONT).await;
        match timeout(within, self.resident.wait()).await {
            Ok(Ok(end)) => Ok(end),
            Ok(Err(error)) => Err(format!("{}: {error}", self.name)),
            Err(_) => {
                self.signal(Signal::KILL).await;
                // The verdict stands already; what is left is to reap it.
                let _reaped = timeout(KILLED_WITHIN, self.resident.wait()).await;
                Err(format!("{} did not end within {within:?} of {} and was killed", self.name, name(signal)))
            }
        }
    }

    /// Sends `signal`; `false`: it has ended, and there is nothing left to signal.
    pub(super) async fn signal(&mut self, signal: Signal) -> bool {
        self.resident.signal(signal).await
    }
}

/// The signal's name as a shell knows it.
fn name(signal: Signal) -> String {
    match signal {
        Signal::TERM => "SIGTERM".to_owned(),
        Signal::KILL => "SIGKILL".to_owned(),
        other => format!("signal {}", other.as_raw()),
    }
}

fn never_ready(program: &Program, why: String) -> Ended {
    Ended::NeverReady { within: READY_WITHIN, why: format!("{}: {why}", program.name) }
}

/// For each wanted text the rest of the line that starts with it; `None` when the output ends before all were seen.
async fn announced(wanted: &[String], lines: &mut mpsc::Receiver<String>) -> Option<Announced> {
    let mut rests = vec![None; wanted.len()];
    while rests.iter().any(Option::is_none) {
        let line = lines.recv().await?;
        for (rest, start) in rests.iter_mut().zip(wanted) {
            if rest.is_none() {
                *rest = line.strip_prefix(start.as_str()).map(|rest| rest.trim().to_owned());
                if rest.is_some() {
                    break;
                }
            }
        }
    }
    Some(Announced(rests.into_iter().flatten().collect()))
}

/// How often somebody who starts is asked whether he is ready.
const ASK_PERIOD: Duration = Duration::from_millis(20);

async fn accepts(address: &str) -> Announced {
    while TcpStream::connect(address).await.is_err() {
        sleep(ASK_PERIOD).await;
    }
    Announced::default()
}

async fn answers(url: &str) -> Announced {
    loop {
        let url = url.to_owned();
        if tokio::task::spawn_blocking(move || inside::answers(&url)).await.unwrap_or(false) {
            return Announced::default();
        }
        sleep(ASK_PERIOD).await;
    }
}

/// Waits for a line that contains `text`; `None`: the output ended before.
async fn said(text: &str, lines: &mut mpsc::Receiver<String>) -> Option<Announced> {
    loop {
        if lines.recv().await?.contains(text) {
            return Some(Announced::default());
        }
    }
}

/// Where `place`, as the program says it, is reached when the program itself is at `address`: its loopback is not always ours.
fn reached_at(address: IpAddr, place: &str) -> String {
    match place.parse::<SocketAddr>() {
        Ok(said) if said.ip().is_loopback() => SocketAddr::new(address, said.port()).to_string(),
        _ => place.to_owned(),
    }
}
