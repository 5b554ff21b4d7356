//! A TCP server that says what a scenario has it say: what a target connects to, in sim and, as a program, on the wall clock.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::net::Listener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::chaos::SimNet;
use crate::scenario::model::PeerSpec;
use crate::units::Time;
use crate::world::{
    Announced, BoxFuture, Load, Party, Program, ReadyWhen, SIM_WORLD_PARTY, ServerPlace, Setting, Stream,
    WorldError,
};

/// The hidden first argument that makes a binary such a server.
pub const SERVER_ROLE: &str = "__tcp_server";

/// Bytes of a line that is read: a target must not grow the harness.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What the program says of each instance; its address follows.
const LISTENING: &str = "listening at ";

/// How long nothing is accepted after an error, such as no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Servers that the target connects to. They read lines, and answer each as stands here; a line that nothing stands for ends the connection.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct TcpServers {
    /// How many.
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 1_000))]
    pub count: usize,
    /// Lines that each new connection hears.
    #[serde(default)]
    #[garde(skip)]
    pub hello: Vec<String>,
    /// Answers: the first whose `to` a line begins with.
    #[garde(length(min = 1), dive)]
    pub answers: Vec<Answer>,
    /// How long each answer takes.
    #[serde(default = "no_time")]
    #[garde(skip)]
    pub delay: Time,
    /// What ends a line that is said.
    #[serde(default = "newline")]
    #[garde(skip)]
    pub newline: String,
}

/// What is said to lines of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct Answer {
    /// How such a line begins; nothing, and it is any line.
    pub to: String,
    /// The lines to say.
    pub say: Vec<String>,
}

impl TcpServers {
    /// What `line` is answered with; `None`: the connection ends.
    fn answer(&self, line: &str) -> Option<String> {
        self.answers.iter().find(|answer| line.starts_with(&answer.to)).map(|answer| self.lines(&answer.say))
    }

    fn lines(&self, lines: &[String]) -> String {
        lines.iter().flat_map(|line| [line, &self.newline]).map(String::as_str).collect()
    }

    /// The program that plays them: this binary again, in the role [`server_role`]. It answers at the run's pace.
    ///
    /// # Errors
    /// The system does not say where this binary is.
    pub fn program<P: PeerSpec>(&self, setting: &Setting<'_, P>, name: &str) -> Result<Program, WorldError> {
        let cannot = |why: String| WorldError::Start { what: name.to_owned(), why };
        let itself = std::env::current_exe().map_err(|error| cannot(error.to_string()))?;
        let spec = Self { delay: Time(setting.paced(self.delay.0)), ..self.clone() };
        let spec = serde_json::to_string(&spec).map_err(|error| cannot(error.to_string()))?;
        Ok(Program {
            name: name.to_owned(),
            argv: vec![itself.into(), SERVER_ROLE.into(), spec.into()],
            env: Vec::new(),
            ready: ReadyWhen::Lines(vec![LISTENING.to_owned(); self.count]),
            has_probe: false,
        })
    }

    /// Where its program listens, from what it announced.
    pub fn place(&self, announced: &Announced) -> ServerPlace {
        ServerPlace { instances: announced.0.clone(), stats: None }
    }
}

/// Starts the servers `spec` in sim, at `addresses`; they end when what this gives back is dropped.
///
/// # Errors
/// Somebody listens there already.
pub fn start_servers(
    spec: &TcpServers,
    net: &SimNet,
    name: &str,
    addresses: impl IntoIterator<Item = String>,
) -> Result<Box<dyn Party>, WorldError> {
    let cancel = CancellationToken::new();
    let servers = Arc::new(Shared { spec: spec.clone(), answered: AtomicU64::new(0) });
    for address in addresses {
        let listener = net.listen(SIM_WORLD_PARTY, &address);
        let listener =
            listener.map_err(|error| WorldError::Start { what: name.to_owned(), why: error.to_string() })?;
        let (servers, cancel) = (Arc::clone(&servers), cancel.clone());
        tokio::spawn(async move { cancel.run_until_cancelled_owned(serve(listener, servers)).await });
    }
    Ok(Box::new(Servers { servers, _cancel: cancel.drop_guard() }))
}

