//! Write var: the request with its data, and the answer with one code an item.

use bytes::{Bytes, BytesMut};

use crate::area::DataTransport;
use crate::code::{HeaderError, ReturnCode};
use crate::item::{Item, Items};
use crate::job::FUNCTION_WRITE;
use crate::pdu::{PduWriter, Rosctr, TooLong};
use crate::read::{EncodeError, ItemDataList, put_item_data, put_items};

/// One item to write, with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteItem<'a> {
    /// Where to.
    pub item: Item,
    /// The label on the data; [`new`](Self::new) takes the one that fits the item's type.
    pub transport: DataTransport,
    /// The bytes; as many as the item says.
    pub payload: &'a [u8],
}

impl<'a> WriteItem<'a> {
    /// An item with its bytes, labelled by the item's type.
    pub const fn new(item: Item, payload: &'a [u8]) -> Self {
        Self { item, transport: item.transport.data(), payload }
    }
}

/// Appends the job that writes `items`. The PDU length is the caller's: see [`crate::size`].
pub fn encode_write_request(
    out: &mut BytesMut,
    reference: u16,
    items: &[WriteItem<'_>],
) -> Result<(), EncodeError> {
    let mut writer = PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE);
    put_items(&mut writer, FUNCTION_WRITE, items.iter().map(|write| &write.item))?;
    writer.begin_data();
    for (index, write) in items.iter().enumerate() {
        let (expected, found) = (write.item.payload_bytes(), write.payload.len());
        let payload_error = EncodeError::Payload { index, expected, found };
        let length = write.transport.length(found).ok_or(payload_error)?;
        if expected != Some(found) {
            return Err(payload_error);
        }
        put_item_data(&mut writer, ReturnCode::Reserved, write.transport, length, write.payload);
    }
    Ok(writer.finish()?)
}

/// A job that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRequest {
    /// Where to, 1..=20 items.
    pub items: Items,
    /// What, one entry for each item. Whether it has the item's size is for the server to check (code 07).
    pub data: ItemDataList,
}

/// Writes the answer to a write, one code an item. Dropped before [`finish`](Self::finish), it takes back all it wrote.
pub struct WriteAnswerWriter<'a> {
    writer: PduWriter<'a>,
}

impl<'a> WriteAnswerWriter<'a> {
    /// Starts the answer to a job of `items` items.
    pub fn begin(out: &'a mut BytesMut, reference: u16, items: u8) -> Self {
        let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
        writer.put(&[FUNCTION_WRITE, items]);
        writer.begin_data();
        Self { writer }
    }

    /// Appends the next item's code.
    pub fn code(&mut self, code: ReturnCode) {
        self.writer.put(&[code.byte()]);
    }

    /// Ends the answer.
    pub fn finish(self) -> Result<(), TooLong> {
        self.writer.finish()
    }
}

/// The answer to a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteAnswer {
    codes: Bytes,
}

impl WriteAnswer {
    /// Takes over the data part of a write answer with `count` items; `None` when there are not as many codes.
    pub(crate) fn new(count: usize, codes: Bytes) -> Option<Self> {
        (codes.len() == count).then_some(Self { codes })
    }

    /// How many codes.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// One code for each item of the request, in its order.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = ReturnCode> + '_ {
        self.codes.iter().map(|&byte| ReturnCode::from_byte(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_the_wrong_length_is_refused_and_taken_back() {
        let mut out = BytesMut::new();
        let items = [
            WriteItem::new(Item::db_bytes(1, 0, 2), &[1, 2]),
            WriteItem::new(Item::db_bytes(1, 4, 3), &[1, 2]),
        ];
        let error = EncodeError::Payload { index: 1, expected: Some(3), found: 2 };
        assert_eq!(encode_write_request(&mut out, 1, &items), Err(error));
        assert!(out.is_empty());
    }

    #[test]
    fn no_items_and_twenty_one_are_refused() {
        let items = [WriteItem::new(Item::db_bytes(1, 0, 1), &[1]); 21];
        let mut out = BytesMut::new();
        assert_eq!(encode_write_request(&mut out, 1, &items), Err(EncodeError::Items { found: 21 }));
        assert_eq!(encode_write_request(&mut out, 1, &[]), Err(EncodeError::Items { found: 0 }));
        assert_eq!(encode_write_request(&mut out, 1, &items[..20]), Ok(()));
    }
}
