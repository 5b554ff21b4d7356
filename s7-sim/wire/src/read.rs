//! Read var: the request, and the answer with its per-item codes and padding.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use crate::area::DataTransport;
use crate::code::{HeaderError, ReturnCode};
use crate::item::{BIT_ADDRESS_MAX, ITEMS_MAX, Item, Items};
use crate::job::FUNCTION_READ;
use crate::pdu::{PduWriter, Rosctr, TooLong};
use crate::size::{ITEM_DATA_HEAD_BYTES, padding};

/// Why a request cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// No item, or more than a job may have.
    #[error("a job has 1..={ITEMS_MAX} items, found {found}")]
    Items {
        /// How many were given.
        found: usize,
    },
    /// An address that does not fit the field.
    #[error("item {index}: a bit address is at most {BIT_ADDRESS_MAX} (byte 2097151.7), found {found}")]
    Address {
        /// The item, from 0.
        index: usize,
        /// Its bit address.
        found: u32,
    },
    /// A payload that is not as long as its item says, or too long for a length field.
    #[error("item {index} needs a payload of {expected:?} bytes, found {found}")]
    Payload {
        /// The item, from 0.
        index: usize,
        /// What the item's type and count make.
        expected: Option<usize>,
        /// What was given.
        found: usize,
    },
    /// The packet would be too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// Appends the job that reads `items`. The PDU length is the caller's: see [`crate::size`].
pub fn encode_read_request(out: &mut BytesMut, reference: u16, items: &[Item]) -> Result<(), EncodeError> {
    let mut writer = PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE);
    put_items(&mut writer, FUNCTION_READ, items.iter())?;
    Ok(writer.finish()?)
}

/// Writes function, count and items.
pub(crate) fn put_items<'i>(
    writer: &mut PduWriter<'_>,
    function: u8,
    items: impl ExactSizeIterator<Item = &'i Item>,
) -> Result<(), EncodeError> {
    let found = items.len();
    if found == 0 || found > ITEMS_MAX {
        return Err(EncodeError::Items { found });
    }
    writer.put(&[function, found as u8]);
    for (index, item) in items.enumerate() {
        if item.address > BIT_ADDRESS_MAX {
            return Err(EncodeError::Address { index, found: item.address });
        }
        writer.put(&item.to_wire());
    }
    Ok(())
}

/// A job that reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// What to read, at most 20 items.
    pub items: Items,
}

/// Writes the answer to a read item by item, straight from the server's memory into the caller's buffer.
///
/// Dropped before [`finish`](Self::finish), it takes back all it wrote.
pub struct ReadAnswerWriter<'a> {
    writer: PduWriter<'a>,
}

impl<'a> ReadAnswerWriter<'a> {
    /// Starts the answer to a job of `items` items.
    pub fn begin(out: &'a mut BytesMut, reference: u16, items: u8) -> Self {
        let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
        writer.put(&[FUNCTION_READ, items]);
        writer.begin_data();
        Self { writer }
    }

    /// Appends an item that was read; `false`, and nothing written, when its length does not fit the length field.
    pub fn success(&mut self, transport: DataTransport, payload: &[u8]) -> bool {
        let Some(length) = transport.length(payload.len()) else { return false };
        self.item(ReturnCode::Success, transport, length, payload);
        true
    }

    /// Appends an item that failed: its code and length 0.
    pub fn failure(&mut self, code: ReturnCode) {
        self.item(code, DataTransport::Null, 0, &[]);
    }

    /// Bytes of the PDU so far; longer than the negotiated length means: drop this writer and refuse with 85 00.
    pub fn pdu_bytes(&self) -> usize {
        self.writer.pdu_bytes()
    }

    /// What [`pdu_bytes`](Self::pdu_bytes) would be with one more item of this payload.
    pub fn pdu_bytes_with(&self, payload_bytes: usize) -> usize {
        self.pdu_bytes() + padding(self.writer.data_bytes()) + ITEM_DATA_HEAD_BYTES + payload_bytes
    }

    /// Ends the answer.
    pub fn finish(self) -> Result<(), TooLong> {
        self.writer.finish()
    }

    fn item(&mut self, code: ReturnCode, transport: DataTransport, length: u16, payload: &[u8]) {
        put_item_data(&mut self.writer, code, transport, length, payload);
    }
}

