//! Reads the recordings in `testdata/`; their README says where they come from.

use bytes::{Bytes, BytesMut};
use s7_wire::{Decoder, Message};

pub const PYTHON_SNAP7: &str = include_str!("../../testdata/python-snap7-3.3.txt");
pub const LIBSNAP7: &str = include_str!("../../testdata/libsnap7-1.4.txt");
pub const PYTHON_SNAP7_SERVICES: &str = include_str!("../../testdata/python-snap7-3.3-services.txt");
pub const LIBSNAP7_SERVICES: &str = include_str!("../../testdata/libsnap7-1.4-services.txt");
pub const ALL: [&str; 2] = [PYTHON_SNAP7, LIBSNAP7];

/// One packet, and the message it is.
pub struct Packet {
    pub step: &'static str,
    pub from_client: bool,
    pub bytes: Bytes,
    pub message: Message,
}

/// All packets of a recording, each decoded on its own.
pub fn packets(recording: &'static str) -> Vec<Packet> {
    let mut step = "";
    let mut packets = Vec::new();
    for line in recording.lines() {
        match line.split_at(2) {
            ("# ", name) => step = name,
            (mark, hex) => {
                let bytes = unhex(hex);
                let mut buffer = BytesMut::from(&bytes[..]);
                let message =
                    Decoder::new().decode(&mut buffer).unwrap().expect("a whole packet is a message");
                assert!(buffer.is_empty(), "{step}: {buffer:?} was left over");
                packets.push(Packet { step, from_client: mark == "> ", bytes, message });
            }
        }
    }
    packets
}

/// Everything that one side sent, as one stream.
pub fn stream(recording: &'static str, from_client: bool) -> BytesMut {
    let mut stream = BytesMut::new();
    for packet in packets(recording) {
        if packet.from_client == from_client {
            stream.extend_from_slice(&packet.bytes);
        }
    }
    stream
}

/// Everything that `decoder` makes of `buffer`.
pub fn decode_all(decoder: &mut Decoder, buffer: &mut BytesMut) -> Vec<Message> {
    std::iter::from_fn(|| decoder.decode(buffer).expect("a sound stream decodes")).collect()
}

fn unhex(hex: &str) -> Bytes {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
