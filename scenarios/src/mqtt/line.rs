//! One MQTT connection over any byte stream, in either role: what stands between the protocol's machine and the wire.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::role::RoleType;
use mqtt_protocol_core::mqtt::connection::{Connection, ConnectionOptions, Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use watertight::world::BoxStream;

use super::message::Message;
use super::packet::{self, Received};

/// A packet larger than this ends the connection: the image of a station with the most tags is a fifth of it.
pub const PACKET_BYTES_MAX: u32 = 1 << 20;

/// Messages on their way to the other side, sent and not yet acknowledged.
pub const IN_FLIGHT_MAX: u16 = 64;

/// How long the other side may take to make room for what is written to it.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Read at once.
const CHUNK_BYTES: usize = 4096;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The stream ended or broke.
    #[error("the stream ended: {0}")]
    Stream(#[from] io::Error),
    /// The other side broke the protocol, or something it did not foresee was to be sent.
    #[error("the protocol was broken: {0:?}")]
    Protocol(MqttError),
    /// The protocol asks for the end, as when a keep-alive has run out.
    #[error("the protocol ended it")]
    Closed,
}

impl From<MqttError> for End {
    fn from(error: MqttError) -> Self {
        Self::Protocol(error)
    }
}

/// A connection. Dropping it closes the stream; nothing of it is left.
pub struct Line<R: RoleType> {
    stream: BoxStream,
    connection: Connection<R>,
    /// Read and not yet parsed.
    unread: BytesMut,
    /// Made and not yet written.
    unwritten: BytesMut,
    received: VecDeque<Received>,
    timers: [Option<Instant>; 3],
    in_flight: BTreeSet<u16>,
    ending: Option<End>,
}

impl<R: RoleType> Line<R> {
    /// A connection over `stream`. A server leaves the version to the client: [`Version::Undetermined`].
    pub fn new(stream: BoxStream, version: Version) -> Self {
        let options = ConnectionOptions::new()
            .maximum_packet_size_recv(PACKET_BYTES_MAX)
            .receive_maximum(IN_FLIGHT_MAX);
        let mut connection = Connection::with_options(version, options);
        connection.set_auto_pub_response(true);
        connection.set_auto_ping_response(true);
        Self {
            stream,
            connection,
            unread: BytesMut::new(),
            unwritten: BytesMut::new(),
            received: VecDeque::new(),
            timers: [None; 3],
            in_flight: BTreeSet::new(),
            ending: None,
        }
    }

    /// The version spoken; undetermined until a server has seen a client's CONNECT.
    pub fn version(&self) -> Version {
        self.connection.get_protocol_version()
    }

    /// Whether one more message may be sent at least once before something is acknowledged.
    pub fn has_room(&self) -> bool {
        let vacancy = self.connection.get_receive_maximum_vacancy_for_send();
        self.in_flight.len() < usize::from(IN_FLIGHT_MAX) && vacancy != Some(0)
    }

    /// Hands over a packet to be written by the next [`Line::next`] or [`Line::flush`].
    pub fn send(&mut self, packet: Packet) {
        let events = self.connection.send(packet);
        self.carry_out(events);
    }

    /// Hands over a message to be published; at least once only while there [is room](Line::has_room).
    pub fn publish(&mut self, message: &Message) -> Result<(), End> {
        let id = match message.qos {
            Qos::AtMostOnce => None,
            _ => Some(self.connection.acquire_packet_id()?),
        };
        self.in_flight.extend(id);
        self.send(packet::publish(self.version(), message, id)?);
        Ok(())
    }

    /// As a client: asks for messages.
    pub fn subscribe(&mut self, filter: &str, qos: Qos) -> Result<(), End> {
        let id = self.connection.acquire_packet_id()?;
        self.send(packet::subscribe(self.version(), id, filter, qos)?);
        Ok(())
    }

    /// The next packet that came in; keeps the connection alive meanwhile. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<Received, End> {
        loop {
            self.flush().await?;
            if let Some(received) = self.received.pop_front() {
                return Ok(received);
            }
            if let Some(end) = self.ending.take() {
                return Err(end);
            }
            if self.unread.is_empty() {
                self.wait().await?;
            } else {
                self.parse();
            }
        }
    }

    /// Writes what was handed over. May be dropped while it waits.
    pub async fn flush(&mut self) -> Result<(), End> {
        while !self.unwritten.is_empty() {
            let written = timeout(WRITE_WITHIN, self.stream.write_buf(&mut self.unwritten)).await;
            if written.map_err(io::Error::from)?? == 0 {
                return Err(End::Stream(io::ErrorKind::WriteZero.into()));
            }
        }
        Ok(())
    }

    /// Waits for bytes or for the next timer.
    async fn wait(&mut self) -> Result<(), End> {
        self.unread.reserve(CHUNK_BYTES);
        let timer = self.timers.iter().flatten().min().copied();
        let fired = async {
            match timer {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            read = self.stream.read_buf(&mut self.unread) => match read? {
                0 => Err(End::Stream(io::ErrorKind::UnexpectedEof.into())),
                _ => Ok(()),
            },
            () = fired => {
                self.fire();
                Ok(())
            }
        }
    }

    fn fire(&mut self) {
        let now = Instant::now();
        for kind in [TimerKind::PingreqSend, TimerKind::PingreqRecv, TimerKind::PingrespRecv] {
            let timer = &mut self.timers[slot(kind)];
            if timer.is_some_and(|at| at <= now) {
                *timer = None;
                let events = self.connection.notify_timer_fired(kind);
                self.carry_out(events);
            }
        }
    }

    /// Parses at most one packet: what answers it may decide how the next one is to be read.
    fn parse(&mut self) {
        let mut cursor = Cursor::new(&self.unread[..]);
        let events = self.connection.recv(&mut cursor);
        let parsed = usize::try_from(cursor.position()).unwrap_or(usize::MAX).min(self.unread.len());
        let _parsed = self.unread.split_to(parsed);
        self.carry_out(events);
    }

    fn carry_out(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.unwritten.extend_from_slice(&packet.to_continuous_buffer());
                }
                Event::NotifyPacketReceived(packet) => self.received.push_back(Received::from(&packet)),
                Event::NotifyPacketIdReleased(id) => {
                    self.in_flight.remove(&id);
                }
                Event::RequestTimerReset { kind, duration_ms } => {
                    self.timers[slot(kind)] = Some(Instant::now() + Duration::from_millis(duration_ms));
                }
                Event::RequestTimerCancel(kind) => self.timers[slot(kind)] = None,
                // What is broken says more than that it ends.
                Event::NotifyError(error) => self.ending = Some(End::Protocol(error)),
                Event::RequestClose => {
                    self.ending.get_or_insert(End::Closed);
                }
            }
        }
    }
}

fn slot(kind: TimerKind) -> usize {
    match kind {
        TimerKind::PingreqSend => 0,
        TimerKind::PingreqRecv => 1,
        TimerKind::PingrespRecv => 2,
    }
}