/// Appends one item's data, padded against the item before it: one zero byte between items, none after the last.
pub(crate) fn put_item_data(
    writer: &mut PduWriter<'_>,
    code: ReturnCode,
    transport: DataTransport,
    length: u16,
    payload: &[u8],
) {
    writer.put(&[0][..padding(writer.data_bytes())]);
    let [hi, lo] = length.to_be_bytes();
    writer.put(&[code.byte(), transport.byte(), hi, lo]);
    writer.put(payload);
}

/// One item of a read answer or of a write request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemData {
    /// How it went; [`ReturnCode::Reserved`] in a write request.
    pub code: ReturnCode,
    /// What the length counts.
    pub transport: DataTransport,
    /// The bytes, a slice of the packet; empty when the code is not `FF` in an answer.
    pub payload: Bytes,
}

/// Why an item of an answer gives no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The PLC says no.
    #[error("the PLC refused the item: {0}")]
    Refused(ReturnCode),
    /// The PLC says yes and sends another length than was asked for.
    #[error("expected {expected:?} bytes for the item, found {found}: the answer is not to be trusted")]
    Length {
        /// What type and count make.
        expected: Option<usize>,
        /// What came.
        found: usize,
    },
}

impl ItemData {
    /// The payload, when it is the answer to `item`: code `FF` and exactly the bytes that were asked for.
    pub fn for_item(&self, item: &Item) -> Result<&Bytes, ItemError> {
        if self.code != ReturnCode::Success {
            return Err(ItemError::Refused(self.code));
        }
        let (expected, found) = (item.payload_bytes(), self.payload.len());
        if expected != Some(found) {
            return Err(ItemError::Length { expected, found });
        }
        Ok(&self.payload)
    }
}

/// The data of items, checked as a whole, read one by one without allocating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemDataList {
    count: usize,
    /// Whether a code other than `FF` means that no payload follows, whatever the length says. So it is in answers.
    codes_rule: bool,
    wire: Bytes,
}

impl ItemDataList {
    /// Takes over the data part of a read answer with `count` items; `None` when items and bytes do not fit together.
    pub(crate) fn of_answer(count: usize, wire: Bytes) -> Option<Self> {
        Self { count, codes_rule: true, wire }.checked()
    }

    /// Takes over the data part of a write request with `count` items.
    pub(crate) fn of_request(count: usize, wire: Bytes) -> Option<Self> {
        Self { count, codes_rule: false, wire }.checked()
    }

    fn checked(self) -> Option<Self> {
        let mut items = self.iter();
        let whole = items.by_ref().count() == self.count;
        // Some peers pad the last item as well; one zero byte there is harmless.
        let rest_is_padding = matches!(&items.rest[..], [] | [0]);
        (whole && rest_is_padding).then_some(self)
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items in order.
    pub fn iter(&self) -> ItemDataIter {
        ItemDataIter { left: self.count, codes_rule: self.codes_rule, rest: self.wire.clone() }
    }
}

/// Reads the data of items one by one; made by [`ItemDataList::iter`].
#[derive(Clone, Debug)]
pub struct ItemDataIter {
    left: usize,
    codes_rule: bool,
    rest: Bytes,
}

impl Iterator for ItemDataIter {
    type Item = ItemData;

    fn next(&mut self) -> Option<ItemData> {
        self.left = self.left.checked_sub(1)?;
        let &[code, transport, hi, lo] = self.rest.first_chunk::<ITEM_DATA_HEAD_BYTES>()?;
        let (code, transport) = (ReturnCode::from_byte(code), DataTransport::from_byte(transport));
        let refused = self.codes_rule && code != ReturnCode::Success;
        let payload_bytes = if refused { 0 } else { transport.bytes(u16::from_be_bytes([hi, lo])) };
        if self.rest.len() < ITEM_DATA_HEAD_BYTES + payload_bytes {
            return None;
        }
        self.rest.advance(ITEM_DATA_HEAD_BYTES);
        let payload = self.rest.split_to(payload_bytes);
        if self.left > 0 {
            self.rest.advance(padding(payload_bytes).min(self.rest.len()));
        }
        Some(ItemData { code, transport, payload })
    }
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// One entry for each item of the request, in its order.
    pub items: ItemDataList,
}
