//! Programs of others, the world that this one lets them play in, and waiting for both with a deadline.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::Instant;
use watertight::scenario::{Overrides, Scenario, parse_bytes};
use watertight::seed::Seed;
use watertight::world::{Announced, BoxStream, Party, Setting, World};
use watertight_scenarios::S7World;
use watertight_scenarios::peers::S7Peer;

/// Long for any of these programs; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that is killed when the test is over.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    /// Starts `command`; its output can be read.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| format!("{command:?}: {error}"))
    }

    /// Its output up to the first line that `is_it`; such a program sets its own deadline, or is ended by the runner's.
    pub fn line(&mut self, is_it: impl Fn(&str) -> bool) -> Result<String, String> {
        let output = self.0.stdout.as_mut().ok_or("its output is not piped")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines
            .find(|line| is_it(line))
            .ok_or_else(|| "it ended without the line that was waited for".to_owned())
    }
}

/// What a program prints that ends by itself.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Tries until it is true.
pub fn until(what: &str, mut is_true: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !is_true()? {
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {PATIENCE:?}"));
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// Serves each connection to a port of loopback, which is given back, as long as the runtime lives.
pub fn listen<F>(
    runtime: &tokio::runtime::Runtime,
    serve: impl Fn(BoxStream) -> F + Send + 'static,
) -> Result<String, String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Box::new(stream)));
        }
    });
    Ok(port.to_string())
}

/// A real server with the clients of this world at it.
pub struct Served {
    /// Where it listens.
    pub port: String,
    runtime: tokio::runtime::Runtime,
    clients: Box<dyn Party>,
    _program: Running,
    _kept: TcpSocket,
    _scratch: tempfile::TempDir,
}

impl Served {
    /// Starts the server peer that `spec` describes, as the process engine does.
    pub fn start(spec: &str) -> Result<Self, String> {
        let scenario = scenario(spec)?;
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        let setting = Setting {
            scenario: &scenario,
            seed: Seed(7),
            pace: 25.0,
            scratch: scratch.path(),
            listen: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let peer = &scenario.world["server"];
        let kept = kept_port().map_err(|error| error.to_string())?;
        let port = kept.local_addr().map_err(|error| error.to_string())?.port();
        let program =
            S7World.server_program(&setting, "server", peer, port).map_err(|error| error.to_string())?;
        let running = Running::start(Command::new(&program.argv[0]).args(&program.argv[1..]))?;
        until("the server accepts", || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        let place =
            S7World.server_place(peer, &Announced::default(), port).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let clients = runtime.block_on(S7World.start_server_client(setting, "server", peer, &place));
        let clients = clients.map_err(|error| error.to_string())?.ok_or("nobody works at the server")?;
        Ok(Self {
            port: port.to_string(),
            runtime,
            clients,
            _program: running,
            _kept: kept,
            _scratch: scratch,
        })
    }

    /// Waits until the clients have counted one of `what`, with `meanwhile` done again and again.
    pub fn until_counted(
        &mut self,
        what: &str,
        mut meanwhile: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let Self { runtime, clients, .. } = self;
        until(what, || {
            meanwhile()?;
            let load = runtime.block_on(clients.load()).map_err(|error| error.to_string())?;
            let found = load.iter().find(|load| load.what == what);
            found.map(|load| load.count > 0).ok_or_else(|| format!("nobody counts {what}"))
        })
    }
}

/// A port that nobody is given, neither to listen nor to connect from, while this lives; a server that allows the reuse of its
/// address may listen on it.
fn kept_port() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(socket)
}

fn scenario(spec: &str) -> Result<Scenario<S7Peer>, String> {
    let text = format!(
        "version: 1\nname: served\nabout: A real server.\nengines: [process]\nseed: 7\ntarget: s7-gateway\n\
         world:\n  plc: {{ s7: {{ count: 1 }} }}\n  server: {spec}\n\
         cycles: {{ warm_up: 5, count: 20 }}\n\
         cycle:\n  - {{ name: steady, for: 2s }}\n  - {{ name: settle, within: 20s, until: {{ sessions: 1 }} }}\n"
    );
    let check = |scenario: &_| S7World.check(scenario);
    let cases = parse_bytes("served.yaml".as_ref(), text.as_bytes(), &Overrides::default(), &check);
    Ok(cases.map_err(|errors| errors.to_string())?.remove(0).scenario)
}
