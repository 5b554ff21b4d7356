//! The child's side: reads one request, plays it, tells its parent.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::os::fd::AsFd;

use tempfile::TempDir;
use watertight_probe::heap;

use crate::engine::network::{self, Entered};
use crate::exit::Exit;
use crate::report::CaseReport;
use crate::runner::{Asked, Explain, Message, RunRequest, SoakMessage, Stop};

/// Bytes collected before a message goes out; a longer one goes out in pieces. Held for the whole run, so that telling a
/// cycle neither takes nor frees heap while the heap is counted.
const OUT_BYTES: usize = 64 * 1024;

/// The longest request that is read.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;

/// Plays one case in this process: the engines implement it for a world.
pub trait Player: Sync {
    /// Plays what is asked for and judges it.
    ///
    /// Tells each cycle through `out` as soon as it has settled. Once `stop` is requested it ends at the next good moment,
    /// with what has been measured and [`crate::timeline::Ended::Interrupted`].
    fn play(
        &self,
        request: &RunRequest,
        stop: &Stop,
        out: &mut dyn FnMut(Message),
    ) -> Result<CaseReport, PlayError>;

    /// Plays what is asked for until [`RunRequest::soak`] says that it is over, and tells everything that is to be judged.
    ///
    /// Begins with [`SoakMessage::Ground`]; `asked` is looked at between cycles. Holds nothing that grows with the run.
    fn soak(
        &self,
        request: &RunRequest,
        stop: &Stop,
        asked: &Asked,
        out: &mut dyn FnMut(Message),
    ) -> Result<(), PlayError> {
        let _ = (stop, asked, out);
        Err(PlayError::Usage(format!("{}: this world plays no soaks", request.file.display())))
    }
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The scenario cannot be played as asked: a file that does not validate, an unknown case, an unknown target.
    #[error("{0}")]
    Usage(String),
    /// The harness failed: a port in use, no temporary folder.
    #[error("{0}")]
    Harness(String),
}

impl PlayError {
    /// The code a case ends with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Harness(_) => Exit::Harness,
        }
    }
}

/// A child run, from the request on standard input to the last message.
///
/// The exit code is the case's, for those who start a child by hand; the parent goes by the last message.
pub(super) fn serve(player: &dyn Player) -> Exit {
    match open().and_then(|opened| play(player, opened)) {
        Ok(exit) => exit,
        // Standard error is the one place left: standard output is what failed.
        Err(error) => {
            let _ = writeln!(io::stderr(), "child run: {error}");
            Exit::Harness
        }
    }
}

/// A child that is ready to play.
struct Opened {
    request: RunRequest,
    /// The network that it has got, or why it has none.
    network: Result<Entered, String>,
    ends: (Stop, Asked),
    out: BufWriter<File>,
}

fn open() -> io::Result<Opened> {
    let out = take_stdout()?;
    let request = read_request(&mut io::stdin().lock())?;
    // While this thread is the only one.
    let network = network::enter(request.network);
    Ok(Opened { request, network, ends: Stop::on_parent()?, out })
}

/// Takes standard output for messages alone: what the target prints goes to standard error from here on.
fn take_stdout() -> io::Result<BufWriter<File>> {
    let out = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(BufWriter::with_capacity(OUT_BYTES, File::from(out)))
}

fn read_request(input: &mut impl BufRead) -> io::Result<RunRequest> {
    let mut line = String::new();
    io::Read::take(input, REQUEST_BYTES_MAX).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(|error| io::Error::other(format!("the request is none: {error}")))
}

/// Starts the second witness, if the request asks for it; it counts from here on. The folder holds its profile where the
/// request names no file, and is to be kept until the end.
fn witness(explain: &Explain) -> io::Result<Option<TempDir>> {
    match explain {
        Explain::Sites => Ok(None),
        Explain::Dhat { json: Some(json) } => {
            heap::start_dhat(json);
            Ok(None)
        }
        Explain::Dhat { json: None } => {
            let folder = tempfile::tempdir()?;
            heap::start_dhat(&folder.path().join("dhat.json"));
            Ok(Some(folder))
        }
    }
}

fn play(player: &dyn Player, opened: Opened) -> io::Result<Exit> {
    let Opened { request, network, ends: (stop, asked), out } = opened;
    let _profile = witness(&request.explain)?;
    let mut teller = Teller { out, cycles: 0, broken: None };
    if let Err(error) = network {
        let exit = Exit::Harness;
        teller.tell(&Message::Failed { exit, error });
        return teller.broken.map_or(Ok(exit), Err);
    }
    let mut out = |message| {
        teller.tell(&message);
        if teller.broken.is_some() {
            stop.request();
        }
    };
    if request.soak.is_some() {
        let (exit, last) = match player.soak(&request, &stop, &asked, &mut out) {
            Ok(()) => (Exit::Clean, SoakMessage::Over.into()),
            Err(error) => (error.exit(), Message::Failed { exit: error.exit(), error: error.to_string() }),
        };
        teller.tell(&last);
        return teller.broken.map_or(Ok(exit), Err);
    }
    let played = player.play(&request, &stop, &mut out);
    // The engine has asked it already, unless it does not know how to.
    heap::finish_dhat();
    let (exit, last) = match played {
        Ok(report) => (report.exit, Message::Done(Box::new(teller.without_told_cycles(report)))),
        Err(error) => (error.exit(), Message::Failed { exit: error.exit(), error: error.to_string() }),
    };
    teller.tell(&last);
    teller.broken.map_or(Ok(exit), Err)
}

struct Teller {
    out: BufWriter<File>,
    /// Cycles told so far.
    cycles: usize,
    /// The first write that failed; nothing is told after it.
    broken: Option<io::Error>,
}

impl Teller {
    fn tell(&mut self, message: &Message) {
        if self.broken.is_some() {
            return;
        }
        self.cycles += usize::from(matches!(message, Message::Cycle(_)));
        let told = serde_json::to_writer(&mut self.out, message).map_err(io::Error::from);
        self.broken = told.and_then(|()| self.out.write_all(b"\n")).and_then(|()| self.out.flush()).err();
    }

    /// The parent has the cycles already, one message each; it puts them back.
    fn without_told_cycles(&self, mut report: CaseReport) -> CaseReport {
        if report.timeline.cycles.len() == self.cycles {
            report.timeline.cycles.clear();
        }
        report
    }
}
