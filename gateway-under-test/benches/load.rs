//! What a gateway costs: 100 stations of 100 tags each second over loopback TCP (processor, memory, age of values), and the
//! price of the probe with sites and tenants (polls for one second of the processor, with it and without, in turns).
//!
//! Each gateway and the PLCs are processes of their own: this program, started again.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures wall-clock time")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gateway_under_test::buffers::{Buffers, PlainBuffers, PooledBuffers};
use watertight_probe::heap;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const STATIONS: usize = 100;
const TAGS: usize = 100;
/// How long each gateway is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// Turns of each kind when the cost of the probe is measured.
const TURNS: usize = 3;
/// An event of 100 tags.
const EVENT_BYTES: usize = 8 * 1024;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    match args.get(1).and_then(|role| role.to_str()) {
        Some("__plc") => {
            args.remove(1);
            return s7_sim::cli::run(args);
        }
        Some("__gateway") => {
            args.remove(1);
            return gateway_under_test::cli::run(args);
        }
        _ => {}
    }
    let folder = tempfile::tempdir().expect("a folder for configurations");
    let plcs = Plcs::start();
    each_second(&plcs, folder.path());
    cost_of_the_probe(&plcs, folder.path());
    buffers();
    ExitCode::SUCCESS
}

fn each_second(plcs: &Plcs, folder: &std::path::Path) {
    let config = plcs.config(folder, "1s");
    let gateway = Gateway::start(&config, "sites");
    gateway.until_online();
    let before = gateway.cpu();
    let mut ages = Vec::new();
    let began = Instant::now();
    while began.elapsed() < WATCHED {
        std::thread::sleep(Duration::from_millis(330));
        ages.extend(gateway.ages());
    }
    let cpu = (gateway.cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64();
    ages.sort_unstable();
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize];
    println!(
        "{STATIONS} stations x {TAGS} tags each second, TCP: {:.1} % of a core, {:.1} MiB resident, \
         age of values p50 {} ms, p99 {} ms, max {} ms",
        cpu * 100.0,
        gateway.rss_bytes() as f64 / (1 << 20) as f64,
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

/// Polls as fast as it goes; with and without take turns, so that a busy machine slows both.
fn cost_of_the_probe(plcs: &Plcs, folder: &std::path::Path) {
    let config = plcs.config(folder, "5ms");
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        with.push(polls_per_cpu_second(&config, "sites"));
        without.push(polls_per_cpu_second(&config, "off"));
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (with, without) = (median(&mut with), median(&mut without));
    println!(
        "polls of {TAGS} tags for one second of the processor: {with:.0} with sites and tenants, {without:.0} without: \
         {:.1} % lower",
        (1.0 - with / without) * 100.0
    );
}

fn polls_per_cpu_second(config: &str, heap: &str) -> f64 {
    let gateway = Gateway::start(config, heap);
    gateway.until_online();
    let (cpu, polls) = (gateway.cpu(), gateway.metric("s7_gateway_polls_total"));
    std::thread::sleep(WATCHED / 2);
    let (cpu, polls) = (gateway.cpu() - cpu, gateway.metric("s7_gateway_polls_total") - polls);
    polls / cpu.as_secs_f64()
}

/// Rate, and bytes that are allocated for each event, of pooled and of plain buffers.
fn buffers() {
    let (pooled, plain) = (PooledBuffers::default(), PlainBuffers);
    let kinds: [(&str, &dyn Buffers); 2] = [("pooled", &pooled), ("plain", &plain)];
    for (name, buffers) in kinds {
        let events = 200_000;
        let (began, before) = (Instant::now(), heap::total());
        for _ in 0..events {
            let mut buffer = buffers.take(EVENT_BYTES);
            buffer.resize(EVENT_BYTES, 7);
            std::hint::black_box(buffers.share(buffer));
        }
        let (took, after) = (began.elapsed(), heap::total());
        let allocated = after.zip(before).map_or(0, |(after, before)| after.bytes - before.bytes);
        println!(
            "events of {EVENT_BYTES} bytes in {name} buffers: {:.2} million a second, {} bytes allocated for each",
            events as f64 / took.as_secs_f64() / 1e6,
            allocated / events
        );
    }
}

/// This program in another role.
fn role(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(name).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The rest of the next line that begins with `text`.
fn line_after(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    loop {
        let line = lines.next().expect("the program goes on").expect("a line of text");
        if let Some(rest) = line.strip_prefix(text) {
            return rest.to_owned();
        }
    }
}

struct Plcs {
    process: Child,
    addresses: Vec<String>,
}

impl Plcs {
    fn start() -> Self {
        let mut command = role("__plc");
        command.args(["--listen", "127.0.0.1:0", "--count", &STATIONS.to_string()]);
        let mut process = command.spawn().expect("this program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let addresses = (0..STATIONS).map(|_| line_after(&mut lines, "listening on ")).collect();
        Self { process, addresses }
    }

    fn config(&self, folder: &std::path::Path, interval: &str) -> String {
        let mut text = "http: { listen: '127.0.0.1:0' }\nstations:\n".to_owned();
        for (number, address) in self.addresses.iter().enumerate() {
            let tags: Vec<String> = (0..TAGS)
                .map(|tag| format!("{{ name: t{tag}, db: 2, offset: {}, type: word }}", tag * 4))
                .collect();
            writeln!(
                text,
                "  - {{ name: plc-{number}, address: '{address}', interval: {interval}, tags: [{}] }}",
                tags.join(", ")
            )
            .expect("a string takes every write");
        }
        let path = folder.join(format!("{interval}.yaml"));
        std::fs::write(&path, text).expect("a configuration is written");
        path.display().to_string()
    }
}

impl Drop for Plcs {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    process.kill().expect("our own process");
    process.wait().expect("our own process");
}

struct Gateway {
    process: Child,
    http: String,
}

impl Gateway {
    fn start(config: &str, heap: &str) -> Self {
        let mut command = role("__gateway");
        command.args(["--config", config]).env("WATERTIGHT_HEAP", heap);
        let mut process = command.spawn().expect("this program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let http = line_after(&mut lines, "http on http://");
        Self { process, http }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).expect("the gateway listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.split_once("\r\n\r\n").expect("head and body").1.to_owned()
    }

    fn metric(&self, name: &str) -> f64 {
        let metrics = self.get("/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_else(|| panic!("no metric {name}"))
    }

    fn until_online(&self) {
        while self.metric("s7_gateway_sessions ") < STATIONS as f64 {
            std::thread::sleep(Duration::from_millis(100));
        }
        // Whoever came last has polled once; now all are in their rhythm.
        std::thread::sleep(Duration::from_secs(2));
    }

    /// The age of every value, in milliseconds.
    fn ages(&self) -> Vec<u64> {
        let values: serde_json::Value = serde_json::from_str(&self.get("/values")).expect("JSON");
        let stations = values.as_object().expect("stations");
        let tags = stations.values().flat_map(|station| station.as_object().expect("tags").values());
        tags.map(|tag| tag["age_ms"].as_u64().expect("it was read")).collect()
    }

    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it lives");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    fn rss_bytes(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.process.id())).expect("it lives");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}
