//! An item that is longer than a PDU, in parts that are not.

use s7_wire::Item;

use super::{PlanError, address_step, check};

/// A part of an item of the batch; often all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What is asked for.
    pub item: Item,
    /// The item of the batch, from 0.
    pub wish: usize,
    /// Where the part begins in the item's payload.
    pub offset: usize,
    /// Its length.
    pub bytes: usize,
}

/// Divides items into parts of at most `payload_max` bytes, between elements; in the order of the batch.
pub fn divide<'i>(
    items: impl IntoIterator<Item = &'i Item>,
    payload_max: usize,
) -> Result<Vec<Part>, PlanError> {
    let items = items.into_iter();
    let mut parts = Vec::with_capacity(items.size_hint().0);
    for (wish, item) in items.enumerate() {
        check(wish, item)?;
        divide_one(wish, item, payload_max, &mut parts);
    }
    Ok(parts)
}

fn divide_one(wish: usize, item: &Item, payload_max: usize, parts: &mut Vec<Part>) {
    let element_bytes = item.transport.element_bytes().expect("the item was checked");
    let elements_max = (payload_max / element_bytes).max(1);
    let step = address_step(item.transport, element_bytes);
    let mut done = 0;
    while done < item.count {
        let count = usize::from(item.count - done).min(elements_max) as u16;
        let address = item.address + u32::from(done) * step;
        parts.push(Part {
            item: Item { count, address, ..*item },
            wish,
            offset: usize::from(done) * element_bytes,
            bytes: usize::from(count) * element_bytes,
        });
        done += count;
    }
}

#[cfg(test)]
mod tests {
    use s7_wire::{Area, TransportSize};

    use super::*;

    #[test]
    fn a_long_item_is_divided_between_elements() {
        let reals = Item { transport: TransportSize::Real, ..Item::db_bytes(1, 10, 100) };
        let parts = divide([&reals], 222).expect("a sound item");
        let (first, second) = (parts[0], parts[1]);
        assert_eq!((first.item.count, first.bytes, first.offset, first.item.start_byte()), (55, 220, 0, 10));
        assert_eq!((second.item.count, second.bytes, second.offset), (45, 180, 220));
        assert_eq!(second.item.start_byte(), 10 + 220);
    }

    #[test]
    fn timers_are_counted_and_not_measured() {
        let timers =
            Item { transport: TransportSize::Timer, count: 150, db: 0, area: Area::Timers, address: 4 };
        let parts = divide([&timers], 222).expect("a sound item");
        assert_eq!(parts.iter().map(|part| part.item.address).collect::<Vec<_>>(), [4, 4 + 111]);
    }

    #[test]
    fn impossible_items_are_refused_before_anything_is_asked() {
        let bits = Item { count: 2, ..Item::bit(Area::Merkers, 0, 1, 0) };
        let message = divide([&Item::db_bytes(1, 0, 1), &bits], 222).expect_err("two bits").to_string();
        assert_eq!(message, "item 1: a PLC gives one bit an item; ask for bytes, or for each bit");
        let empty = Item::db_bytes(1, 0, 0);
        let past = Item::db_bytes(1, 0x1f_ffff, 2);
        let unnamed = Item { transport: TransportSize::Other(0x42), ..Item::db_bytes(1, 0, 1) };
        for item in [empty, past, unnamed] {
            assert!(divide([&item], 222).is_err(), "{item:?}");
        }
        assert!(divide([&Item::db_bytes(1, 0x1f_ffff, 1)], 222).is_ok());
    }
}
