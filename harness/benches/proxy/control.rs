//! How fast the control API answers while 1,000 connections are stalled.
//!
//! It belongs to the command: build that first (`cargo build --release -p watertight-cli`), or name it in `WATERTIGHT_BIN`.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Connections that are stalled.
const STALLED: usize = 1_000;

/// Requests of each kind.
const REQUESTS: usize = 300;

/// Bytes that each stalled connection has sent.
const SENT: [u8; 8 * 1024] = [7; 8 * 1024];

/// Prints the table, or why there is none.
pub fn print(server: SocketAddr) {
    let Some(program) = program() else {
        println!("\ncontrol: not measured; build `watertight` first, or name it in WATERTIGHT_BIN");
        return;
    };
    let (mut proxy, at, control) = start(&program, server);
    let mut api = Api(TcpStream::connect(control).expect("the control API listens"));
    _ = api.0.set_nodelay(true);
    println!("\ncontrol, over HTTP, {REQUESTS} requests each: median and slowest in ms");
    row("no connections", &mut api);
    let stalled: Vec<TcpStream> = (0..STALLED).map(|_| TcpStream::connect(at).expect("connects")).collect();
    api.ask("POST", "/v1/faults", "stall: { link: bench }");
    for mut stream in &stalled {
        stream.write_all(&SENT).expect("the buffer takes it");
    }
    row("1000 stalled", &mut api);
    drop(proxy.stdin.take());
    let pid = rustix::process::Pid::from_child(&proxy);
    _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    _ = proxy.wait();
}

fn row(name: &str, api: &mut Api) {
    let mut took = [(); 3].map(|()| Vec::new());
    for _ in 0..REQUESTS {
        let (added, body) = api.ask("POST", "/v1/faults", "latency: { link: bench, delay: 1ms }");
        let (read, _) = api.ask("GET", "/v1/proxies", "");
        let id: String = body
            .split("\"id\":")
            .nth(1)
            .unwrap_or_default()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let (healed, _) = api.ask("DELETE", &format!("/v1/faults/{id}"), "");
        for (all, one) in took.iter_mut().zip([added, read, healed]) {
            all.push(one);
        }
    }
    let [added, read, healed] = took.map(|mut all| {
        all.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        format!("{:.2} / {:.2}", ms(all[REQUESTS / 2]), ms(all[REQUESTS - 1]))
    });
    println!("{name:<18} add a fault {added}, read figures {read}, heal a fault {healed}");
}

fn program() -> Option<PathBuf> {
    let named = std::env::var_os("WATERTIGHT_BIN").map(PathBuf::from);
    let target = std::env::current_exe().ok()?.parent()?.parent()?.parent()?.to_owned();
    let built = ["release", "debug"].map(|profile| target.join(profile).join("watertight"));
    named.into_iter().chain(built).find(|path| path.is_file())
}

fn start(program: &PathBuf, server: SocketAddr) -> (Child, SocketAddr, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("rig.yaml");
    let text = format!("version: 1\nproxies:\n  bench: {{ listen: 127.0.0.1:0, upstream: '{server}' }}\n");
    std::fs::write(&config, text).expect("a file");
    let mut proxy = Command::new(program)
        .args(["proxy", "--control", "127.0.0.1:0", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(proxy.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut after = |word: &str, end: &str| -> SocketAddr {
        let line = lines.find(|line| line.contains(word)).expect("it says where it listens");
        let rest = line.split(word).nth(1).unwrap_or_default();
        rest.split(end).next().unwrap_or_default().parse().expect("an address")
    };
    let at = after("bench: ", " ");
    let control = after("http://", "/");
    // Its pipe stays open for as long as it lives.
    std::thread::spawn(move || lines.count());
    (proxy, at, control)
}

/// One connection to the control API.
struct Api(TcpStream);

impl Api {
    /// Sends a request and reads its answer: how long that took, and the body.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> (Duration, String) {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        let begin = Instant::now();
        self.0.write_all(format!("{head}{body}").as_bytes()).expect("is heard");
        let (mut answer, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let count = self.0.read(&mut buffer).expect("is answered");
            assert!(count > 0, "the answer is cut short");
            answer.extend_from_slice(&buffer[..count]);
            if let Some(body) = whole(&String::from_utf8_lossy(&answer)) {
                return (begin.elapsed(), body);
            }
        }
    }
}

/// The body of an answer that has arrived whole.
fn whole(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 2"), "{answer}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
    (body.len() >= length).then(|| body.to_owned())
}
