//! Programs that a wall-clock run starts: started without a shell, watched until ready, ended for sure.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncRead;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use crate::scenario::target::Ready;
use crate::timeline::Ended;
use crate::world::{Announced, Program, ReadyWhen};

/// Lines of a program's output kept for the report.
const TAIL_LINES: usize = 20;

/// A line of output longer than this is dropped: a program must not grow the harness.
const LINE_BYTES_MAX: usize = 4096;

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

/// The last lines a program printed.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().expect("no code panics while it holds the tail");
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().expect("no code panics while it holds the tail");
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// A program that has been started and is ready. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
    pub(super) announced: Announced,
    said: Tail,
}

impl Running {
    /// Starts `program` and waits until it is ready.
    pub(super) async fn start(program: &Program) -> Result<Self, Ended> {
        let mut child = spawn(program).map_err(|error| never_ready(program, error.to_string()))?;
        let (said, (lines, announced)) = (Tail::default(), mpsc::channel(1));
        if let Some(output) = child.stderr.take() {
            read_lines(output, said.clone(), None);
        }
        if let Some(output) = child.stdout.take() {
            read_lines(output, said.clone(), Some(lines));
        }
        let mut running = Self { name: program.name.clone(), child, announced: Announced::default(), said };
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
                ReadyWhen::Port(port) => Some(port_accepts(*port).await),
                ReadyWhen::Lines(wanted) => announced(wanted, &mut lines).await,
            }
        };
        tokio::select! {
            biased;
            ready = timeout_at(deadline, ready) => match ready {
                Ok(Some(announced)) => Ok(announced),
                Ok(None) => Err(self.died().await),
                Err(_) => Err(never_ready(program, self.seen_instead())),
            },
            _ = self.child.wait() => Err(self.died().await),
        }
    }

    fn seen_instead(&self) -> String {
        let output = self.said.text();
        if output.is_empty() { "it printed nothing".to_owned() } else { format!("it printed:\n{output}") }
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
        Ended::TargetDied { how: format!("{} ended with {status}{said}", self.name) }
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
                Err(format!("{} did not end within {within:?} of {signal:?} and was killed", self.name))
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
        .kill_on_drop(true)
        .spawn()
}

fn never_ready(program: &Program, why: String) -> Ended {
    Ended::NeverReady { within: READY_WITHIN, why: format!("{}: {why}", program.name) }
}

/// Reads until the program closes its output, at the latest when it ends: it is killed on drop.
fn read_lines(
    output: impl AsyncRead + Send + Unpin + 'static,
    said: Tail,
    announced: Option<mpsc::Sender<String>>,
) {
    tokio::spawn(async move {
        let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => {
                    if let Some(announced) = &announced {
                        // Waits for whoever looks for an announcement; once nobody does, the line is only kept.
                        let _nobody_waits = announced.send(line.clone()).await;
                    }
                    said.push(line);
                }
                // The rest of an overlong line is dropped; the codec goes on with the next one.
                Err(LinesCodecError::MaxLineLengthExceeded) => {}
                Err(LinesCodecError::Io(_)) => return,
            }
        }
    });
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

async fn port_accepts(port: u16) -> Announced {
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    Announced::default()
}

/// A program that a scenario names itself.
pub(super) fn of_command(name: &str, command: &[String], ready: Option<&Ready>) -> Program {
    let ready = match ready {
        Some(Ready::Tcp(port)) => ReadyWhen::Port(*port),
        Some(Ready::Line(text)) => ReadyWhen::Lines(vec![text.clone()]),
        None => ReadyWhen::Started,
    };
    let argv = command.iter().map(OsString::from).collect();
    Program { name: name.to_owned(), argv, env: Vec::new(), ready, has_probe: false }
}
