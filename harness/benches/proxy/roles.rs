//! The processes of the measurement: this binary, started again with a role.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use watertight::chaos::{Fault, Link, Proxy, Side};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;
use watertight::units::Size;

/// The variable that holds a process's role.
pub const ROLE: &str = "PROXY_BENCH_ROLE";

/// The variable that holds the server's address.
const UPSTREAM: &str = "PROXY_BENCH_UPSTREAM";

/// What a connection is for: its first byte.
pub mod purpose {
    /// Every byte comes back.
    pub const ECHO: u8 = b'e';
    /// Everything is read; at its end comes the number of bytes.
    pub const SINK: u8 = b's';
    /// One byte comes back, then the end.
    pub const GREET: u8 = b'g';
}

/// A role at work; it ends when its standard input does.
pub struct Child {
    process: std::process::Child,
    pub at: SocketAddr,
}

impl Child {
    pub fn start(role: &str, upstream: Option<SocketAddr>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("an executable"));
        command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(upstream) = upstream {
            command.env(UPSTREAM, upstream.to_string());
        }
        let mut process = command.spawn().expect("starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("says where it listens");
        Self { process, at: line.trim().parse().expect("an address") }
    }

    /// Resident memory.
    pub fn rss_kib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}

/// Raises the soft limit of open descriptors as far as it goes.
pub fn allow_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the hard limit allows it");
}

pub fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

pub fn play(role: &str) {
    allow_descriptors();
    let runtime = runtime();
    let upstream = || std::env::var(UPSTREAM).ok().and_then(|at| at.parse().ok()).expect("an upstream");
    match role {
        "server" => _ = runtime.spawn(serve()),
        "naive" => _ = runtime.spawn(copy(upstream())),
        "chaos" => _ = runtime.spawn(chaos(upstream(), LinkSpec::default(), false)),
        "chaos-toxic" => _ = runtime.spawn(chaos(upstream(), LinkSpec::default(), true)),
        "chaos-wide" => {
            let spec = LinkSpec { buffer: Some(Size(1 << 20)), latency: None };
            _ = runtime.spawn(chaos(upstream(), spec, false));
        }
        other => panic!("no role `{other}`"),
    }
    _ = std::io::stdin().read_to_end(&mut Vec::new());
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    announce(listener.local_addr().expect("an address"));
    listener
}

fn announce(addr: SocketAddr) {
    println!("{addr}");
    _ = std::io::stdout().flush();
}

async fn serve() {
    let listener = listen().await;
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        tokio::spawn(attend(stream));
    }
}

async fn attend(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match stream.read_u8().await? {
        purpose::GREET => stream.write_all(b"!").await,
        purpose::SINK => {
            let (mut buffer, mut count) = (vec![0; 256 * 1024], 0);
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return stream.write_u64(count).await,
                    more => count += more as u64,
                }
            }
        }
        _ => {
            let mut buffer = [0; 4096];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return Ok(()),
                    count => stream.write_all(&buffer[..count]).await?,
                }
            }
        }
    }
}

/// What everybody writes first.
async fn copy(upstream: SocketAddr) {
    let listener = listen().await;
    loop {
        let (mut client, _) = listener.accept().await.expect("accepts");
        tokio::spawn(async move {
            let mut server = TcpStream::connect(upstream).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

async fn chaos(upstream: SocketAddr, spec: LinkSpec, with_toxic: bool) {
    let link = Link::new("bench", &spec, Side::Server);
    if with_toxic {
        let fault = "coalesce: { link: bench, within: 1h, bytes: 1B }";
        let fault: Fault = serde_saphyr::from_str(fault).expect("a fault");
        link.apply(fault.id(0, Seed(7)), &fault);
    }
    let proxy = Proxy::start(([127, 0, 0, 1], 0).into(), upstream, link).await.expect("a port");
    announce(proxy.addr());
    std::future::pending::<()>().await;
}
