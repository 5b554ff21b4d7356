//! Cuts: an answer in pieces, by COTP, by writes, or for good.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::BytesMut;
use s7_wire::cotp;
use s7_wire::pdu::PACKET_OVERHEAD_BYTES;
use serde::{Deserialize, Serialize};

use super::delivery::{Chunk, Delivery, Then};
use super::forge::is_data;
use crate::duration;

/// COTP DTs of so many bytes each, the last with EOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// Bytes of user data in each.
    pub bytes: NonZeroU16,
}

/// Writes of one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bytewise {
    /// From one byte to the next.
    #[serde(with = "duration")]
    pub every: Duration,
}

impl Fragment {
    pub(super) fn apply(&self, delivery: &mut Delivery) {
        for chunk in delivery.chunks.iter_mut().filter(|chunk| is_data(&chunk.bytes)) {
            let mut fragments = BytesMut::new();
            let user_data = &chunk.bytes[PACKET_OVERHEAD_BYTES..];
            cotp::encode_fragments(user_data, usize::from(self.bytes.get()), &mut fragments);
            chunk.bytes = fragments;
        }
    }
}

impl Bytewise {
    pub(super) fn apply(&self, delivery: &mut Delivery) {
        let whole = std::mem::take(&mut delivery.chunks);
        delivery.chunks = whole.into_iter().flat_map(|chunk| self.split(chunk)).collect();
    }

    fn split(&self, chunk: Chunk) -> Vec<Chunk> {
        if chunk.bytes.is_empty() {
            return vec![chunk];
        }
        let Chunk { bytes, after, turn, ends, .. } = chunk;
        let last = bytes.len() - 1;
        let bytes = bytes.iter().enumerate().map(|(index, &byte)| Chunk {
            bytes: BytesMut::from(&[byte][..]),
            after: after.saturating_add(self.every.saturating_mul(index as u32)),
            turn,
            alone: true,
            ends: ends && index == last,
        });
        bytes.collect()
    }
}

/// Half of the answer, and then nothing.
pub(crate) fn stop_mid_frame(delivery: &mut Delivery) {
    for chunk in &mut delivery.chunks {
        chunk.bytes.truncate(chunk.bytes.len() / 2);
    }
    delivery.then = Then::Mute;
}

#[cfg(test)]
mod tests {
    use s7_wire::{Decoder, Message, Setup};

    use super::*;

    fn setup() -> BytesMut {
        let mut out = BytesMut::new();
        Setup { amq_calling: 1, amq_called: 1, pdu_length: 480 }.encode_answer(&mut out, 7);
        out
    }

    #[test]
    fn fragments_are_as_long_as_told_and_make_the_same_pdu() {
        let (mut delivery, mut whole) = (Delivery::whole(setup()), setup());
        Fragment { bytes: NonZeroU16::new(3).unwrap() }.apply(&mut delivery);
        let wire = &mut delivery.chunks[0].bytes;
        assert_eq!(wire[..7], [3, 0, 0, 10, 2, 0xf0, 0]);
        assert_eq!(wire.len(), 20 + 7 * 7, "20 bytes in seven packets");
        let expected = Decoder::new().decode(&mut whole).unwrap();
        assert!(matches!(expected, Some(Message::Pdu(_))));
        assert_eq!(Decoder::new().decode(wire).unwrap(), expected);
    }

    #[test]
    fn a_confirm_is_no_data_and_stays_whole() {
        let mut confirm = BytesMut::new();
        s7_wire::Connection::request(s7_wire::Tsap::two(1, 0), s7_wire::Tsap::two(1, 1))
            .encode_confirm(&mut confirm);
        let mut delivery = Delivery::whole(confirm.clone());
        Fragment { bytes: NonZeroU16::MIN }.apply(&mut delivery);
        assert_eq!(delivery, Delivery::whole(confirm));
    }

    #[test]
    fn byte_by_byte_keeps_the_bytes_and_spreads_the_times() {
        let mut delivery = Delivery::whole(setup());
        Bytewise { every: Duration::from_millis(2) }.apply(&mut delivery);
        assert_eq!((delivery.chunks.len(), delivery.bytes()), (27, 27));
        assert!(delivery.chunks.iter().all(|chunk| chunk.alone));
        assert_eq!(delivery.chunks[26].after, Duration::from_millis(52));
    }
}
