//! Items: what a read or write names, twelve bytes each. Whether it exists is the server's business.

use bytes::Bytes;

use crate::area::{Area, TransportSize};

/// Items that one job may have.
pub const ITEMS_MAX: usize = 20;
/// One item on the wire.
pub const ITEM_BYTES: usize = 12;
/// Highest bit address: the field has 24 bits.
pub const BIT_ADDRESS_MAX: u32 = 0x00ff_ffff;

/// Variable specification, length of what follows, syntax S7ANY.
const ITEM_HEAD: [u8; 3] = [0x12, 0x0a, 0x10];

/// What one item of a read or write names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// The type of an element.
    pub transport: TransportSize,
    /// How many elements.
    pub count: u16,
    /// The number of the data block; 0 elsewhere.
    pub db: u16,
    /// The area.
    pub area: Area,
    /// Byte address · 8 + bit, or the number of a timer or counter. 24 bits travel; see [`BIT_ADDRESS_MAX`].
    pub address: u32,
}

impl Item {
    /// `count` bytes from byte `start` of an area; `db` is 0 for areas other than data blocks.
    pub const fn bytes(area: Area, db: u16, start: u32, count: u16) -> Self {
        Self { transport: TransportSize::Byte, count, db, area, address: start.saturating_mul(8) }
    }

    /// `count` bytes from byte `start` of a data block.
    pub const fn db_bytes(db: u16, start: u32, count: u16) -> Self {
        Self::bytes(Area::DataBlocks, db, start, count)
    }

    /// One bit.
    pub const fn bit(area: Area, db: u16, byte: u32, bit: u8) -> Self {
        Self {
            transport: TransportSize::Bit,
            count: 1,
            db,
            area,
            address: byte.saturating_mul(8).saturating_add(bit as u32),
        }
    }

    /// The first byte that the item touches.
    pub const fn start_byte(&self) -> u32 {
        self.address / 8
    }

    /// Bytes of payload that the item's elements take, without padding; `None` for a type without a name.
    pub fn payload_bytes(&self) -> Option<usize> {
        Some(self.transport.element_bytes()? * usize::from(self.count))
    }

    /// The item on the wire. The encoders of requests refuse an address above 24 bits; here the rest is cut off.
    pub fn to_wire(&self) -> [u8; ITEM_BYTES] {
        let [a, b, c] = ITEM_HEAD;
        let [count_hi, count_lo] = self.count.to_be_bytes();
        let [db_hi, db_lo] = self.db.to_be_bytes();
        let [_, top, mid, low] = self.address.to_be_bytes();
        let (transport, area) = (self.transport.byte(), self.area.byte());
        [a, b, c, transport, count_hi, count_lo, db_hi, db_lo, area, top, mid, low]
    }

    fn from_wire(wire: &[u8; ITEM_BYTES]) -> Option<Self> {
        let &[a, b, c, transport, count_hi, count_lo, db_hi, db_lo, area, top, mid, low] = wire;
        if [a, b, c] != ITEM_HEAD {
            return None;
        }
        Some(Self {
            transport: TransportSize::from_byte(transport),
            count: u16::from_be_bytes([count_hi, count_lo]),
            db: u16::from_be_bytes([db_hi, db_lo]),
            area: Area::from_byte(area),
            address: u32::from_be_bytes([0, top, mid, low]),
        })
    }
}

/// The items of a job: a checked slice of the packet, read one by one without allocating.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    wire: Bytes,
}

impl Items {
    /// Takes over bytes that must be whole S7ANY items; `None` when they are not.
    pub(crate) fn new(wire: Bytes) -> Option<Self> {
        let (items, rest) = wire.as_chunks::<ITEM_BYTES>();
        let sound = rest.is_empty() && items.iter().all(|item| Item::from_wire(item).is_some());
        sound.then_some(Self { wire })
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.wire.len() / ITEM_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Item> + '_ {
        let (items, _) = self.wire.as_chunks::<ITEM_BYTES>();
        items.iter().map(|wire| Item::from_wire(wire).expect("items were checked when the job was decoded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_travels_as_the_documents_print_it() {
        let item = Item::db_bytes(1, 2, 64);
        let wire = [0x12, 0x0a, 0x10, 0x02, 0, 64, 0, 1, 0x84, 0, 0, 0x10];
        assert_eq!(item.to_wire(), wire);
        assert_eq!(Item::from_wire(&wire), Some(item));
        assert_eq!((item.start_byte(), item.payload_bytes()), (2, Some(64)));
    }

    #[test]
    fn other_syntaxes_are_not_items() {
        let mut wire = Item::bit(Area::Merkers, 0, 10, 3).to_wire();
        assert_eq!(wire[11], 83);
        wire[2] = 0xb2;
        assert_eq!(Items::new(Bytes::copy_from_slice(&wire)), None);
        assert_eq!(Items::new(Bytes::from_static(&[0x12, 0x0a])), None);
    }
}