/// What all instances share.
#[derive(Debug)]
struct Shared {
    spec: TcpServers,
    answered: AtomicU64,
}

struct Servers {
    servers: Arc<Shared>,
    _cancel: DropGuard,
}

impl Party for Servers {
    fn load(&mut self) -> BoxFuture<'_, Result<Vec<Load>, WorldError>> {
        let count = self.servers.answered.load(Relaxed);
        let load = Load { what: "lines answered", count, at_least_per_cycle: 1, at_most: None };
        Box::pin(async { Ok(vec![load]) })
    }
}

/// Serves whoever connects, until it is dropped.
async fn serve<L: Listener<Io: Send + Unpin + 'static>>(mut listener: L, servers: Arc<Shared>) -> Infallible {
    let mut sessions = JoinSet::new();
    // watertight: allow(loop-without-cancel): the `JoinSet` that it is spawned into ends it, or whoever drops the party
    loop {
        tokio::select! {
            biased;
            Some(_ended) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(sessions.spawn(session(stream, Arc::clone(&servers)))),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Answers one connection until it ends, or says what nothing stands for.
async fn session(stream: impl Stream, servers: Arc<Shared>) -> io::Result<()> {
    let (spec, mut stream) = (&servers.spec, BufStream::new(stream));
    stream.write_all(spec.lines(&spec.hello).as_bytes()).await?;
    stream.flush().await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        let Some(answer) =
            line.ends_with(b"\n").then(|| spec.answer(&String::from_utf8_lossy(&line))).flatten()
        else {
            return Ok(());
        };
        if spec.delay.0 > Duration::ZERO {
            sleep(spec.delay.0).await;
        }
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        servers.answered.fetch_add(1, Relaxed);
    }
}

/// Plays the servers that the only argument describes, until it is ended.
pub fn server_role(args: Vec<OsString>) -> ExitCode {
    let spec = args.first().and_then(|spec| serde_json::from_str(spec.to_str()?).ok());
    let Some(spec) = spec else {
        eprintln!("{SERVER_ROLE}: expected what it shall say, as JSON");
        return ExitCode::from(2);
    };
    match play(spec) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{SERVER_ROLE}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(spec: TcpServers) -> io::Result<Infallible> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (count, servers) = (spec.count, Arc::new(Shared { spec, answered: AtomicU64::new(0) }));
        let mut instances = JoinSet::new();
        for _ in 0..count {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            writeln!(io::stdout(), "{LISTENING}{}", listener.local_addr()?)?;
            instances.spawn(serve(listener, Arc::clone(&servers)));
        }
        instances.join_next().await;
        Err(io::Error::other("a server has ended"))
    })
}

fn one() -> usize {
    1
}

fn no_time() -> Time {
    Time(Duration::ZERO)
}

fn newline() -> String {
    "\n".to_owned()
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn servers() -> Arc<Shared> {
        let spec = serde_json::json!({
            "hello": ["220 ready"],
            "answers": [{ "to": "GET ", "say": ["VALUE", "1"] }, { "to": "PING", "say": ["PONG"] }],
            "newline": "\r\n",
        });
        let spec = serde_json::from_value(spec).expect("it is well formed");
        Arc::new(Shared { spec, answered: AtomicU64::new(0) })
    }

    #[tokio::test]
    async fn lines_are_answered_until_one_is_not_known() {
        let ((near, mut far), servers) = (duplex(1024), servers());
        far.write_all(b"PING\r\nGET k\r\nQUIT\r\nPING\r\n").await.expect("there is room");
        session(near, Arc::clone(&servers)).await.expect("it reads to the line it does not know");
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.expect("it has been closed");
        assert_eq!(heard, "220 ready\r\nPONG\r\nVALUE\r\n1\r\n");
        assert_eq!(servers.answered.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn a_line_without_end_ends_the_connection() {
        let ((near, mut far), servers) = (duplex(1024), servers());
        far.write_all(b"PING").await.expect("there is room");
        far.shutdown().await.expect("it is open");
        session(near, Arc::clone(&servers)).await.expect("the end of input is no error");
        assert_eq!(servers.answered.load(Relaxed), 0);
    }
}
