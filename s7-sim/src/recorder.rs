//! Recording: what sessions hear and say, as packets in a pcap file that Wireshark dissects.
//!
//! Bytes are recorded as the session sees them; IP and TCP around them are synthesized, with a handshake, right sequence numbers
//! and checksums. The server's port is always 102, by which dissectors know S7.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader};
use thiserror::Error;
use tokio::time::Instant;

use crate::pcap::{self, LinkType};
use crate::registry::Ends;

/// How large a recording grows unless told otherwise.
pub const RECORDING_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The port that a recording's server has.
pub const S7_PORT: u16 = 102;
/// Payload of one recorded packet, as on Ethernet.
const SEGMENT_BYTES: usize = 1460;
/// Addresses for streams that have none: the server's is of the block for documentation.
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Why a recording ended before the PLC did.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingStopped {
    /// It is as large as it may become.
    #[error("the recording has reached its bound of {max} bytes and stops here; the PLC goes on")]
    Full {
        /// The bound.
        max: u64,
    },
    /// It cannot be written.
    #[error("the recording cannot be written and stops here: {0}; the PLC goes on")]
    Io(#[from] io::Error),
}

/// Takes what sessions hear and say. A clone is the same recording.
///
/// It never fails: when it cannot go on it says so once, and records no more.
#[derive(Clone)]
pub struct Recorder {
    sink: Arc<Mutex<Sink>>,
}

struct Sink {
    /// `None` once it has stopped.
    out: Option<Box<dyn Write + Send>>,
    written: u64,
    max: u64,
    /// The time since 1970 at `started`.
    base: Duration,
    started: Instant,
    on_stop: Option<OnStop>,
}

type OnStop = Box<dyn FnOnce(RecordingStopped) + Send>;

/// One session's part of a recording.
pub(crate) struct Tape {
    recorder: Recorder,
    client: Side,
    server: Side,
}

#[derive(Clone, Copy)]
struct Side {
    address: SocketAddr,
    /// The sequence number of its next byte.
    next: u32,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Client,
    Server,
}

impl Recorder {
    /// A recording that is written to `out`, at most `max` bytes of it. Buffer `out` if it is a file: packets are written one by
    /// one, and flushed when a session ends.
    ///
    /// `base` is the time since 1970 now; from here on the times are tokio's. `on_stop` is called at most once, and not while any
    /// session waits for it longer than it takes: let it print a line.
    pub fn new(
        out: Box<dyn Write + Send>,
        max: u64,
        base: Duration,
        on_stop: impl FnOnce(RecordingStopped) + Send + 'static,
    ) -> Self {
        let (on_stop, started): (Option<OnStop>, _) = (Some(Box::new(on_stop)), Instant::now());
        let mut sink = Sink { out: Some(out), written: 0, max, base, started, on_stop };
        sink.write(&[&pcap::file_header(LinkType::Raw)]);
        Self { sink: Arc::new(Mutex::new(sink)) }
    }

    /// Whether it still records.
    pub fn is_recording(&self) -> bool {
        self.sink().out.is_some()
    }

    /// Begins a session's part with a handshake.
    pub(crate) fn tape(&self, id: u64, ends: Option<Ends>) -> Tape {
        let ends = ends.unwrap_or_else(|| synthesized(id));
        let server = SocketAddr::new(ends.server.ip(), S7_PORT);
        let side = |address| Side { address, next: 0 };
        let mut tape = Tape { recorder: self.clone(), client: side(ends.client), server: side(server) };
        tape.handshake();
        tape
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        // A panic elsewhere leaves a sink behind that is still usable.
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("is_recording", &self.is_recording()).finish()
    }
}

impl Sink {
    fn record(&mut self, packet: &[u8]) {
        let at = self.base + self.started.elapsed();
        self.write(&[&pcap::record_header(at, packet.len() as u32), packet]);
    }

    /// Writes all of it, or stops.
    fn write(&mut self, parts: &[&[u8]]) {
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let Some(out) = &mut self.out else { return };
        if self.written + bytes > self.max {
            return self.stop(RecordingStopped::Full { max: self.max });
        }
        match parts.iter().try_for_each(|part| out.write_all(part)) {
            Ok(()) => self.written += bytes,
            Err(error) => self.stop(error.into()),
        }
    }

    fn flush(&mut self) {
        if let Some(Err(error)) = self.out.as_mut().map(|out| out.flush()) {
            self.stop(error.into());
        }
    }

    fn stop(&mut self, why: RecordingStopped) {
        if let Some(mut out) = self.out.take() {
            let _ = out.flush();
        }
        if let Some(on_stop) = self.on_stop.take() {
            on_stop(why);
        }
    }
}

impl Tape {
    /// Records what the client sent.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        self.data(Speaker::Client, bytes);
    }

    /// Records what the PLC sent.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.data(Speaker::Server, bytes);
    }

    /// Records that the client has closed its side.
    pub(crate) fn client_closed(&mut self) {
        self.packet(Speaker::Client, 1, &[], PacketBuilderStep::fin);
    }

    /// Records how the PLC ends the connection.
    pub(crate) fn server_ends(&mut self, by_reset: bool) {
        if by_reset {
            self.packet(Speaker::Server, 0, &[], PacketBuilderStep::rst);
        } else {
            self.packet(Speaker::Server, 1, &[], PacketBuilderStep::fin);
        }
    }

    fn handshake(&mut self) {
        let (client, server) = (self.client, self.server);
        let syn = tcp(client, server).syn();
        self.write(syn, &[]);
        self.client.next += 1;
        let syn_ack = tcp(server, self.client).syn().ack(self.client.next);
        self.write(syn_ack, &[]);
        self.server.next += 1;
        self.packet(Speaker::Client, 0, &[], |step| step);
    }

    fn data(&mut self, from: Speaker, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT_BYTES) {
            self.packet(from, segment.len() as u32, segment, PacketBuilderStep::psh);
        }
    }

    /// One packet with an ACK, after which the speaker is `advance` further.
    fn packet(&mut self, from: Speaker, advance: u32, payload: &[u8], flag: fn(Step) -> Step) {
        let (speaker, listener) = match from {
            Speaker::Client => (self.client, self.server),
            Speaker::Server => (self.server, self.client),
        };
        let step = flag(tcp(speaker, listener).ack(listener.next));
        self.write(step, payload);
        let speaker = if from == Speaker::Client { &mut self.client } else { &mut self.server };
        speaker.next = speaker.next.wrapping_add(advance);
    }

    fn write(&self, step: Step, payload: &[u8]) {
        let mut packet = Vec::with_capacity(step.size(payload.len()));
        step.write(&mut packet, payload).expect("a segment fits a packet, and memory takes it");
        self.recorder.sink().record(&packet);
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.recorder.sink().flush();
    }
}

type Step = PacketBuilderStep<TcpHeader>;

/// TCP from one side to the other: IPv4 if both addresses are, and IPv6 otherwise.
fn tcp(from: Side, to: Side) -> Step {
    const HOPS: u8 = 64;
    const WINDOW: u16 = u16::MAX;
    let ip: PacketBuilderStep<IpHeaders> = match (from.address.ip(), to.address.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => PacketBuilder::ipv6(v6(from), v6(to), HOPS),
    };
    ip.tcp(from.address.port(), to.address.port(), from.next, WINDOW)
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Addresses that tell sessions apart: 10.x.y.z by the session's id.
fn synthesized(id: u64) -> Ends {
    let [_, x, y, z] = (id as u32).to_be_bytes();
    let client = SocketAddr::from((Ipv4Addr::new(10, x, y, z), 49_152));
    Ends { client, server: SocketAddr::from((SERVER, S7_PORT)) }
}
