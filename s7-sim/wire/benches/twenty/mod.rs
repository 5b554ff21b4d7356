//! A read of twenty items of 16 bytes, both ends.

use std::hint::black_box;

use bytes::BytesMut;
use s7_wire::{
    Answer, DataTransport, Decoder, Item, Job, Message, Pdu, ReadAnswerWriter, encode_read_request,
};

const PAYLOAD: [u8; 16] = [7; 16];

/// One end, with the buffers that it keeps.
pub struct End {
    out: BytesMut,
    decoder: Decoder,
    buffer: BytesMut,
    items: [Item; 20],
}

impl End {
    pub fn new() -> Self {
        let items = std::array::from_fn(|index| Item::db_bytes(1, index as u32 * 16, 16));
        let (out, buffer) = (BytesMut::with_capacity(1024), BytesMut::with_capacity(4096));
        Self { out, decoder: Decoder::new(), buffer, items }
    }

    pub fn encode_request(&mut self) -> &[u8] {
        self.out.clear();
        encode_read_request(&mut self.out, 7, black_box(&self.items)).unwrap();
        &self.out
    }

    pub fn encode_answer(&mut self) -> &[u8] {
        self.out.clear();
        let mut writer = ReadAnswerWriter::begin(&mut self.out, 7, 20);
        for _ in 0..20 {
            assert!(writer.success(DataTransport::Byte, black_box(&PAYLOAD)));
        }
        writer.finish().unwrap();
        &self.out
    }

    /// The sum of the items' addresses.
    pub fn decode_request(&mut self, packet: &[u8]) -> u32 {
        let Ok(Job::Read(read)) = Job::decode(&self.decode(packet)) else { panic!() };
        read.items.iter().map(|item| item.address).sum()
    }

    /// The sum of the payloads' lengths.
    pub fn decode_answer(&mut self, packet: &[u8]) -> usize {
        let Ok(Answer::Read(read)) = Answer::decode(&self.decode(packet)) else { panic!() };
        read.items.iter().map(|data| data.payload.len()).sum()
    }

    fn decode(&mut self, packet: &[u8]) -> Pdu {
        self.buffer.reserve(packet.len());
        self.buffer.extend_from_slice(packet);
        match self.decoder.decode(&mut self.buffer) {
            Ok(Some(Message::Pdu(pdu))) => pdu,
            other => panic!("{other:?}"),
        }
    }
}
