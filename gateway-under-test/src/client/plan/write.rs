//! The writes that carry out a batch, in its order: two that overlap must not change places.

use std::ops::Range;

use s7_wire::size::write_payload_max;
use s7_wire::{Budget, EncodeError, Item, WriteItem};

use super::{Part, divide, pack_in_order};
use crate::client::ClientError;

/// The writes of one batch. Neighbours are not put together: each item has a code of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritePlan {
    /// What is written, in order.
    pub parts: Vec<Part>,
    /// The parts of each request, as ranges of `parts`.
    pub requests: Vec<Range<usize>>,
}

impl WritePlan {
    /// Plans the writes of `items` for this PDU length.
    pub fn new(items: &[WriteItem<'_>], pdu_length: u16) -> Result<Self, ClientError> {
        let parts = divide(items.iter().map(|write| &write.item), write_payload_max(pdu_length))?;
        check_payloads(items)?;
        let requests = pack_in_order(parts.iter().map(|part| &part.item), Budget::write(pdu_length));
        Ok(Self { parts, requests })
    }

    /// A part with its bytes.
    pub fn write<'a>(part: &Part, items: &[WriteItem<'a>]) -> WriteItem<'a> {
        let whole = &items[part.wish];
        WriteItem {
            item: part.item,
            payload: &whole.payload[part.offset..part.offset + part.bytes],
            ..*whole
        }
    }
}

/// Checks that each payload is as long as its item says, before the first byte of any is written.
fn check_payloads(items: &[WriteItem<'_>]) -> Result<(), EncodeError> {
    let wrong = |(index, write): (usize, &WriteItem<'_>)| {
        let (expected, found) = (Item::payload_bytes(&write.item), write.payload.len());
        (expected != Some(found)).then_some(EncodeError::Payload { index, expected, found })
    };
    items.iter().enumerate().find_map(wrong).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_write_goes_out_in_parts_and_in_order() {
        let payload: Vec<u8> = (0..=255).cycle().take(500).collect();
        let items = [
            WriteItem::new(Item::db_bytes(1, 0, 500), &payload),
            WriteItem::new(Item::db_bytes(1, 2, 1), &payload[..1]),
        ];
        let plan = WritePlan::new(&items, 240).expect("sound items");
        let lengths: Vec<_> = plan.parts.iter().map(|part| (part.wish, part.offset, part.bytes)).collect();
        assert_eq!(lengths, [(0, 0, 212), (0, 212, 212), (0, 424, 76), (1, 0, 1)]);
        assert_eq!(plan.requests, [0..1, 1..2, 2..4]);
        assert_eq!(WritePlan::write(&plan.parts[1], &items).payload, &payload[212..424]);
    }

    #[test]
    fn a_payload_of_another_length_is_refused_before_anything_is_written() {
        let items = [
            WriteItem::new(Item::db_bytes(1, 0, 2), &[1, 2]),
            WriteItem::new(Item::db_bytes(1, 4, 3), &[1, 2]),
        ];
        let message = WritePlan::new(&items, 240).expect_err("three bytes").to_string();
        assert_eq!(message, "cannot ask: item 1 needs a payload of Some(3) bytes, found 2");
    }
}
