//! Short answers: less data than was asked for, with lengths that say so, or that do not.

use bytes::{Bytes, BytesMut};
use s7_wire::pdu::PACKET_OVERHEAD_BYTES;
use s7_wire::{Answer, DataTransport, Pdu, tpkt};
use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use super::forge::is_data;

/// Where a PDU's data length stands in its packet.
const DATA_LENGTH_AT: usize = PACKET_OVERHEAD_BYTES + 8;

/// The last item loses bytes; an answer without data stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Short {
    /// How many bytes are gone; all of the last item's, where it has fewer.
    pub bytes: u16,
    /// What the lengths say about it.
    #[serde(default)]
    pub lengths: Lengths,
}

/// Which of the lengths around missing data still count it: each level, and all inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lengths {
    /// None: a well-formed answer with too little in it.
    #[default]
    Consistent,
    /// The item's.
    ItemLies,
    /// The S7 header's as well.
    HeaderLies,
    /// The packet's as well: whoever trusts it waits for the rest, and takes the next answer for it.
    PacketLies,
}

impl Short {
    pub(super) fn apply(&self, delivery: &mut Delivery) {
        for chunk in delivery.chunks.iter_mut().filter(|chunk| is_data(&chunk.bytes)) {
            self.shorten(&mut chunk.bytes);
        }
    }

    fn shorten(&self, packet: &mut BytesMut) {
        let Ok(pdu) = Pdu::decode(Bytes::copy_from_slice(&packet[PACKET_OVERHEAD_BYTES..])) else { return };
        let payload = last_payload(&pdu);
        let kept = payload.saturating_sub(usize::from(self.bytes));
        let gone = payload - kept;
        let item_at = packet.len() - payload;
        packet.truncate(packet.len() - gone);
        if self.lengths < Lengths::ItemLies {
            set_item_length(&mut packet[..item_at], kept);
        }
        if self.lengths < Lengths::HeaderLies {
            // A packet's data is at most 65,535 bytes.
            let data = (pdu.data.len() - gone) as u16;
            packet[DATA_LENGTH_AT..DATA_LENGTH_AT + 2].copy_from_slice(&data.to_be_bytes());
        }
        if self.lengths < Lengths::PacketLies {
            let header = tpkt::header(packet.len() as u16);
            packet[..tpkt::HEADER_BYTES].copy_from_slice(&header);
        }
    }
}

/// Bytes of the last item that was read; 0 where nothing was. They are the packet's last: padding stands between items only.
fn last_payload(pdu: &Pdu) -> usize {
    match Answer::decode(pdu) {
        Ok(Answer::Read(answer)) => answer.items.iter().last().map_or(0, |item| item.payload.len()),
        _ => 0,
    }
}

/// Sets the length of the item whose header of four bytes ends `head`, in the unit of its transport size.
fn set_item_length(head: &mut [u8], payload: usize) {
    if let Some([_code, transport, length @ ..]) = head.last_chunk_mut::<4>()
        && let Some(found) = DataTransport::from_byte(*transport).length(payload)
    {
        *length = found.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use s7_wire::{Decoder, Item, ItemError, Message, ReadAnswerWriter};

    use super::*;

    const ITEM: Item = Item::db_bytes(1, 0, 4);

    /// An answer of two items, the second short of three of its four bytes.
    fn short(lengths: Lengths) -> BytesMut {
        let mut out = BytesMut::new();
        let mut answer = ReadAnswerWriter::begin(&mut out, 7, 2);
        answer.success(ITEM.transport.data(), &[9]);
        answer.success(ITEM.transport.data(), &[1, 2, 3, 4]);
        answer.finish().unwrap();
        let mut delivery = Delivery::whole(out);
        Short { bytes: 3, lengths }.apply(&mut delivery);
        delivery.chunks.remove(0).bytes
    }

    fn decode(wire: &mut BytesMut) -> Result<Option<Message>, s7_wire::DecodeError> {
        Decoder::new().decode(wire)
    }

    #[test]
    fn consistent_lengths_make_a_well_formed_answer_with_too_little_in_it() {
        let Ok(Some(Message::Pdu(pdu))) = decode(&mut short(Lengths::Consistent)) else { panic!() };
        let Ok(Answer::Read(answer)) = Answer::decode(&pdu) else { panic!("{pdu:?}") };
        let item = answer.items.iter().last().unwrap();
        assert_eq!(item.payload[..], [1]);
        assert!(matches!(item.for_item(&ITEM), Err(ItemError::Length { .. })));
    }

    #[test]
    fn each_level_of_lying_is_found_one_level_further_out() {
        let Ok(Some(Message::Pdu(pdu))) = decode(&mut short(Lengths::ItemLies)) else { panic!() };
        assert!(Answer::decode(&pdu).is_err(), "an item longer than the data");
        let header = decode(&mut short(Lengths::HeaderLies)).unwrap_err().to_string();
        assert!(header.contains("should be 28 bytes together, found 25"), "{header}");
        let mut packet = short(Lengths::PacketLies);
        assert_eq!(decode(&mut packet), Ok(None), "three bytes are still to come");
        packet.extend_from_slice(&[3, 0, 0]);
        assert!(matches!(decode(&mut packet), Ok(Some(_))), "and are taken from the next answer");
    }
}
