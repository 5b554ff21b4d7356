//! A PLC by script: it shakes hands, and then each test says what it answers and when.

use std::time::Duration;

use bytes::BytesMut;
use gateway_under_test::client::{Client, ClientConfig, ClientError};
use s7_sim::{Plc, PlcConfig};
use s7_wire::{ConnectionType, Decoder, Item, Job, Message, ReadAnswerWriter, WriteAnswerWriter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use crate::world::LINK_BYTES;

/// Time for an answer in these tests.
pub const TIMEOUT: Duration = Duration::from_millis(100);

/// A client's settings, with little patience.
pub fn config() -> ClientConfig {
    ClientConfig { request_timeout: TIMEOUT, ..ClientConfig::new(ConnectionType::Pg, 0, 1) }
}

/// Connects over `stream`.
pub async fn connect(
    stream: DuplexStream,
    config: ClientConfig,
) -> Result<Client<DuplexStream>, ClientError> {
    Client::connect(stream, config, Instant::now() + Duration::from_secs(3)).await
}

/// A client of a simulated PLC with this PDU length.
pub async fn simulated(pdu_length: u16) -> (Plc, Client<DuplexStream>) {
    let plc = Plc::new(PlcConfig { pdu_length, ..PlcConfig::default() }).expect("a sound configuration");
    let (ours, theirs) = duplex(LINK_BYTES);
    let serving = plc.clone();
    tokio::spawn(async move { drop(serving.serve(theirs).await) });
    let config = ClientConfig { pdu_length: 960, ..config() };
    (plc, connect(ours, config).await.expect("the simulator takes everybody"))
}

/// A client of a peer that shakes hands (PDU 240, this AmQ) and then plays `script`.
pub async fn scripted<F>(
    config: ClientConfig,
    amq: u16,
    script: impl FnOnce(Peer) -> F + Send + 'static,
) -> Client<DuplexStream>
where
    F: Future<Output = ()> + Send,
{
    let (ours, theirs) = duplex(LINK_BYTES);
    tokio::spawn(async move {
        let mut peer = Peer::new(theirs);
        peer.shake_hands(amq).await;
        script(peer).await;
    });
    connect(ours, config).await.expect("the peer shakes hands")
}

/// The server's end of a connection.
pub struct Peer {
    stream: DuplexStream,
    decoder: Decoder,
    inbound: BytesMut,
}

impl Peer {
    pub fn new(stream: DuplexStream) -> Self {
        Self { stream, decoder: Decoder::new(), inbound: BytesMut::new() }
    }

    /// The next message; `None` when the client is gone.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.inbound).expect("the client speaks S7") {
                return Some(message);
            }
            if self.stream.read_buf(&mut self.inbound).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next job and its reference; `None` when the client is gone. Cancel-safe.
    pub async fn job(&mut self) -> Option<(u16, Job)> {
        let Message::Pdu(pdu) = self.message().await? else { panic!("expected a job") };
        Some((pdu.reference, Job::decode(&pdu).expect("the client sends sound jobs")))
    }

    /// The next read.
    pub async fn read(&mut self) -> Option<(u16, Vec<Item>)> {
        match self.job().await? {
            (reference, Job::Read(read)) => Some((reference, read.items.iter().collect())),
            (_, other) => panic!("expected a read, found {other:?}"),
        }
    }

    /// Sends what `encode` writes.
    pub async fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        let mut out = BytesMut::new();
        encode(&mut out);
        // A client that has gone needs no answer.
        let _ = self.stream.write_all(&out).await;
    }

    /// Grants a CR.
    pub async fn confirm(&mut self) {
        let Some(Message::ConnectRequest(request)) = self.message().await else { panic!("expected a CR") };
        self.send(|out| request.confirm(1).encode_confirm(out)).await;
    }

    /// Grants a CR, and in setup PDU 240 and this AmQ.
    pub async fn shake_hands(&mut self, amq: u16) {
        self.confirm().await;
        let Some((reference, Job::Setup(wish))) = self.job().await else { panic!("expected setup") };
        self.send(|out| wish.agree(240, amq).encode_answer(out, reference)).await;
    }

    /// Answers every read rightly until the client is gone.
    pub async fn serve(mut self) {
        while let Some((reference, items)) = self.read().await {
            self.send(|out| put_right_answer(out, reference, &items)).await;
        }
    }
}

/// What stands at a byte of the peer's memory: other addresses, other bytes.
pub fn byte_at(db: u16, byte: u32) -> u8 {
    (u32::from(db).wrapping_mul(89) ^ byte.wrapping_mul(167) ^ (byte >> 8).wrapping_mul(59)) as u8
}

/// What an item reads.
pub fn bytes_of(item: &Item) -> Vec<u8> {
    let bytes = item.payload_bytes().expect("a type with a name") as u32;
    (item.start_byte()..item.start_byte() + bytes).map(|byte| byte_at(item.db, byte)).collect()
}

/// Writes the right answer to a read.
pub fn put_right_answer(out: &mut BytesMut, reference: u16, items: &[Item]) {
    let mut writer = ReadAnswerWriter::begin(out, reference, items.len() as u8);
    for item in items {
        assert!(writer.success(item.transport.data(), &bytes_of(item)));
    }
    writer.finish().expect("short enough");
}

/// Writes an answer to a write: these codes.
pub fn put_codes(out: &mut BytesMut, reference: u16, codes: &[s7_wire::ReturnCode]) {
    let mut writer = WriteAnswerWriter::begin(out, reference, codes.len() as u8);
    codes.iter().for_each(|code| writer.code(*code));
    writer.finish().expect("short enough");
}
