//! Which reads fetch a station's tags: neighbours in one item, items packed into as few requests as fit. Pure.

use std::ops::Range;

use s7_wire::item::ITEM_BYTES;
use s7_wire::size::{ITEM_DATA_HEAD_BYTES, read_payload_max};
use s7_wire::{Area as WireArea, Budget, Item};

use crate::config::{Area, TagConfig};

/// What one more item costs, in request and answer together; a gap up to this is cheaper read than skipped.
const ITEM_COST_BYTES: u32 = (ITEM_BYTES + ITEM_DATA_HEAD_BYTES) as u32;

/// Where a tag lies in the answer to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The tag, as an index into the station's tags.
    pub tag: usize,
    /// Its first byte in the item's payload.
    pub offset: usize,
}

/// The reads of one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is read, in the order of the requests.
    pub items: Vec<Item>,
    /// The tags in each item.
    pub tags: Vec<Vec<Placed>>,
    /// The items of each request, as ranges of `items`.
    pub requests: Vec<Range<usize>>,
}

/// Whether tags that lie close together are read as one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Where it saves bytes.
    Neighbours,
    /// Never: each tag answers for itself, so that one bad address spoils no other tag.
    Nothing,
}

impl Plan {
    /// Plans the reads of `tags` for a session of this PDU length.
    pub fn new(tags: &[TagConfig], pdu_length: u16, merge: Merge) -> Self {
        let mut plan = Self { items: Vec::new(), tags: Vec::new(), requests: Vec::new() };
        let payload_max = read_payload_max(pdu_length) as u32;
        for tag in in_memory_order(tags) {
            plan.place(tag, &tags[tag], payload_max, merge);
        }
        plan.pack(pdu_length);
        plan
    }

    fn place(&mut self, index: usize, tag: &TagConfig, payload_max: u32, merge: Merge) {
        if merge == Merge::Neighbours
            && let (Some(item), Some(placed)) = (self.items.last_mut(), self.tags.last_mut())
            && let Some(length) = length_with(item, tag, payload_max)
        {
            item.count = length;
            placed.push(Placed { tag: index, offset: (tag.offset - item.start_byte()) as usize });
            return;
        }
        self.items.push(Item::bytes(wire_area(tag.area), tag.db as u16, tag.offset, tag.kind.bytes() as u16));
        self.tags.push(vec![Placed { tag: index, offset: 0 }]);
    }

    fn pack(&mut self, pdu_length: u16) {
        let mut start = 0;
        while start < self.items.len() {
            let mut budget = Budget::read(pdu_length);
            let fitting = self.items[start..].iter().take_while(|item| budget.take(item)).count();
            debug_assert!(fitting > 0, "an item is never longer than the payload of a PDU");
            let end = start + fitting.max(1);
            self.requests.push(start..end);
            start = end;
        }
    }
}

fn in_memory_order(tags: &[TagConfig]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tags.len()).collect();
    order.sort_by_key(|&index| (tags[index].area, tags[index].db, tags[index].offset, index));
    order
}

/// The length of `item` stretched over `tag`; `None` where that is impossible or costs more than it saves.
fn length_with(item: &Item, tag: &TagConfig, payload_max: u32) -> Option<u16> {
    if item.area != wire_area(tag.area) || u32::from(item.db) != tag.db {
        return None;
    }
    let end = item.start_byte() + u32::from(item.count);
    if tag.offset > end + ITEM_COST_BYTES {
        return None;
    }
    let length = end.max(tag.offset + tag.kind.bytes()) - item.start_byte();
    u16::try_from(length).ok().filter(|_| length <= payload_max)
}

const fn wire_area(area: Area) -> WireArea {
    match area {
        Area::Db => WireArea::DataBlocks,
        Area::M => WireArea::Merkers,
        Area::I => WireArea::Inputs,
        Area::Q => WireArea::Outputs,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use s7_wire::item::ITEMS_MAX;

    use super::*;
    use crate::config::TagType;

    fn tag(db: u32, offset: u32, kind: TagType) -> TagConfig {
        TagConfig::in_db(format!("{db}.{offset}"), db, offset, kind)
    }

    #[test]
    fn neighbours_share_an_item_and_distant_tags_do_not() {
        let tags = [tag(1, 4, TagType::Dint), tag(1, 0, TagType::Word), tag(1, 200, TagType::Byte)];
        let plan = Plan::new(&tags, 480, Merge::Neighbours);
        assert_eq!(plan.items, [Item::db_bytes(1, 0, 8), Item::db_bytes(1, 200, 1)]);
        assert_eq!(plan.tags[0], [Placed { tag: 1, offset: 0 }, Placed { tag: 0, offset: 4 }]);
        assert_eq!(plan.requests, std::slice::from_ref(&(0..2)));
    }

    #[test]
    fn a_gap_is_read_as_long_as_it_is_cheaper_than_an_item() {
        let spaced = |gap: u32| [tag(1, 0, TagType::Byte), tag(1, 1 + gap, TagType::Byte)];
        assert_eq!(Plan::new(&spaced(16), 480, Merge::Neighbours).items.len(), 1);
        assert_eq!(Plan::new(&spaced(17), 480, Merge::Neighbours).items.len(), 2);
    }

    #[test]
    fn other_areas_and_blocks_are_never_merged() {
        let mut merker = tag(0, 0, TagType::Byte);
        merker.area = Area::M;
        let tags = [tag(1, 0, TagType::Byte), tag(2, 1, TagType::Byte), merker];
        assert_eq!(Plan::new(&tags, 480, Merge::Neighbours).items.len(), 3);
    }

    #[test]
    fn without_merging_each_tag_is_an_item() {
        let tags = [tag(1, 0, TagType::Word), tag(1, 2, TagType::Word)];
        assert_eq!(Plan::new(&tags, 480, Merge::Nothing).items.len(), 2);
    }

    fn any_tag() -> impl Strategy<Value = TagConfig> {
        let kinds = prop::sample::select(vec![TagType::Bool, TagType::Word, TagType::Real]);
        (1..4_u32, 0..2000_u32, kinds).prop_map(|(db, offset, kind)| tag(db, offset, kind))
    }

    proptest! {
        #[test]
        fn every_tag_is_read_once_and_every_request_fits(
            tags in prop::collection::vec(any_tag(), 1..200),
            pdu_length in 240..=960_u16,
            merge in prop::sample::select(vec![Merge::Neighbours, Merge::Nothing]),
        ) {
            let plan = Plan::new(&tags, pdu_length, merge);
            let mut read: Vec<usize> = plan.tags.iter().flatten().map(|placed| placed.tag).collect();
            read.sort_unstable();
            prop_assert_eq!(read, (0..tags.len()).collect::<Vec<_>>());
            for (item, placed) in plan.items.iter().zip(&plan.tags) {
                for place in placed {
                    let tag = &tags[place.tag];
                    prop_assert_eq!(item.start_byte() as usize + place.offset, tag.offset as usize);
                    prop_assert!(place.offset + tag.kind.bytes() as usize <= usize::from(item.count));
                }
            }
            let mut next = 0;
            for request in &plan.requests {
                prop_assert_eq!(request.start, next);
                next = request.end;
                let mut budget = Budget::read(pdu_length);
                prop_assert!(plan.items[request.clone()].iter().all(|item| budget.take(item)));
                prop_assert!(request.len() <= ITEMS_MAX);
            }
            prop_assert_eq!(next, plan.items.len());
        }
    }
}
