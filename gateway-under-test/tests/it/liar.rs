//! A peer that sets up a session properly and then answers reads as a test wants it to.

use bytes::BytesMut;
use s7_wire::read::ReadAnswerWriter;
use s7_wire::{DataTransport, Decoder, Job, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// A read to be answered.
pub struct Asked {
    /// The reads before it on this connection.
    pub before: usize,
    /// Its reference.
    pub reference: u16,
    /// The bytes each item asks for.
    pub payloads: Vec<usize>,
}

/// Serves one connection; `answer` writes the answer to each read.
pub async fn serve(mut stream: DuplexStream, mut answer: impl FnMut(Asked, &mut BytesMut)) {
    let (mut decoder, mut inbound, mut outbound) = (Decoder::new(), BytesMut::new(), BytesMut::new());
    let mut before = 0;
    loop {
        while let Some(message) = decoder.decode(&mut inbound).expect("the gateway speaks S7") {
            match message {
                Message::ConnectRequest(request) => request.confirm(1).encode_confirm(&mut outbound),
                Message::Pdu(pdu) => match Job::decode(&pdu).expect("the gateway sends sound jobs") {
                    Job::Setup(wish) => wish.agree(480, 8).encode_answer(&mut outbound, pdu.reference),
                    Job::Read(read) => {
                        let payloads = read.items.iter().filter_map(|item| item.payload_bytes()).collect();
                        answer(Asked { before, reference: pdu.reference, payloads }, &mut outbound);
                        before += 1;
                    }
                    other => panic!("unexpected {other:?}"),
                },
                other => panic!("unexpected {other:?}"),
            }
        }
        let sent = stream.write_all(&outbound).await;
        outbound.clear();
        if sent.is_err() || stream.read_buf(&mut inbound).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// Writes an answer in which every byte is `byte`.
pub fn put_answer(out: &mut BytesMut, reference: u16, payloads: &[usize], byte: u8) {
    let mut writer = ReadAnswerWriter::begin(out, reference, payloads.len() as u8);
    for bytes in payloads {
        assert!(writer.success(DataTransport::Byte, &vec![byte; *bytes]));
    }
    writer.finish().expect("short enough");
}
