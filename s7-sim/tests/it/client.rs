//! A client for tests: sends what it is told, decodes what comes.

use std::time::Duration;

use bytes::BytesMut;
use s7_sim::{Plc, PlcConfig, SessionEnd};
use s7_wire::{
    Answer, Connection, ConnectionType, Decoder, Item, Message, Pdu, Setup, Tsap, encode_read_request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than every wait of a healthy PLC in these tests; on a paused clock it costs nothing.
pub const LONG: Duration = Duration::from_secs(3600);

pub struct Client {
    pub stream: DuplexStream,
    pub session: JoinHandle<SessionEnd>,
    decoder: Decoder,
    input: BytesMut,
}

pub fn plc(config: PlcConfig) -> Plc {
    Plc::new(config).unwrap()
}

/// An item of what a client usually reads.
pub const ITEM: Item = Item::db_bytes(2, 0, 4);

impl Client {
    /// A stream to the PLC, nothing sent yet.
    pub fn dial(plc: &Plc) -> Self {
        let (stream, server) = tokio::io::duplex(64 * 1024);
        let plc = plc.clone();
        let session = tokio::spawn(async move { plc.serve(server).await });
        Self { stream, session, decoder: Decoder::new(), input: BytesMut::new() }
    }

    /// CR and CC are done.
    pub async fn connect(plc: &Plc) -> Self {
        let mut client = Self::dial(plc);
        client.send_connect().await;
        assert!(matches!(client.message().await, Some(Message::ConnectConfirm(_))));
        client
    }

    /// Setup is done as well.
    pub async fn ready(plc: &Plc) -> Self {
        let mut client = Self::connect(plc).await;
        let wish = Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 };
        client.send_with(|out| wish.encode_request(out, 0)).await;
        assert!(matches!(client.answer().await, Some((0, Answer::Setup(_)))));
        client
    }

    pub async fn send_connect(&mut self) {
        let request = Connection::request(Tsap::two(1, 0), Tsap::s7(ConnectionType::Pg, 0, 1));
        self.send_with(|out| request.encode_request(out)).await;
    }

    pub async fn send_with(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        let mut out = BytesMut::new();
        encode(&mut out);
        self.send(&out).await;
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends as far as the PLC takes it.
    pub async fn stream_write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    pub async fn send_read(&mut self, reference: u16, items: &[Item]) {
        self.send_with(|out| encode_read_request(out, reference, items).unwrap()).await;
    }

    /// The next message; `None` when the PLC has closed the stream.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.input).unwrap() {
                return Some(message);
            }
            let read = timeout(LONG, self.stream.read_buf(&mut self.input)).await;
            if read.expect("the PLC neither answers nor closes").unwrap() == 0 {
                return None;
            }
        }
    }

    pub async fn pdu(&mut self) -> Option<Pdu> {
        match self.message().await? {
            Message::Pdu(pdu) => Some(pdu),
            other => panic!("expected an answer, found {other:?}"),
        }
    }

    /// The next answer with its reference.
    pub async fn answer(&mut self) -> Option<(u16, Answer)> {
        let pdu = self.pdu().await?;
        Some((pdu.reference, Answer::decode(&pdu).unwrap()))
    }

    /// Whether nothing at all comes within `time`, the stream staying open.
    pub async fn hears_nothing_for(&mut self, time: Duration) -> bool {
        timeout(time, self.stream.read_buf(&mut self.input)).await.is_err()
    }

    /// How the session ended.
    pub async fn end(self) -> SessionEnd {
        let Self { stream, session, .. } = self;
        let end = timeout(LONG, session).await.expect("the session does not end").unwrap();
        drop(stream);
        end
    }
}

/// The codes and payloads of a read's answer.
pub fn read_items(answer: Answer) -> Vec<(u8, Vec<u8>)> {
    let Answer::Read(answer) = answer else { panic!("expected a read's answer, found {answer:?}") };
    answer.items.iter().map(|data| (data.code.byte(), data.payload.to_vec())).collect()
}
