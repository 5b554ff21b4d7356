//! Forgery: answers that are whole and say something wrong. What is no S7 answer stays as it is.

use bytes::BytesMut;
use s7_wire::pdu::{ANSWER_HEADER_BYTES, JOB_HEADER_BYTES, PACKET_OVERHEAD_BYTES, PROTOCOL_ID, Rosctr};
use s7_wire::tpkt;

use super::delivery::Delivery;

/// Where a PDU's reference stands in its packet.
const REFERENCE_AT: usize = PACKET_OVERHEAD_BYTES + 4;
/// The code of a DT, and where it stands.
const DT: (usize, u8) = (5, 0xf0);

/// Whether this is one whole packet of S7.
pub(super) fn is_data(packet: &[u8]) -> bool {
    tpkt::packet_length(packet) == Ok(Some(packet.len()))
        && packet.get(DT.0) == Some(&DT.1)
        && packet.get(PACKET_OVERHEAD_BYTES) == Some(&PROTOCOL_ID)
        && packet.len() >= PACKET_OVERHEAD_BYTES + JOB_HEADER_BYTES
}

/// Where the parameter part begins; `None` for what is no S7 packet.
fn parameter_at(packet: &[u8]) -> Option<usize> {
    let rosctr = is_data(packet).then(|| Rosctr::from_byte(packet[PACKET_OVERHEAD_BYTES + 1]))??;
    let header = if rosctr.is_answer() { ANSWER_HEADER_BYTES } else { JOB_HEADER_BYTES };
    Some(PACKET_OVERHEAD_BYTES + header)
}

pub(super) fn reference(delivery: &mut Delivery, by: u16) {
    for packet in packets(delivery) {
        let [high, low] = [packet[REFERENCE_AT], packet[REFERENCE_AT + 1]];
        let forged = u16::from_be_bytes([high, low]).wrapping_add(by);
        packet[REFERENCE_AT..REFERENCE_AT + 2].copy_from_slice(&forged.to_be_bytes());
    }
}

pub(super) fn function(delivery: &mut Delivery, function: u8) {
    set_parameter(delivery, 0, function);
}

pub(super) fn item_count(delivery: &mut Delivery, count: u8) {
    set_parameter(delivery, 1, count);
}

fn set_parameter(delivery: &mut Delivery, offset: usize, value: u8) {
    for packet in packets(delivery) {
        let at = parameter_at(packet).map(|start| start + offset);
        if let Some(byte) = at.and_then(|at| packet.get_mut(at)) {
            *byte = value;
        }
    }
}

fn packets(delivery: &mut Delivery) -> impl Iterator<Item = &mut BytesMut> {
    delivery.chunks.iter_mut().map(|chunk| &mut chunk.bytes).filter(|bytes| is_data(bytes))
}

#[cfg(test)]
mod tests {
    use s7_wire::{Decoder, HeaderError, Message, Pdu, ReadAnswerWriter, ReturnCode, encode_refusal};

    use super::*;

    fn forged(forge: impl FnOnce(&mut Delivery)) -> Pdu {
        let mut out = BytesMut::new();
        let mut answer = ReadAnswerWriter::begin(&mut out, u16::MAX, 1);
        answer.failure(ReturnCode::InvalidAddress);
        answer.finish().unwrap();
        let mut delivery = Delivery::whole(out);
        forge(&mut delivery);
        match Decoder::new().decode(&mut delivery.chunks[0].bytes) {
            Ok(Some(Message::Pdu(pdu))) => pdu,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_thing_is_wrong_and_the_rest_is_as_it_was() {
        let honest = forged(|_| {});
        assert_eq!(forged(|answer| reference(answer, 1)), Pdu { reference: 0, ..honest.clone() });
        let parameter = |bytes: &'static [u8]| Pdu { parameter: bytes.into(), ..honest.clone() };
        assert_eq!(forged(|answer| function(answer, 5)), parameter(&[5, 1]));
        assert_eq!(forged(|answer| item_count(answer, 9)), parameter(&[4, 9]));
    }

    #[test]
    fn a_refusal_has_no_function_to_forge_and_pieces_stay_as_they_are() {
        let mut out = BytesMut::new();
        encode_refusal(&mut out, 7, HeaderError::PDU_LENGTH);
        for bytes in [out.clone(), BytesMut::from(&out[..9]), BytesMut::new()] {
            let mut delivery = Delivery::whole(bytes.clone());
            function(&mut delivery, 1);
            item_count(&mut delivery, 1);
            assert_eq!(delivery, Delivery::whole(bytes));
        }
    }
}
