//! What sessions cost: memory while they are held, time while they come and go, jobs on one of them.
//!
//! `cargo bench -p s7-sim --bench sessions` prints a table, and fails where a held session takes more than the bound. The PLC runs
//! in a process of its own, so that its memory is nobody else's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use s7_wire::{Connection, Item, Setup, Tsap, encode_read_request};

/// Sessions held at once.
const HELD: usize = 10_000;
/// Sessions that come and go, one after the other. Each leaves a socket in TIME_WAIT for a minute: few enough for the ports.
const COMING: usize = 5_000;
/// Jobs on one connection.
const JOBS: usize = 200_000;
/// What a held session may take.
const BYTES_MAX: usize = 12 * 1024;
/// CC, and answers to setup and to a read of 64 bytes.
const CONFIRM_BYTES: usize = 22;
const SETUP_ANSWER_BYTES: usize = 27;
const READ_ANSWER_BYTES: usize = 89;

struct Plc {
    child: Child,
    address: String,
}

impl Plc {
    fn start() -> io::Result<Self> {
        let slots = (2 * HELD).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_s7-sim"));
        command.args(["--listen", "127.0.0.1:0", "--slots", &slots]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").expect("the program says where").to_owned();
        Ok(Self { child, address })
    }

    fn rss_bytes(&self) -> io::Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        Ok(kib * 1024)
    }

    /// A session with setup and one read behind it.
    fn session(&self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut out = BytesMut::new();
        Connection::request(Tsap::two(1, 0), Tsap::two(3, 1)).encode_request(&mut out);
        ask(&mut stream, &out, CONFIRM_BYTES)?;
        out.clear();
        Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(&mut out, 0);
        ask(&mut stream, &out, SETUP_ANSWER_BYTES)?;
        ask(&mut stream, &reads(1), READ_ANSWER_BYTES)?;
        Ok(stream)
    }
}

impl Drop for Plc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many reads of 64 bytes of a DB.
fn reads(count: u16) -> BytesMut {
    let mut out = BytesMut::new();
    for reference in 0..count {
        encode_read_request(&mut out, reference, &[Item::db_bytes(2, 0, 64)]).expect("one item fits");
    }
    out
}

fn ask(stream: &mut TcpStream, request: &[u8], answer_bytes: usize) -> io::Result<()> {
    stream.write_all(request)?;
    let mut answer = [0; 16 * READ_ANSWER_BYTES];
    stream.read_exact(&mut answer[..answer_bytes])
}

/// Bytes that each of many held sessions takes.
fn held() -> io::Result<usize> {
    let plc = Plc::start()?;
    drop(plc.session()?);
    let before = plc.rss_bytes()?;
    let sessions: Vec<TcpStream> = (0..HELD).map(|_| plc.session()).collect::<io::Result<_>>()?;
    let bytes = plc.rss_bytes()?.saturating_sub(before) / sessions.len();
    Ok(bytes)
}

/// Sessions a second: connect, setup, a read, close.
fn coming() -> io::Result<f64> {
    let plc = Plc::start()?;
    let time = timed(|| (0..COMING).try_for_each(|_| plc.session().map(drop)))?;
    Ok(COMING as f64 / time.as_secs_f64())
}

/// Reads a second on one connection, so many outstanding at once.
fn jobs(outstanding: u16) -> io::Result<f64> {
    let plc = Plc::start()?;
    let mut stream = plc.session()?;
    let (batch, count) = (reads(outstanding), usize::from(outstanding));
    let time =
        timed(|| (0..JOBS / count).try_for_each(|_| ask(&mut stream, &batch, count * READ_ANSWER_BYTES)))?;
    Ok(JOBS as f64 / time.as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let start = std::time::Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Lets this process and its children have as many descriptors as they may.
fn raise_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    match limit.maximum {
        Some(maximum) if maximum < (HELD + 100) as u64 => Err(io::Error::other(format!(
            "{HELD} sessions need more than {maximum} descriptors: raise `ulimit -Hn`"
        ))),
        _ => Ok(()),
    }
}

fn measure() -> io::Result<usize> {
    raise_descriptors()?;
    let bytes = held()?;
    println!("{:<48}{bytes:>10} bytes (at most {BYTES_MAX})", format!("a held idle session, of {HELD}"));
    println!("{:<48}{:>10.0} /s", "connect, setup, read, close", coming()?);
    for outstanding in [1, 8] {
        let name = format!("reads of 64 bytes, {outstanding} outstanding");
        println!("{name:<48}{:>10.0} /s", jobs(outstanding)?);
    }
    Ok(bytes)
}

fn main() -> ExitCode {
    match measure() {
        Ok(bytes) if bytes <= BYTES_MAX => ExitCode::SUCCESS,
        Ok(bytes) => {
            eprintln!("a held session takes {bytes} bytes, at most {BYTES_MAX} are allowed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot measure: {error}");
            ExitCode::FAILURE
        }
    }
}
