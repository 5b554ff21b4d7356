//! Programs that a wall-clock run starts: started without a shell, watched until ready, ended for sure.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::oom::OomKills;
use super::output::{Tail, read_lines};
use crate::census::inside;
use crate::timeline::Ended;
use crate::world::{Announced, Program, ReadyWhen};

/// How long a program may take to become ready.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(20);

/// How long a program may take to end once it is killed: the kernel needs a moment, no more.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

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
    let error = std::process::Command::new(&program).args(args).exec();
    eprintln!("cannot start `{}`: {error}", program.display());
    std::process::ExitCode::from(127)
}

/// A program that has been started and is ready. Dropping it kills it, and what is left of its process group.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
    group: Option<Pid>,
    pub(super) announced: Announced,
    said: Tail,
    oom_kills_before: OomKills,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Whoever has left the group is found when the run is over.
            let _nobody_left = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Running {
    /// Starts `program` and waits until it is ready.
    pub(super) async fn start(program: &Program) -> Result<Self, Ended> {
        let oom_kills_before = OomKills::now();
        let mut child = spawn(program).map_err(|error| never_ready(program, error.to_string()))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (said, (lines, announced)) = (Tail::default(), mpsc::channel(1));
        let on_stderr = matches!(program.ready, ReadyWhen::Said(_)).then(|| lines.clone());
        let on_stdout = matches!(program.ready, ReadyWhen::Said(_) | ReadyWhen::Lines(_)).then_some(lines);
        if let Some(output) = child.stderr.take() {
            read_lines(output, said.clone(), on_stderr);
        }
        if let Some(output) = child.stdout.take() {
            read_lines(output, said.clone(), on_stdout);
        }
        let (name, announcement) = (program.name.clone(), Announced::default());
        let mut running = Self { name, child, group, announced: announcement, said, oom_kills_before };
        running.announced = running.until_ready(program, announced).await?;
        Ok(running)
    }

    async fn until_ready(
        &mut self,
        program: &Program,
        mut lines: mpsc::Receiver<String>,
    ) -> Result<Announced, Ended> {
        let deadline = Instant::now() + READY_WITHIN;
        let ready = async {
            match &program.ready {
                ReadyWhen::Started => Some(Announced::default()),
                ReadyWhen::Port(port) => Some(accepts(&format!("127.0.0.1:{port}")).await),
                ReadyWhen::Accepts(address) => Some(accepts(address).await),
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
            _ = self.child.wait() => Err(self.died().await),
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

    /// The process id; `None` once it has been reaped.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(self.describe_end(status))
    }

    /// Waits for its end and says how that was; killed if it does not end by itself.
    async fn died(&mut self) -> Ended {
        match timeout(KILLED_WITHIN, self.child.wait()).await {
            Ok(Ok(status)) => self.describe_end(status),
            Ok(Err(error)) => Ended::TargetDied { how: format!("{}: {error}", self.name) },
            Err(_) => Ended::TargetDied { how: format!("{} closed its output and lives on", self.name) },
        }
    }

    fn describe_end(&self, status: ExitStatus) -> Ended {
        let output = self.said.text();
        let said = if output.is_empty() { String::new() } else { format!("; its last words:\n{output}") };
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        let by_whom = if killed { format!(", {}", self.oom_kills_before.verdict()) } else { String::new() };
        Ended::TargetDied { how: format!("{} ended with {status}{by_whom}{said}", self.name) }
    }

    /// Sends `signal` and waits for the end.
    ///
    /// # Errors
    /// A sentence, when it had to be killed because it did not end `within`, or ended with a failure.
    pub(super) async fn stop(self, signal: Signal, within: Duration) -> Result<(), String> {
        let name = self.name.clone();
        match self.end(signal, within).await? {
            status if status.success() || signal == Signal::KILL => Ok(()),
            status => Err(format!("{name} ended with {status}")),
        }
    }

    /// Sends `signal` and waits for the end, however that is.
    ///
    /// # Errors
    /// A sentence, when it had to be killed because it did not end `within`.
    pub(super) async fn end(mut self, signal: Signal, within: Duration) -> Result<ExitStatus, String> {
        self.signal(signal);
        // One that stands still does not hear it before it goes on.
        self.signal(Signal::CONT);
        match timeout(within, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(format!("{}: {error}", self.name)),
            Err(_) => {
                self.signal(Signal::KILL);
                // The verdict stands already; what is left is to reap it.
                let _reaped = timeout(KILLED_WITHIN, self.child.wait()).await;
                Err(format!("{} did not end within {within:?} of {} and was killed", self.name, name(signal)))
            }
        }
    }

    /// Sends `signal`; `false`: it has ended, and there is nothing left to signal.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }
}

fn spawn(program: &Program) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg(EXEC_ROLE)
        .args(&program.argv)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: what it starts can be ended with it, and a Ctrl-C is the runner's to handle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
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
