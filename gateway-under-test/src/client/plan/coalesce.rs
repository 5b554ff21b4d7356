//! Parts that lie close together, read as one item.

use s7_wire::{Area, Item, TransportSize};

use super::ITEM_COST_BYTES;
use super::parts::Part;

/// Whether items that lie close together are read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Where it saves bytes.
    Neighbours,
    /// Never: each answers for itself, so that one bad address spoils no other.
    Nothing,
}

/// One item to read, and the parts that lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coalesced {
    /// What is asked for.
    pub item: Item,
    /// The parts, and where each begins in the item's payload.
    pub parts: Vec<(Part, usize)>,
}

/// Puts parts together that follow each other in `parts` and in memory, up to `payload_max` bytes.
pub fn coalesce(parts: impl IntoIterator<Item = Part>, payload_max: usize, merge: Merge) -> Vec<Coalesced> {
    let mut reads: Vec<Coalesced> = Vec::new();
    for part in parts {
        if merge == Merge::Neighbours
            && let Some(read) = reads.last_mut()
            && let Some(stretched) = stretched(&read.item, &part, payload_max)
        {
            let offset = (part.item.start_byte() - read.item.start_byte()) as usize;
            read.item = stretched;
            read.parts.push((part, offset));
        } else {
            reads.push(Coalesced { item: part.item, parts: vec![(part, 0)] });
        }
    }
    reads
}

/// Sorts parts by where they lie, so that neighbours follow each other.
pub fn sort_by_place(parts: &mut [Part]) {
    parts.sort_by_key(|part| (part.item.area.byte(), part.item.db, part.item.address, part.wish));
}

/// The item stretched over a part behind it; `None` where that is impossible or costs more than it saves.
fn stretched(item: &Item, part: &Part, payload_max: usize) -> Option<Item> {
    let same = (item.area, item.db) == (part.item.area, part.item.db);
    let behind = part.item.address >= item.address;
    if !same || !behind || !is_plain_bytes(item) || !is_plain_bytes(&part.item) {
        return None;
    }
    let (start, from) = (item.start_byte(), part.item.start_byte());
    let end = start + u32::try_from(item.payload_bytes()?).ok()?;
    if from > end + ITEM_COST_BYTES {
        return None;
    }
    let length = (end.max(from + part.bytes as u32) - start) as usize;
    let count = u16::try_from(length).ok().filter(|_| length <= payload_max)?;
    Some(Item::bytes(item.area, item.db, start, count))
}

/// Whether the item's payload is the bytes of a memory that can be read at any byte without a side effect.
fn is_plain_bytes(item: &Item) -> bool {
    let memory = matches!(item.area, Area::DataBlocks | Area::Merkers | Area::Inputs | Area::Outputs);
    let counted = matches!(
        item.transport,
        TransportSize::Bit | TransportSize::Timer | TransportSize::Counter | TransportSize::Other(_)
    );
    memory && !counted && item.address.is_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::super::parts::divide;
    use super::*;

    fn reads(items: &[Item], merge: Merge) -> Vec<Item> {
        let mut parts = divide(items, 222).expect("sound items");
        sort_by_place(&mut parts);
        coalesce(parts, 222, merge).iter().map(|read| read.item).collect()
    }

    #[test]
    fn neighbours_are_one_item_whatever_their_order_and_type() {
        let real = Item { transport: TransportSize::Real, ..Item::db_bytes(1, 4, 1) };
        let items = [real, Item::db_bytes(1, 0, 2), Item::db_bytes(2, 8, 1)];
        assert_eq!(reads(&items, Merge::Neighbours), [Item::db_bytes(1, 0, 8), Item::db_bytes(2, 8, 1)]);
        assert_eq!(reads(&items, Merge::Nothing).len(), 3);
    }

    #[test]
    fn a_gap_is_read_as_long_as_it_is_cheaper_than_an_item() {
        let spaced = |gap| [Item::db_bytes(1, 0, 1), Item::db_bytes(1, 1 + gap, 1)];
        assert_eq!(reads(&spaced(ITEM_COST_BYTES), Merge::Neighbours).len(), 1);
        assert_eq!(reads(&spaced(ITEM_COST_BYTES + 1), Merge::Neighbours).len(), 2);
    }

    #[test]
    fn bits_timers_and_peripherals_are_left_as_they_are() {
        let timer = |address| Item {
            transport: TransportSize::Timer,
            area: Area::Timers,
            address,
            ..Item::db_bytes(0, 0, 1)
        };
        let items = [
            Item::bit(Area::Merkers, 0, 1, 0),
            Item::bit(Area::Merkers, 0, 1, 1),
            timer(1),
            timer(2),
            Item::bytes(Area::Peripheral, 0, 0, 1),
            Item::bytes(Area::Peripheral, 0, 1, 1),
        ];
        assert_eq!(reads(&items, Merge::Neighbours).len(), items.len());
    }

    #[test]
    fn the_end_of_a_long_item_takes_its_neighbour_along() {
        let items = [Item::db_bytes(1, 0, 300), Item::db_bytes(1, 302, 4)];
        assert_eq!(reads(&items, Merge::Neighbours), [Item::db_bytes(1, 0, 222), Item::db_bytes(1, 222, 84)]);
    }
}
