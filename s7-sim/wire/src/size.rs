//! Sizes: how many bytes of PDU a set of items needs, in both directions. For planners, before anything is encoded.

use crate::item::{ITEM_BYTES, ITEMS_MAX, Item};
use crate::pdu::{ANSWER_HEADER_BYTES, JOB_HEADER_BYTES};

/// Function and item count.
pub const FUNCTION_HEAD_BYTES: usize = 2;
/// Return code, transport size and length before each item's data.
pub const ITEM_DATA_HEAD_BYTES: usize = 4;

/// Bytes of padding behind a payload (or a data part) of this length, when another item follows.
pub const fn padding(payload_bytes: usize) -> usize {
    payload_bytes % 2
}

/// Longest payload of a read of one item at this PDU length: the PDU less 18.
pub const fn read_payload_max(pdu_length: u16) -> usize {
    (pdu_length as usize).saturating_sub(ANSWER_HEADER_BYTES + FUNCTION_HEAD_BYTES + ITEM_DATA_HEAD_BYTES)
}

/// Longest payload of a write of one item at this PDU length: the PDU less 28.
pub const fn write_payload_max(pdu_length: u16) -> usize {
    let head = JOB_HEADER_BYTES + FUNCTION_HEAD_BYTES + ITEM_BYTES + ITEM_DATA_HEAD_BYTES;
    (pdu_length as usize).saturating_sub(head)
}

/// Bytes of the PDU that asks for `items` items.
pub const fn read_request_bytes(items: usize) -> usize {
    JOB_HEADER_BYTES + FUNCTION_HEAD_BYTES + items * ITEM_BYTES
}

/// Bytes of the PDU that answers a read of items with these payloads.
pub fn read_answer_bytes(payloads: impl IntoIterator<Item = usize>) -> usize {
    ANSWER_HEADER_BYTES + FUNCTION_HEAD_BYTES + data_bytes(payloads)
}

/// Bytes of the PDU that writes items with these payloads.
pub fn write_request_bytes(payloads: impl IntoIterator<Item = usize>) -> usize {
    let mut items = 0;
    let data = data_bytes(payloads.into_iter().inspect(|_| items += 1));
    read_request_bytes(items) + data
}

/// Bytes of the PDU that answers a write of `items` items.
pub const fn write_answer_bytes(items: usize) -> usize {
    ANSWER_HEADER_BYTES + FUNCTION_HEAD_BYTES + items
}

fn data_bytes(payloads: impl IntoIterator<Item = usize>) -> usize {
    payloads.into_iter().fold(0, add_item)
}

/// A data part of `data_bytes` with one more item behind it; the one before is padded now.
const fn add_item(data_bytes: usize, payload_bytes: usize) -> usize {
    data_bytes + padding(data_bytes) + ITEM_DATA_HEAD_BYTES + payload_bytes
}

/// What still fits into one job, item by item: request, answer and item count all have to.
///
/// ```
/// use s7_wire::{Budget, Item};
///
/// let mut budget = Budget::read(240);
/// assert!(budget.take(&Item::db_bytes(1, 0, 200)));
/// assert!(!budget.take(&Item::db_bytes(2, 0, 20)), "the answer would have 242 bytes");
/// assert!(budget.take(&Item::db_bytes(2, 0, 18)), "and this makes 240");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pdu_length: usize,
    writes: bool,
    items: usize,
    data_bytes: usize,
}

impl Budget {
    /// An empty read at this PDU length.
    pub const fn read(pdu_length: u16) -> Self {
        Self { pdu_length: pdu_length as usize, writes: false, items: 0, data_bytes: 0 }
    }

    /// An empty write at this PDU length.
    pub const fn write(pdu_length: u16) -> Self {
        Self { writes: true, ..Self::read(pdu_length) }
    }

    /// Adds the item, if it fits; `false`, and nothing changed, if it does not.
    pub fn take(&mut self, item: &Item) -> bool {
        let Some(payload_bytes) = item.payload_bytes() else { return false };
        let added =
            Self { items: self.items + 1, data_bytes: add_item(self.data_bytes, payload_bytes), ..*self };
        let fits = added.items <= ITEMS_MAX
            && added.request_bytes() <= self.pdu_length
            && added.answer_bytes() <= self.pdu_length;
        if fits {
            *self = added;
        }
        fits
    }

    /// Items taken.
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Bytes of the request's PDU.
    pub const fn request_bytes(&self) -> usize {
        read_request_bytes(self.items) + if self.writes { self.data_bytes } else { 0 }
    }

    /// Bytes of the answer's PDU.
    pub const fn answer_bytes(&self) -> usize {
        if self.writes {
            return write_answer_bytes(self.items);
        }
        ANSWER_HEADER_BYTES + FUNCTION_HEAD_BYTES + self.data_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_documents() {
        assert_eq!((read_payload_max(240), write_payload_max(240)), (222, 212));
        assert_eq!((read_payload_max(960), write_payload_max(960)), (942, 932));
    }

    #[test]
    fn a_pdu_of_240_holds_nineteen_items_and_one_of_480_all_twenty() {
        let count = |pdu_length| {
            let mut budget = Budget::read(pdu_length);
            (0..30).filter(|&start| budget.take(&Item::db_bytes(1, start, 1))).count()
        };
        assert_eq!((count(240), count(480)), (19, ITEMS_MAX));
    }

    #[test]
    fn odd_payloads_are_padded_between_items_only() {
        assert_eq!(read_answer_bytes([3]), 14 + 7);
        assert_eq!(read_answer_bytes([3, 3]), 14 + 8 + 7);
        assert_eq!(write_request_bytes([1, 2]), 12 + 24 + 6 + 6);
    }
}
