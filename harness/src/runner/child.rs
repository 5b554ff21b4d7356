//! One child process: started, listened to, bounded in time, ended, reaped.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::exit::Exit;
use crate::report::CaseReport;
use crate::runner::message::LINE_BYTES_MAX;
use crate::runner::orphans::Mark;
use crate::runner::{Message, RunRequest, SoakMessage, Stop, roles};

/// How long a child may take to end once it has said its last word.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// How long what is left on standard error is read once the child has ended.
const STDERR_DRAIN: Duration = Duration::from_millis(500);

/// What is kept of standard error: its end.
const STDERR_TAIL_BYTES: usize = 8 * 1024;

/// How often the wish to stop is looked for; no more than a person notices.
const STOP_POLL: Duration = Duration::from_millis(50);

/// How long children may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A child that says nothing for this long is killed and its case is `Inconclusive`.
    pub silence: Duration,
    /// Between SIGTERM and SIGKILL, when the run is stopped.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Self::SILENCE, grace: Self::GRACE }
    }
}

impl Limits {
    /// A simulated cycle takes milliseconds and one on the wall clock minutes: ten minutes without a word is a hang.
    pub const SILENCE: Duration = Duration::from_secs(600);
    /// A simulated cycle ends in that time, and a gateway shuts down in order.
    pub const GRACE: Duration = Duration::from_secs(5);
}

/// What a child says next.
#[derive(Debug)]
pub(super) enum Step {
    /// Any message but the last.
    Message(Message),
    /// It has ended and is reaped.
    Ended(Ending),
}

/// How a child ended, and the end of what it printed on standard error.
#[derive(Debug)]
pub(super) struct Ending {
    pub how: How,
    pub stderr: String,
}

/// How a child ended.
#[derive(Debug)]
pub(super) enum How {
    /// It has judged its case.
    Done(Box<CaseReport>),
    /// It has soaked and told everything.
    Over,
    /// It had nothing to judge.
    Failed { exit: Exit, error: String },
    /// It ended without a last message.
    Crashed(String),
    /// It printed something else than messages, and was killed.
    Garbage(String),
    /// It said nothing for too long, and was killed.
    Hung(Duration),
    /// The run was stopped, and it did not end in time.
    Interrupted,
}

/// A child run. Dropped, it is killed with everything it started.
#[derive(Debug)]
pub(super) struct ChildRun {
    child: Child,
    /// The group that the child leads; what it starts belongs to it.
    group: Pid,
    /// What the programs of the run carry in their environment.
    mark: Mark,
    /// Held open: its end tells the child that the parent is gone.
    #[cfg_attr(not(feature = "store"), expect(dead_code, reason = "only a soak asks for anything"))]
    stdin: ChildStdin,
    lines: Lines,
    stderr: Option<ChildStderr>,
    tail: VecDeque<u8>,
    stop: Stop,
    limits: Limits,
    /// When a child that was asked to stop is killed.
    kill_at: Option<Instant>,
    /// It is reaped, and what it started has ended.
    is_over: bool,
}

impl ChildRun {
    /// Starts this binary again and hands it `request`.
    pub async fn start(request: &RunRequest, limits: Limits, stop: &Stop) -> io::Result<Self> {
        let mark = Mark::new();
        let mut child = command(request, &mark)?.spawn()?;
        let missing = || io::Error::other("the child has no pipes");
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or_else(missing)?;
        let mut stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // A child that is gone already does not read: how it ended says why.
        let _ = stdin.write_all(&line).await;
        let lines = Lines { from: BufReader::new(stdout), partial: Vec::new(), read: 0 };
        let stop = stop.clone();
        Ok(Self {
            child,
            group,
            mark,
            stdin,
            lines,
            stderr,
            tail: VecDeque::new(),
            stop,
            limits,
            kill_at: None,
            is_over: false,
        })
    }

    /// Waits for what the child says next, while keeping to the limits.
    pub async fn next(&mut self) -> Step {
        let silent_at = Instant::now() + self.limits.silence;
        let mut chunk = [0; 1024];
        loop {
            tokio::select! {
                biased;
                () = requested(&self.stop), if self.kill_at.is_none() => self.terminate(),
                () = sleep_until(self.kill_at.unwrap_or(silent_at)), if self.kill_at.is_some() => {
                    return self.out_of_time().await;
                }
                read = read_some(&mut self.stderr, &mut chunk) => keep(&mut self.tail, &chunk[..read]),
                line = self.lines.next() => return self.on_line(line).await,
                // Last: where this process itself stood still, what the child said meanwhile is there to be read.
                () = sleep_until(silent_at), if self.kill_at.is_none() => return self.out_of_time().await,
            }
        }
    }

    /// Asks for a capture, between two cycles.
    #[cfg(feature = "store")]
    pub async fn ask_for_capture(&mut self) {
        // One that has ended takes none: how it ended is what it says next.
        let _ = self.stdin.write_all(&[super::asked::CAPTURE]).await;
    }

    /// Asks it to end, and kills it where it does not in time.
    pub fn terminate(&mut self) {
        self.kill_at = Some(Instant::now() + self.limits.grace);
        // Gone already: its end is read from its pipe.
        let _ = kill_process(self.group, Signal::TERM);
    }

