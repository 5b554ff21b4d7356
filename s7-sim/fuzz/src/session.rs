//! A whole session: bytes in, bytes out, by a paused clock. It ends, gives back what it held, and never says more than it may.

use bytes::BytesMut;
use s7_sim::{Plc, PlcConfig};
use s7_wire::pdu::PACKET_OVERHEAD_BYTES;
use s7_wire::transfer::{FUNCTION_DOWNLOAD_BLOCK, FUNCTION_DOWNLOAD_ENDED};
use s7_wire::{Connection, ConnectionType, Decoder, Message, Rosctr, Setup, Tsap};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The shortest packet that is answered with a PDU: TPKT and DT headers, and the header of a job.
const ASKING_BYTES_MIN: usize = PACKET_OVERHEAD_BYTES + 10;
/// The longest packet that is no PDU: a CC with two selectors of 20 bytes.
const CONTROL_BYTES_MAX: usize = 57;
/// The shortest packet that is answered with such a one.
const CONTROL_BYTES_MIN: usize = 11;
/// What the stream holds in each direction. Short, so that a peer that does not read is felt.
const STREAM_BYTES: usize = 512;

/// How the peer behaves, from the first byte of the input.
struct Manners {
    /// Connects and sets up first, so that what follows is read as jobs.
    ready: bool,
    /// Reads nothing before it has written everything.
    deaf: bool,
    /// Bytes of a write.
    piece: usize,
}

impl Manners {
    fn of(byte: u8) -> Self {
        Self { ready: byte & 1 != 0, deaf: byte & 2 != 0, piece: usize::from(byte >> 2).max(1) * 8 }
    }
}

/// Plays the bytes behind the first one to a PLC.
pub fn session(bytes: &[u8]) {
    let Some((&manners, bytes)) = bytes.split_first() else { return };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime =
        builder.enable_time().start_paused(true).build().expect("a runtime without a driver for I/O");
    runtime.block_on(play(&Manners::of(manners), bytes));
}

async fn play(manners: &Manners, bytes: &[u8]) {
    let config = PlcConfig::default();
    let pdu_length = usize::from(config.pdu_length);
    let plc = Plc::new(config).expect("the default is a PLC");
    let (client, server) = tokio::io::duplex(STREAM_BYTES);
    let mut sent = BytesMut::new();
    if manners.ready {
        put_handshake(&mut sent);
    }
    sent.extend_from_slice(bytes);
    let (end, heard) = tokio::join!(plc.serve(server), converse(client, manners, &sent));
    assert!(!end.to_string().is_empty());
    let stats = plc.stats();
    assert_eq!((stats.sessions, stats.connections), (0, 0), "{end}");
    // The answer to an announced download comes with the PLC's first question: two PDUs, for a request of more than two headers.
    let answers = sent.len() / ASKING_BYTES_MIN + 1;
    let controls = sent.len() / CONTROL_BYTES_MIN + 1;
    let most = answers * (pdu_length + PACKET_OVERHEAD_BYTES) + controls * CONTROL_BYTES_MAX;
    assert!(heard.len() <= most, "{} bytes in, {} bytes out", sent.len(), heard.len());
    check_answers(&heard, pdu_length);
}

fn put_handshake(out: &mut BytesMut) {
    Connection::request(Tsap::two(1, 0), Tsap::s7(ConnectionType::Pg, 0, 1)).encode_request(out);
    Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(out, 0);
}

/// Writes everything, reads everything; gives back what was read.
async fn converse(client: DuplexStream, manners: &Manners, bytes: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(client);
    let mut heard = Vec::new();
    let talk = async {
        for piece in bytes.chunks(manners.piece) {
            if write.write_all(piece).await.is_err() {
                return; // the PLC has closed, which it may
            }
        }
        let _ = write.shutdown().await;
    };
    if manners.deaf {
        talk.await;
        let _ = read.read_to_end(&mut heard).await;
    } else {
        let (_, _) = tokio::join!(talk, read.read_to_end(&mut heard));
    }
    heard
}

/// Whatever was asked: what comes is packets that make sense, none longer than agreed.
fn check_answers(heard: &[u8], pdu_length: usize) {
    let (mut decoder, mut buffer) = (Decoder::new(), BytesMut::from(heard));
    while let Some(message) = decoder.decode(&mut buffer).expect("the PLC speaks S7") {
        if let Message::Pdu(pdu) = message {
            // The PLC asks only for what a client announced to download.
            let asks = matches!(pdu.function(), Some(FUNCTION_DOWNLOAD_BLOCK | FUNCTION_DOWNLOAD_ENDED));
            assert!(pdu.rosctr != Rosctr::Job || asks, "{pdu:?}");
            assert!(pdu.bytes() <= pdu_length, "a PDU of {} bytes", pdu.bytes());
        }
    }
}
