//! What the measurements share: servers as children, and a raw client that costs next to nothing.

mod blocking;

pub use blocking::Blocking;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use s7_wire::{Connection, ConnectionType, Item, Setup, Tsap, encode_read_request};

/// What every measurement reads: 64 bytes of a data block.
pub const ITEM: Item = Item::db_bytes(1, 0, 64);
/// Longest silence of a server before it is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A server of somebody as a child, ended when dropped.
pub struct Server {
    child: Child,
    /// Its port on loopback.
    pub port: u16,
}

/// The servers that are measured: the name, and the command from the workspace's root.
pub const SERVERS: [(&str, &[&str]); 4] = [
    ("s7-sim", &["target/release/s7-sim", "--listen", "127.0.0.1:0", "--slots", "65536"]),
    ("libsnap7 1.4", &[".venv/libsnap7/bin/python", "s7-sim/interop/serve.py"]),
    ("snap7-server 0.1.7", &["s7-sim/interop/target/release/serve"]),
    ("python-snap7 3.3", &[".venv/bin/python", "s7-sim/interop/serve.py"]),
];

impl Server {
    /// Starts one of [`SERVERS`] and waits until it says where it listens.
    pub fn start(command: &[&str]) -> std::io::Result<Self> {
        let mut child = Command::new(root().join(command[0]))
            .args(&command[1..])
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut line)?;
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| std::io::Error::other(format!("{}: `{line}`", command[0])));
        match port {
            Ok(port) => Ok(Self { child, port }),
            Err(error) => {
                child.kill()?;
                Err(error)
            }
        }
    }

    /// Processor time that it has taken so far, in its own code and the kernel's on its behalf.
    pub fn processor_time(&self) -> std::io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in brackets: fields 14 and 15 of proc(5), in ticks of 10 ms.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is set up, as bare as a socket can be.
pub struct Raw {
    stream: TcpStream,
    request: Vec<u8>,
    input: Vec<u8>,
    /// Bytes of an answer, as this server writes it.
    answer_bytes: usize,
}

impl Raw {
    /// Connects and sets up.
    pub fn connect(port: u16) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut out = BytesMut::new();
        Connection::request(Tsap::two(1, 0), Tsap::s7(ConnectionType::Pg, 0, 1)).encode_request(&mut out);
        stream.write_all(&out)?;
        read_packet(&mut stream)?;
        out.clear();
        Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(&mut out, 0);
        stream.write_all(&out)?;
        read_packet(&mut stream)?;
        let mut request = BytesMut::new();
        encode_read_request(&mut request, 1, &[ITEM]).expect("one item");
        Ok(Self { stream, request: request.to_vec(), input: vec![0; 64 * 1024], answer_bytes: 0 })
    }

    /// Reads for `time` with `outstanding` requests under way; how many answers came.
    pub fn reads(&mut self, outstanding: usize, time: Duration) -> std::io::Result<usize> {
        self.read()?;
        let began = Instant::now();
        let (mut answers, mut bytes) = (0, 0);
        self.stream.write_all(&self.request.repeat(outstanding))?;
        while began.elapsed() < time {
            bytes += self.stream.read(&mut self.input)?;
            let came = bytes / self.answer_bytes;
            bytes %= self.answer_bytes;
            answers += came;
            self.stream.write_all(&self.request.repeat(came))?;
        }
        let rest = outstanding * self.answer_bytes - bytes;
        self.stream.read_exact(&mut self.input[..rest])?;
        Ok(answers)
    }

    /// One read.
    pub fn read(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.request)?;
        self.answer_bytes = read_packet(&mut self.stream)?;
        Ok(())
    }
}

/// Reads one packet; its length.
fn read_packet(stream: &mut TcpStream) -> std::io::Result<usize> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    stream.read_exact(&mut vec![0; length - head.len()])?;
    Ok(length)
}