    async fn out_of_time(&mut self) -> Step {
        let how = match self.kill_at {
            Some(_) => How::Interrupted,
            None => How::Hung(self.limits.silence),
        };
        self.kill_group();
        self.end(how).await
    }

    async fn on_line(&mut self, line: io::Result<Option<Vec<u8>>>) -> Step {
        let text = match line {
            Ok(Some(text)) => text,
            Ok(None) => return self.ended_without_word().await,
            Err(error) => return self.garbage(error.to_string()).await,
        };
        match Message::decode(self.lines.read, &text) {
            Ok(Message::Done(report)) => self.end(How::Done(report)).await,
            Ok(Message::Soak(said)) if *said == SoakMessage::Over => self.end(How::Over).await,
            Ok(Message::Failed { exit, error }) => self.end(How::Failed { exit, error }).await,
            Ok(message) => Step::Message(message),
            // A message cut short by a crash has no end of line: the crash is the news.
            Err(_) if !text.ends_with(b"\n") => self.ended_without_word().await,
            Err(garbage) => self.garbage(garbage.to_string()).await,
        }
    }

    async fn garbage(&mut self, what: String) -> Step {
        self.kill_group();
        self.end(How::Garbage(what)).await
    }

    async fn ended_without_word(&mut self) -> Step {
        let how = match self.reap().await {
            _ if self.kill_at.is_some() => How::Interrupted,
            Ok(status) => How::Crashed(describe(status)),
            Err(error) => How::Crashed(format!("cannot be waited for: {error}")),
        };
        self.end(how).await
    }

    /// Reaps the child, ends what it started, reads what is left on its standard error.
    async fn end(&mut self, mut how: How) -> Step {
        let status = self.reap().await;
        self.kill_group();
        self.is_over = true;
        let _ = timeout(STDERR_DRAIN, drain(&mut self.stderr, &mut self.tail)).await;
        if let (How::Done(report), Ok(status)) = (&mut how, status)
            && status.signal().is_some()
        {
            report.notes.push(format!("after its report the child {}", describe(status)));
        }
        let stderr = String::from_utf8_lossy(self.tail.make_contiguous()).trim_end().to_owned();
        Step::Ended(Ending { how, stderr })
    }

    async fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Ok(status) = timeout(EXIT_GRACE, self.child.wait()).await {
            return status;
        }
        self.kill_group();
        self.child.wait().await
    }

    fn kill_group(&self) {
        // No such group: everything in it has ended.
        let _ = kill_process_group(self.group, Signal::KILL);
        // Programs of the run have groups of their own.
        self.mark.end_all(Some(self.group));
    }
}

impl Drop for ChildRun {
    fn drop(&mut self) {
        if !self.is_over {
            self.kill_group();
        }
    }
}

fn command(request: &RunRequest, mark: &Mark) -> io::Result<Command> {
    let (name, value) = mark.variable();
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(roles::RUN)
        .env("WATERTIGHT_HEAP", request.explain.heap_mode())
        .env(name, value)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C reaches the parent alone, which ends its children in order.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// Resolves once `stop` is requested.
pub(super) async fn requested(stop: &Stop) {
    while !stop.is_requested() {
        sleep(STOP_POLL).await;
    }
}

/// Reads a little of standard error; never resolves once that has ended.
async fn read_some(stderr: &mut Option<ChildStderr>, chunk: &mut [u8]) -> usize {
    let Some(from) = stderr else {
        return std::future::pending().await;
    };
    match from.read(chunk).await {
        Ok(read @ 1..) => read,
        _ => {
            *stderr = None;
            0
        }
    }
}

async fn drain(stderr: &mut Option<ChildStderr>, tail: &mut VecDeque<u8>) {
    let mut chunk = [0; 1024];
    while stderr.is_some() {
        let read = read_some(stderr, &mut chunk).await;
        keep(tail, &chunk[..read]);
    }
}

fn keep(tail: &mut VecDeque<u8>, more: &[u8]) {
    tail.extend(more);
    let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES);
    tail.drain(..excess);
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = Signal::from_named_raw(signal).map_or_else(String::new, |name| format!(" ({name:?})"));
            format!("was ended by signal {signal}{name}")
        }
        (None, Some(code)) => format!("exited with code {code} without a report"),
        (None, None) => "ended without a report".to_owned(),
    }
}

/// Lines of bounded length. A call of `next` that is dropped loses nothing.
#[derive(Debug)]
struct Lines {
    from: BufReader<ChildStdout>,
    partial: Vec<u8>,
    /// Lines read so far.
    read: usize,
}

impl Lines {
    /// The next line with its end; the last one may lack it. `None`: the child has closed its output.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let chunk = self.from.fill_buf().await?;
            let (used, whole) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (chunk.len(), chunk.is_empty()),
            };
            self.partial.extend_from_slice(&chunk[..used]);
            self.from.consume(used);
            if self.partial.len() > LINE_BYTES_MAX {
                let line = self.read + 1;
                return Err(io::Error::other(format!(
                    "line {line} of the child's output is longer than {LINE_BYTES_MAX} bytes"
                )));
            }
            if whole {
                self.read += 1;
                return Ok(Some(std::mem::take(&mut self.partial)).filter(|line| !line.is_empty()));
            }
        }
    }
}
